"""Fitting the face model's shape to meshes: identity per clip, pose and expression per frame.

The model is linear, so everything after the rigid alignment is ridge least squares whose factors
are computed once: a frame costs one matrix product. Legend: n frames, V vertices.
"""

import functools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from toolkit.facemodel.align import Depths, solve_pose
from toolkit.facemodel.camera import rotation_from_euler
from toolkit.facemodel.model import NUM_IDENTITY, FaceModel, combine

Floats = npt.NDArray[np.float64]

DEPTH_WEIGHT = 0.25
"""Weight of a depth error against one across the picture: its sd is about twice as large."""

NOISE = 2.0
"""Variance (mm²) of a vertex's error as the ridge sees it: larger than that of one vertex's, since
neighbours err together."""

HABIT = 0.3
"""Variance of a clip's mean expression, in its standard deviations squared: what of the mean face
may be a held smile rather than the person."""

IDENTITY_FRAMES = 64
"""Frames, evenly over a clip, from which its identity is taken."""

IDENTITY_ROUNDS = 2

DEPTH_STEP = 3
"""Every third steady vertex gives its depth to the pose: depths are smooth."""

POSE_DEPTH = 1.5
"""Weight of such a depth: half an image point's for every vertex."""

MAX_YAW = 0.6
"""Yaw (rad) up to which a frame counts for the identity, where there are any."""

BLOCK = 32
"""Frames lifted together: what they need fits a core's cache."""


@dataclass(frozen=True, kw_only=True)
class ShapeFit:
    """What the meshes of one clip say.

    Attributes:
        identity: (80,) standard deviations.
        shape: (V, 3) mm, the person's neutral face.
        expression: (n, 64) standard deviations.
        pose: (n, 6) rad and mm, of the model in its own size.
    """

    identity: Floats
    shape: Floats
    expression: Floats
    pose: Floats


class ShapeFitter:
    """Fits one model; its factors are computed at the start."""

    def __init__(self, model: FaceModel) -> None:
        self.model = model
        self._mean = model.mean_shape.astype(np.float64)
        self._blink = model.blink.astype(np.float64)
        self._rigid = np.flatnonzero(model.rigidity)
        self._axes = np.array([1.0, 1.0, DEPTH_WEIGHT])
        E = model.expression.astype(np.float64)
        both = np.concatenate([model.identity.astype(np.float64), E], axis=2)
        prior = np.ones(both.shape[2])
        prior[NUM_IDENTITY:] /= HABIT
        self._identity = self._factor(both, prior)[:NUM_IDENTITY]
        self._expression = self._strip(self._factor(E, np.ones(E.shape[2])))

    def fit(self, landmarks: npt.ArrayLike, intrinsics: npt.ArrayLike) -> ShapeFit:
        """Fit a clip of one person.

        Args:
            landmarks: (n, 468 or more, 3) px in the picture, z in the same unit.
            intrinsics: (4,) fx, fy, cx, cy in px.
        """
        landmarks = np.asarray(landmarks)[:, : self.model.num_vertices]
        if landmarks.ndim != 3 or landmarks.shape[1:] != (self.model.num_vertices, 3):
            raise ValueError(f"landmarks have shape {landmarks.shape}, not (n, 468 or more, 3)")
        K = np.asarray(intrinsics, np.float64)
        identity = self.fit_identity(landmarks, K)
        shape = self._mean + combine(self.model.identity, identity)
        pose = pose_mesh(self.model, landmarks, K, shape)
        # Taking the pose again with this expression lets expression swallow nods: not done.
        expression = self._fit_expression(landmarks, K, shape, pose)
        return ShapeFit(identity=identity, shape=shape, expression=expression, pose=pose)

    def explain(self, landmarks: npt.ArrayLike, intrinsics: npt.ArrayLike) -> Floats:
        """What is left of a clip's meshes at each stage, blinks excepted.

        Returns:
            (n, 3) root mean square over vertices, mm across the line of sight: of the mean shape,
            of the person's, and of the person's with its expression.
        """
        landmarks = np.asarray(landmarks)[:, : self.model.num_vertices]
        K = np.asarray(intrinsics, np.float64)
        own = self._mean + combine(self.model.identity, self.fit_identity(landmarks, K))
        stages = []
        for shape in (self._mean, own):
            pose = pose_mesh(self.model, landmarks, K, shape)
            moved = lift(landmarks, pose, K, shape, self._rigid) - shape
            stages.append(_rms_across(strip_blink(moved, self._blink)))
        left = moved - combine(self.model.expression, self._fit_expression(landmarks, K, own, pose))
        return np.stack([*stages, _rms_across(strip_blink(left, self._blink))], axis=1)

    def fit_identity(self, landmarks: Floats, intrinsics: Floats) -> Floats:
        """Identity (80,) of a clip: of the mean mesh, with its mean expression beside it."""
        step = max(1, len(landmarks) // IDENTITY_FRAMES)
        some = np.asarray(landmarks[::step], np.float64)
        shape, identity = self._mean, np.zeros(NUM_IDENTITY)
        for _ in range(IDENTITY_ROUNDS):
            pose = pose_mesh(self.model, some, intrinsics, shape)
            facing = np.abs(pose[:, 1]) < MAX_YAW
            chosen = facing if facing.any() else ~facing
            found = lift(some[chosen], pose[chosen], intrinsics, shape, self._rigid)
            identity = self._identity @ (found.mean(axis=0) - self._mean).ravel()
            shape = self._mean + combine(self.model.identity, identity)
        return np.asarray(identity)

    def _fit_expression(self, landmarks: Floats, K: Floats, shape: Floats, pose: Floats) -> Floats:
        expression = np.empty((len(landmarks), len(self._expression)))
        for first in range(0, len(landmarks), BLOCK):
            block = slice(first, first + BLOCK)
            moved = lift(landmarks[block], pose[block], K, shape, self._rigid) - shape
            expression[block] = moved.reshape(len(moved), -1) @ self._expression.T
        return expression

    def _factor(self, basis: Floats, prior: Floats) -> Floats:
        """Matrix (K, 3V) of the ridge solution: (BᵀWB/σ² + prior)⁻¹·BᵀW/σ²."""
        V = basis.shape[0]
        weighted = (basis * self._axes[None, :, None] / NOISE).reshape(3 * V, -1)
        normal = weighted.T @ basis.reshape(3 * V, -1) + np.diag(prior)
        return np.asarray(np.linalg.solve(normal, weighted.T))

    def _strip(self, factor: Floats) -> Floats:
        """The factor, blind to what a blink moves."""
        K = factor.shape[0]
        stripped = strip_blink(factor.reshape(K, -1, 3), self._blink)
        return np.asarray(stripped.reshape(K, -1))


def pose_mesh(
    model: FaceModel, landmarks: npt.ArrayLike, intrinsics: npt.ArrayLike, shape: npt.ArrayLike
) -> Floats:
    """Poses (n, 6) of meshes by a shape's rigid vertices and its depths.

    The picture alone confuses a nod with a longer or shorter face; MediaPipe's depth, though
    rough, does not. Measured on generated heads, pitch errs by half as much with it.

    Args:
        model: whose weights count.
        landmarks: (n, V or more, 3) px, or (n, V or more, 2) for the image points alone.
        intrinsics: (4,) or (n, 4).
        shape: (V, 3) mm.
    """
    landmarks, shape = np.asarray(landmarks), np.asarray(shape, np.float64)
    rigid = np.flatnonzero(model.rigidity)
    steady = np.flatnonzero(model.steadiness)[::DEPTH_STEP]
    depths = Depths(points=shape[steady], values=landmarks[:, steady, -1], weight=POSE_DEPTH)
    return solve_pose(
        shape[rigid],
        landmarks[:, rigid, :2],
        intrinsics,
        weights=model.rigidity[rigid],
        depths=depths if landmarks.shape[2] > 2 else None,
    )


def strip_blink(displacement: Floats, blink: Floats) -> Floats:
    """Displacements (…, V, 3) without their part along each vertex's own blink direction."""
    length = np.linalg.norm(blink, axis=1, keepdims=True)
    along = blink / np.where(length > 0, length, 1.0)
    return np.asarray(displacement - (displacement * along).sum(-1, keepdims=True) * along)


def _rms_across(left: Floats) -> Floats:
    """(n,) root mean square over vertices of displacements (n, V, 3), depth left out."""
    return np.asarray(np.sqrt((left[..., :2] ** 2).sum(axis=-1).mean(axis=-1)))


@functools.lru_cache(maxsize=2)
def make_fitter(model: FaceModel) -> ShapeFitter:
    """The fitter of a model, made once."""
    return ShapeFitter(model)


def lift(
    landmarks: npt.ArrayLike,
    pose: Floats,
    intrinsics: npt.ArrayLike,
    shape: npt.ArrayLike,
    rigid: npt.NDArray[np.int64],
) -> Floats:
    """Meshes as metric points in the head's own axes, by their pixels and their depth.

    A vertex lies on the ray through its pixel; how far along, MediaPipe's z says, in the scale of
    the picture at the head's distance (its z has the scale of x: measured slope 0.98) and shifted
    so that the rigid vertices lie on average where those of the shape do.

    Args:
        landmarks: (n, V or more, 3) px.
        pose: (n, 6) under which `shape` (V, 3) or (n, V, 3) is seen.
        intrinsics: (4,) or (n, 4).
        shape: mm.
        rigid: indices of the rigid vertices.

    Returns:
        (n, V, 3) mm.
    """
    shape = np.asarray(shape, np.float64)
    points = np.asarray(landmarks)[:, : shape.shape[-2]].astype(np.float64)
    K = np.broadcast_to(np.asarray(intrinsics, np.float64), (len(points), 4))
    R, t = rotation_from_euler(pose[:, :3]), pose[:, 3:]
    distance = np.linalg.norm(t, axis=1)
    ray = t / distance[:, None]
    ahead = np.einsum("nij,ni->nj", R, ray)
    anchor = np.asarray(shape[..., rigid, :].mean(axis=-2) * ahead).sum(axis=-1)
    depth = points[:, :, 2] * (t[:, 2] / K[:, 0])[:, None]
    depth += (distance + anchor - depth[:, rigid].mean(axis=1))[:, None]
    points[:, :, :2] -= K[:, None, 2:]
    points[:, :, :2] /= K[:, None, :2]
    points[:, :, 2] = 1.0
    points *= (depth / (points @ ray[:, :, None])[..., 0])[..., None]
    points -= t[:, None]
    return np.asarray(points @ R)
