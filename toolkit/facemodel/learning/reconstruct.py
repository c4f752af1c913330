"""Metric faces from tracked meshes: every person's shape, and the mean, from many views.

1. The meshes of all near-frontal frames are superimposed by similarity (generalised Procrustes,
   Gower 1975), averaged per person, then over people, and made symmetric.
2. Size: the mean horizontal iris diameter is 11.7 mm.
3. Depth: poses and shapes are refined in turn by the reprojection error under perspective, where
   heads turn; a prior holds each vertex near the mean where they do not.
4. The origin is the centroid of the 68-point view, pitch zero by the face's own slope.

Legend: n frames, V vertices, I people.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from toolkit.facemodel.align import solve_pose
from toolkit.facemodel.camera import rotation_from_euler
from toolkit.facemodel.topology import find_mirror, mirror_shape
from toolkit.features.pose import measure_iris
from toolkit.mesh import (
    CHEEKS,
    CHIN,
    EYE_CORNERS,
    FOREHEAD,
    GLABELLA,
    IRIS_MM,
    LANDMARKS68,
    MOUTH_CORNERS,
    NOSE_BASE,
    NOSE_TIP,
    NUM_VERTICES,
)

Floats = npt.NDArray[np.float64]

PROFILE_SLOPE = -0.0175
"""Pitch zero: angle (rad) that the line from forehead to chin (10 to 152) then makes with the
picture's plane, chin nearer the camera where positive. Chosen once, so that the median pitch over
many clips agrees with OpenFace's."""

FRONTAL = 0.45
"""Yaw (rad, about) up to which a mesh counts as frontal for the average."""

TURNED = 0.7
"""Yaw (rad) beyond which the mesh's hidden side is a guess and the frame is left out."""

PRIOR = 0.02
"""Weight of the prior on a vertex, per frame: a sideways view counts by the square of its sine."""

ROUNDS = 6
"""Rounds of refinement: more trade depth against distance, which pictures do not separate."""


@dataclass(frozen=True, kw_only=True)
class Views:
    """Frames of several people.

    Attributes:
        landmarks: (n, 478, 3) float64, px.
        intrinsics: (n, 4).
        person: (n,) int64, 0 to I − 1.
    """

    landmarks: Floats
    intrinsics: Floats
    person: npt.NDArray[np.int64]

    @property
    def meshes(self) -> Floats:
        """(n, 468, 3): without the irises."""
        return self.landmarks[:, :NUM_VERTICES]

    @property
    def people(self) -> range:
        """Indices of the people."""
        return range(int(self.person.max()) + 1)


@dataclass(frozen=True, kw_only=True)
class Reconstruction:
    """What the views show.

    Attributes:
        mean_shape: (V, 3) mm, symmetric.
        shapes: (I, V, 3) mm, each brought to the mean by similarity.
        pose: (n, 6) of every frame, with its person's shape.
        mirror: (V,) partner of each vertex.
    """

    mean_shape: Floats
    shapes: Floats
    pose: Floats
    mirror: npt.NDArray[np.int64]


def reconstruct(views: Views) -> Reconstruction:
    """Mean shape, shapes and poses from views of at least one person.

    Raises:
        ValueError: the average mesh is not near symmetric: the views are no faces.
    """
    mean, mirror = _average(views)
    shapes = np.repeat(mean[None], len(views.people), axis=0)
    for _ in range(ROUNDS):
        rigid = choose_rigid(mean)
        pose = _pose_all(views, shapes, rigid)
        shapes = np.stack([_fit_shape(views, pose, mean, k) for k in views.people])
        _, shapes = superimpose(shapes, mean, rigid)
        mean = _straighten(_symmetrise(shapes.mean(axis=0), mirror))
        _, shapes = superimpose(shapes, mean, rigid)
    pose = _pose_all(views, shapes, choose_rigid(mean))
    return Reconstruction(mean_shape=mean, shapes=shapes, pose=pose, mirror=mirror)


def choose_rigid(shape: Floats) -> Floats:
    """(V,) 1 for vertices that move with the skull, else 0: nose, eye corners, temples, cheekbones.

    They lie between the glabella and the base of the nose, off the lids. The forehead is
    left out: brows move it, and the mesh guesses it under hair. Points on the side turned away
    count like the others: leaving them out moved no agreement with other systems.
    """
    between = (shape[:, 1] > shape[GLABELLA, 1]) & (shape[:, 1] < shape[NOSE_BASE, 1])
    return np.asarray(between & _is_off_lids(shape), np.float64)


def choose_steady(shape: Floats) -> Floats:
    """(V,) 1 for vertices whose depth follows the head's turn, else 0: all but lids and lips."""
    moving = ~_is_off_lids(shape)
    right, left = shape[list(MOUTH_CORNERS)]
    half = abs(left[0] - right[0]) / 2
    away = (shape[:, :2] - (right + left)[:2] / 2) / (1.3 * half, 0.75 * half)
    moving |= np.linalg.norm(away, axis=1) < 1
    return np.asarray(~moving, np.float64)


def superimpose(shapes: Floats, target: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Similarities that bring shapes nearest to a target (Umeyama 1991), weighted by vertex.

    Args:
        shapes: (n, V, 3).
        target: (V, 3).
        weights: (V,).

    Returns:
        (n,) scales and the moved shapes (n, V, 3).
    """
    share = weights / weights.sum()
    middle = (share[:, None] * shapes).sum(axis=1, keepdims=True)
    centre = share @ target
    a, b = shapes - middle, target - centre
    U, S, Vt = np.linalg.svd(np.einsum("nvi,v,vj->nij", a, share, b))
    sign = np.ones_like(S)
    sign[:, 2] = np.sign(np.linalg.det(U) * np.linalg.det(Vt))
    R = (U * sign[:, None]) @ Vt
    scale = (S * sign).sum(axis=1) / np.einsum("v,nvi,nvi->n", share, a, a)
    return scale, scale[:, None, None] * (a @ R) + centre


def _is_off_lids(shape: Floats) -> npt.NDArray[np.bool_]:
    """(V,) whether a vertex lies off the lids; the corners of the eyes do."""
    around_eye = np.zeros(len(shape), bool)
    for corners in EYE_CORNERS:
        outer, inner = shape[list(corners)]
        half = abs(outer[0] - inner[0]) / 2
        away = (shape[:, :2] - (outer + inner)[:2] / 2) / (1.35 * half, half)
        around_eye |= np.linalg.norm(away, axis=1) < 1
    around_eye[[v for corners in EYE_CORNERS for v in corners]] = False
    return ~around_eye


def _average(views: Views) -> tuple[Floats, npt.NDArray[np.int64]]:
    """Symmetric metric mean shape by Procrustes alone, and the mirror."""
    meshes = views.meshes
    right, left = CHEEKS
    width = np.linalg.norm(meshes[:, right, :2] - meshes[:, left, :2], axis=1)
    middle = meshes[:, right, 0] + meshes[:, left, 0]
    lean = np.abs(middle - 2 * meshes[:, NOSE_TIP, 0]) / width
    mean = meshes[lean.argmin()] / width[lean.argmin()]
    everywhere = np.ones(NUM_VERTICES)
    for _ in range(8):
        scale, moved = superimpose(meshes, mean, everywhere)
        facing = np.abs(_yaw(meshes, moved)) < FRONTAL
        mean = np.mean([_mean_of(moved, views.person == k, facing) for k in views.people], axis=0)
        mean = _stand_upright(mean / np.sqrt((mean**2).sum()))
    scale, _ = superimpose(meshes, mean, everywhere)
    iris = scale * measure_iris(views.landmarks)
    typical = [np.median(iris[_pick(views.person == k, facing)]) for k in views.people]
    mean = _stand_upright(mean * IRIS_MM / np.exp(np.mean(np.log(typical))))
    mirror = find_mirror(mean)
    return _straighten(_symmetrise(mean, mirror)), mirror


def _yaw(meshes: Floats, moved: Floats) -> Floats:
    """Turn (n,) about the vertical, rad, of meshes that were superimposed on an upright one."""
    right, left = CHEEKS
    across = meshes[:, left] - meshes[:, right]
    upright = moved[:, left] - moved[:, right]
    angle = np.arctan2(across[:, 2], across[:, 0]) - np.arctan2(upright[:, 2], upright[:, 0])
    return np.asarray((angle + np.pi) % (2 * np.pi) - np.pi)


def _pick(person: npt.NDArray[np.bool_], facing: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    return person & facing if (person & facing).any() else person


def _mean_of(
    shapes: Floats, person: npt.NDArray[np.bool_], facing: npt.NDArray[np.bool_]
) -> Floats:
    return np.asarray(shapes[_pick(person, facing)].mean(axis=0))


def _stand_upright(shape: Floats) -> Floats:
    """Turned so that x runs from ear to ear and y from forehead to chin; the middle at x = 0."""
    pairs = (*zip(*EYE_CORNERS, strict=True), MOUTH_CORNERS, CHEEKS, (70, 300))
    x = np.mean([shape[b] - shape[a] for a, b in pairs], axis=0)
    x /= np.linalg.norm(x)
    y = shape[CHIN] - shape[FOREHEAD]
    y -= (y @ x) * x
    y /= np.linalg.norm(y)
    turned = shape @ np.stack([x, y, np.cross(x, y)]).T
    turned[:, 0] -= np.mean([(turned[a, 0] + turned[b, 0]) / 2 for a, b in pairs])
    return np.asarray(turned)


def _symmetrise(shape: Floats, mirror: npt.NDArray[np.int64]) -> Floats:
    return np.asarray((shape + mirror_shape(shape, mirror)) / 2)


def _straighten(shape: Floats) -> Floats:
    """Pitch zero and the origin by their definitions; for a symmetric shape."""
    line = shape[CHIN] - shape[FOREHEAD]
    pitch = np.arctan2(-line[2], line[1])
    shape = shape @ rotation_from_euler((pitch - PROFILE_SLOPE, 0.0, 0.0)).T
    return np.asarray(shape - shape[list(LANDMARKS68)].mean(axis=0))


def _pose_all(views: Views, shapes: Floats, rigid: Floats) -> Floats:
    where = np.flatnonzero(rigid)
    points = shapes[:, where][views.person]
    return solve_pose(points, views.meshes[:, where, :2], views.intrinsics, weights=rigid[where])


def _fit_shape(views: Views, pose: Floats, prior: Floats, person: int) -> Floats:
    """Shape of one person by least squares on the image points, each vertex by itself.

    A point p at pose (R, t) is seen at x where (R₁ − x·R₃)·p = x·t₃ − t₁, and so for y.
    """
    facing = (views.person == person) & (np.abs(pose[:, 1]) < TURNED)
    if not facing.any():
        return prior
    K, t = views.intrinsics[facing], pose[facing, 3:]
    R = rotation_from_euler(pose[facing, :3])
    seen = (views.meshes[facing, :, :2] - K[:, None, 2:]) / K[:, None, :2]
    weight = PRIOR * facing.sum()
    normal = np.repeat(weight * np.eye(3)[None], len(prior), axis=0)
    right = weight * prior
    for axis in (0, 1):
        at = seen[:, :, axis, None]
        row = R[:, None, axis] - at * R[:, None, 2]
        value = at[..., 0] * t[:, None, 2] - t[:, None, axis]
        normal += np.einsum("nvi,nvj->vij", row, row)
        right = right + np.einsum("nvi,nv->vi", row, value)
    return np.asarray(np.linalg.solve(normal, right[..., None])[..., 0])
