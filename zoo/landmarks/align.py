"""Similarities by least squares (Procrustes), and meshes without the head's movement.

Legend: P points, D = 2 or 3 axes, n frames, V = 468 vertices.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from toolkit.facemodel.model import load_default
from toolkit.mesh import EYES68, LANDMARKS68, NUM_VERTICES

Floats = npt.NDArray[np.float64]

_NOTHING = 1e-24
"""Share of the square of their distance from the origin that rounding may spread points by."""


@dataclass(frozen=True, eq=False)
class Similarity:
    """Turns, scales and moves points: `points @ matrix + offset`.

    Attributes:
        matrix: (…, D, D), a rotation times the scale.
        offset: (…, D).
    """

    matrix: Floats
    offset: Floats

    @property
    def scale(self) -> Floats:
        """(…) by how much lengths grow."""
        return np.asarray(np.linalg.norm(self.matrix, axis=(-2, -1)) / len(self.offset.T) ** 0.5)

    def apply(self, points: npt.ArrayLike) -> Floats:
        """Points (…, P, D) moved."""
        return np.asarray(np.asarray(points, np.float64) @ self.matrix + self.offset[..., None, :])

    def invert(self) -> Self:
        """The way back."""
        back = np.linalg.inv(self.matrix)
        return type(self)(back, -(self.offset[..., None, :] @ back)[..., 0, :])


def fit_similarity(
    points: npt.ArrayLike, target: npt.ArrayLike, weights: npt.ArrayLike | None = None
) -> Similarity:
    """The similarity that brings points nearest to a target, without mirroring (Umeyama 1991).

    Args:
        points: (…, P, D).
        target: (…, P, D); leading axes broadcast.
        weights: (P,) of the points' squared distances; by default all count alike.

    Raises:
        ValueError: all points of a set lie in one place.
    """
    a, b = np.asarray(points, np.float64), np.asarray(target, np.float64)
    share = np.ones(a.shape[-2]) if weights is None else np.asarray(weights, np.float64)
    share = share / share.sum()
    a_mean, b_mean = (np.einsum("v,...vi->...i", share, x) for x in (a, b))
    a, b = a - a_mean[..., None, :], b - b_mean[..., None, :]
    spread = np.einsum("v,...vi,...vi->...", share, a, a)
    if (spread <= _NOTHING * np.square(a_mean).sum(axis=-1)).any():
        raise ValueError("points that lie in one place cannot be aligned")
    left, values, right = np.linalg.svd(np.einsum("...vi,v,...vj->...ij", a, share, b))
    sign = np.ones_like(values)
    sign[..., -1] = np.sign(np.linalg.det(left) * np.linalg.det(right))
    scale = (values * sign).sum(axis=-1) / spread
    matrix = scale[..., None, None] * ((left * sign[..., None, :]) @ right)
    return Similarity(matrix, b_mean - (a_mean[..., None, :] @ matrix)[..., 0, :])


def remove_pose(meshes: npt.ArrayLike, rest: npt.ArrayLike | None = None) -> Floats:
    """Meshes (n, V, 3) seen from the front, the head still: mm of the mean face.

    Each frame is moved by the similarity in space that puts the vertices which move with the skull
    (`FaceModel.rigidity`: nose, eye corners, temples, cheekbones) onto those of a face at rest.

    Args:
        meshes: (n, 468 or 478, 3), x right, y down, z forward, one unit.
        rest: (V, 3) the person's own face at rest, moved so before; by default the mean face, whose
            shape is another's: a turned head then leaves a trace.
    """
    model = load_default()
    target = model.mean_shape if rest is None else np.asarray(rest, np.float64)
    moving = np.asarray(meshes, np.float64)[:, :NUM_VERTICES]
    rigid = np.flatnonzero(model.rigidity)
    weights = model.rigidity[rigid]
    return fit_similarity(moving[:, rigid], target[rigid], weights).apply(moving)


def add_pose(rest: npt.ArrayLike, meshes: npt.ArrayLike) -> Floats:
    """A face at rest (468, 3) where the heads of meshes are: (n, 468, 3), in the meshes' unit.

    The inverse of `remove_pose`.

    Args:
        rest: as `remove_pose` takes it.
        meshes: (n, 468 or 478, 3).
    """
    model = load_default()
    rigid = np.flatnonzero(model.rigidity)
    face = np.asarray(rest, np.float64)
    heads = np.asarray(meshes, np.float64)[:, rigid]
    return fit_similarity(face[rigid], heads, model.rigidity[rigid]).apply(face)


def measure_turn(meshes: npt.ArrayLike) -> Floats:
    """Degrees (n,) between the axis of a face and the camera's, of meshes (n, 468 or 478, 3)."""
    model = load_default()
    rigid = np.flatnonzero(model.rigidity)
    heads = np.asarray(meshes, np.float64)[:, rigid]
    moved = fit_similarity(model.mean_shape[rigid], heads, model.rigidity[rigid])
    forward = moved.matrix[:, 2, 2] / moved.scale
    return np.asarray(np.degrees(np.arccos(forward.clip(-1, 1))))


def view68(meshes: npt.ArrayLike) -> Floats:
    """The 68 points (…, 68, 2) of meshes (…, 468 or 478, 2 or 3), as seen from the front."""
    return np.asarray(np.asarray(meshes)[..., LANDMARKS68, :2], np.float64)


def measure_opening(points: npt.ArrayLike) -> Floats:
    """How far a mouth is open (…,): mean distance of three pairs of inner lip points, by the eyes.

    Over the distance of the outer eye corners, points 36 and 45; of `points` (…, 68, 2).
    """
    points = np.asarray(points, np.float64)
    gaps = np.linalg.norm(points[..., 61:64, :] - points[..., 67:64:-1, :], axis=-1)
    between = np.linalg.norm(points[..., 36, :] - points[..., 45, :], axis=-1)
    return np.asarray(gaps.mean(axis=-1) / between)


def average_shapes(shapes: npt.ArrayLike, *, rounds: int = 20) -> Floats:
    """The canonical face (P, 2) of shapes (k, P, 2): generalised Procrustes, then the box.

    Every shape is brought to unit size and onto the mean of all by similarity, again and again; the
    mean is turned so that the line between the eyes' centres is level, its box's middle goes to the
    origin, and its larger side is made 2 long.

    Raises:
        ValueError: no shapes.
    """
    moved = np.asarray(shapes, np.float64)
    if not len(moved):
        raise ValueError("no shapes to average")
    moved = _normalise(moved)
    mean = moved[0]
    for _ in range(rounds):
        moved = fit_similarity(moved, mean).apply(moved)
        mean = _normalise(_level(moved.mean(axis=0)))
    low, high = mean.min(axis=0), mean.max(axis=0)
    return np.asarray((mean - (low + high) / 2) * 2 / (high - low).max())


def _normalise(shapes: Floats) -> Floats:
    """(…, P, 2) about their centroids, of unit length."""
    centred = shapes - shapes.mean(axis=-2, keepdims=True)
    return np.asarray(centred / np.linalg.norm(centred, axis=(-2, -1), keepdims=True))


def _level(shape: Floats) -> Floats:
    """A shape (68, 2) turned so that the line between the centres of its eyes is level."""
    x, y = np.subtract(*(shape[eye].mean(axis=0) for eye in reversed(EYES68)))
    turn = np.array([[x, -y], [y, x]]) / np.hypot(x, y)
    return np.asarray(shape @ turn)
