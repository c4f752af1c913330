"""Rigid alignment: the pose under which 3-D points are seen at given pixels, many frames at once.

Gauss–Newton on the reprojection error (Hartley and Zisserman 2004, §6 and A6), started from the
affine camera that fits best; relative depths along the line of sight may add to it. Every frame is
solved by itself, in a fixed number of steps, so a frame's pose does not depend on what else is in
the batch. Legend: n frames, V points, D points with a depth.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from toolkit.facemodel.camera import euler_from_rotation

Floats = npt.NDArray[np.float64]

STEPS = 6
"""Gauss–Newton steps: from the affine start, errors fall below 1e-6 rad after four."""

BLOCK = 64
"""Frames solved together: what they need fits a core's cache."""


@dataclass(frozen=True, kw_only=True)
class Depths:
    """Relative depths of points, known up to one constant a frame.

    Attributes:
        points: (D, 3) mm.
        values: (n, D) px, in the scale of the picture at the head's distance, further is larger.
        weight: of their squared errors, where an image point's is 1.
    """

    points: Floats
    values: Floats
    weight: float


def solve_pose(
    points: npt.ArrayLike,
    pixels: npt.ArrayLike,
    intrinsics: npt.ArrayLike,
    *,
    weights: npt.ArrayLike | None = None,
    depths: Depths | None = None,
) -> Floats:
    """Poses (n, 6) that bring points nearest to pixels, by weighted least squares.

    Args:
        points: (V, 3) or (n, V, 3) mm, axes as the camera's at zero pose.
        pixels: (n, V, 2) where they are seen.
        intrinsics: (4,) or (n, 4) fx, fy, cx, cy in px.
        weights: (V,) or (n, V) of the squared errors; 1 where not given.
        depths: more points, of which the depth is known and counts.

    Returns:
        (n, 6) pitch, yaw, roll in rad, tx, ty, tz in mm.
    """
    points = np.asarray(points, dtype=np.float64)
    pixels = np.asarray(pixels, dtype=np.float64)
    weights = np.ones(points.shape[-2]) if weights is None else np.asarray(weights, np.float64)
    n = len(pixels)
    points = np.broadcast_to(points, (n, *points.shape[-2:]))
    weights = np.broadcast_to(weights, (n, points.shape[1]))
    K = np.broadcast_to(np.asarray(intrinsics, dtype=np.float64), (n, 4))[:, None]
    pose = np.empty((n, 6))
    for first in range(0, n, BLOCK):
        block = slice(first, first + BLOCK)
        seen = (pixels[block] - K[block, :, 2:]) / K[block, :, :2]
        deep = None
        if depths is not None:
            values = np.asarray(depths.values[block], dtype=np.float64) / K[block, 0, :1]
            deep = Depths(points=depths.points, values=values, weight=depths.weight)
        pose[block] = _solve_block(points[block], seen, weights[block], deep)
    return pose


def _solve_block(points: Floats, seen: Floats, weights: Floats, deep: Depths | None) -> Floats:
    R, t = _fit_affine(points, seen, weights)
    root = np.sqrt(weights)
    for _ in range(STEPS):
        jacobian, error = _linearise(points @ np.swapaxes(R, 1, 2), t, seen, root)
        normal = jacobian @ np.swapaxes(jacobian, 1, 2)
        gradient = jacobian @ error[:, :, None]
        if deep is not None:
            jacobian, error = _linearise_depth(deep.points @ np.swapaxes(R, 1, 2), t, deep.values)
            normal += deep.weight * (jacobian @ np.swapaxes(jacobian, 1, 2))
            gradient += deep.weight * (jacobian @ error[:, :, None])
        step = np.linalg.solve(normal, gradient)[:, :, 0]
        R = _rotation_from_vector(step[:, :3]) @ R
        t = _keep_in_front(t, step[:, 3:])
    return np.concatenate([euler_from_rotation(R), t], axis=1)


def _linearise(turned: Floats, t: Floats, seen: Floats, root: Floats) -> tuple[Floats, Floats]:
    """Jacobian (n, 6, 2V) of the weighted image points by turn and shift, and the error (n, 2V).

    Turn is a rotation vector applied after R. Image points are in focal lengths.
    """
    qx, qy, qz = turned[..., 0], turned[..., 1], turned[..., 2]
    inverse = 1.0 / (qz + t[:, None, 2])
    x, y = (qx + t[:, None, 0]) * inverse, (qy + t[:, None, 1]) * inverse
    scale = inverse * root
    V = qx.shape[1]
    jacobian = np.empty((len(turned), 6, 2 * V))
    jx, jy = jacobian[:, :, :V], jacobian[:, :, V:]
    jx[:, 0], jx[:, 1], jx[:, 2] = -x * qy * scale, (qz + x * qx) * scale, -qy * scale
    jy[:, 0], jy[:, 1], jy[:, 2] = -(qz + y * qy) * scale, y * qx * scale, qx * scale
    jx[:, 3], jx[:, 4], jx[:, 5] = scale, 0.0, -x * scale
    jy[:, 3], jy[:, 4], jy[:, 5] = 0.0, scale, -y * scale
    error = np.concatenate([(seen[..., 0] - x) * root, (seen[..., 1] - y) * root], axis=1)
    return jacobian, error


def _linearise_depth(turned: Floats, t: Floats, values: Floats) -> tuple[Floats, Floats]:
    """Jacobian (n, 6, D) and error (n, D) of depths along the line of sight, less their mean.

    A depth is in the scale of image points at the head's distance: mm over t₃.
    """
    ray = t / np.linalg.norm(t, axis=1, keepdims=True)
    depth = (turned @ ray[:, :, None])[..., 0] / t[:, 2:]
    jacobian = np.zeros((len(turned), 6, turned.shape[1]))
    jacobian[:, :3] = np.swapaxes(np.cross(turned, ray[:, None]), 1, 2) / t[:, 2, None, None]
    jacobian[:, 5] = -depth / t[:, 2:]
    jacobian -= jacobian.mean(axis=2, keepdims=True)
    error = values - depth
    return jacobian, error - error.mean(axis=1, keepdims=True)


def _fit_affine(points: Floats, seen: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Rotation and translation of the scaled orthographic camera nearest to the best affine one."""
    share = weights / weights.sum(axis=1, keepdims=True)
    middle = np.einsum("nv,nvk->nk", share, points)
    centre = np.einsum("nv,nvk->nk", share, seen)
    p = points - middle[:, None]
    weighted = np.swapaxes(p * share[..., None], 1, 2)
    affine = np.linalg.solve(weighted @ p, weighted @ (seen - centre[:, None]))
    U, S, Vt = np.linalg.svd(np.swapaxes(affine, 1, 2), full_matrices=False)
    rows = U @ Vt
    R = np.concatenate([rows, np.cross(rows[:, 0], rows[:, 1])[:, None]], axis=1)
    depth = 1.0 / S.mean(axis=1)
    t = np.concatenate([centre, np.ones((len(p), 1))], axis=1) * depth[:, None]
    return R, t - (R @ middle[:, :, None])[:, :, 0]


def _rotation_from_vector(vector: Floats) -> Floats:
    """Rodrigues' formula: rotations (n, 3, 3) about vectors (n, 3) by their length, rad."""
    angle = np.linalg.norm(vector, axis=1)[:, None, None]
    skew = np.zeros((len(vector), 3, 3))
    skew[:, 0, 1], skew[:, 0, 2], skew[:, 1, 2] = -vector[:, 2], vector[:, 1], -vector[:, 0]
    skew -= np.swapaxes(skew, 1, 2)
    half = np.sinc(angle / (2 * np.pi))
    return np.asarray(np.eye(3) + np.sinc(angle / np.pi) * skew + half**2 / 2 * (skew @ skew))


def _keep_in_front(t: Floats, shift: Floats) -> Floats:
    """Translation after a step that may at most halve or double the distance."""
    moved = t + shift
    moved[:, 2] = np.clip(moved[:, 2], t[:, 2] / 2, t[:, 2] * 2)
    return np.asarray(moved)
