"""Rotations and cameras: the project's convention (OpenFace's) and Deng et al.'s, both ways.

Ours: camera frame x right, y down, z forward, millimetres. A pose is (…, 6): pitch, yaw, roll in
rad, then tx, ty, tz in mm. A head point p, in axes that are the camera's at zero pose, lies at
`R·p + t` with `R = Rx(pitch)·Ry(yaw)·Rz(roll)` and is seen at `(fx·x/z + cx, fy·y/z + cy)`.

Deng et al. (CVPRW 2019): y up, z towards the viewer, decimetres, `R = Rz·Ry·Rx`, a camera ten
units away with a focal length of 1015 px, a 224 px crop. With F = diag(1, −1, −1) the two are one
rigid motion in two notations: `R = F·R_d·F` and `t = 100·F·t_d + (0, 0, 1000)`.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

DENG_CROP = 224
"""Side (px) of the crop that Deng et al.'s network sees."""

DENG_FOCAL = 1015.0
"""Focal length (px) of the camera of that crop."""

DENG_CENTER = (112.0, 111.0)
"""Its principal point: x is 1015·x/z + 112, the picture's y is 223 − (1015·y/z + 112)."""

DENG_DISTANCE = 1000.0
"""Distance (mm) of their camera from their origin."""

MM_PER_DM = 100.0

_FLIP: Floats = np.array([1.0, -1.0, -1.0])


def flip_axes(points: npt.ArrayLike) -> Floats:
    """Turn y-up, z-to-viewer axes into y-down, z-forward ones, and back: (…, 3) to (…, 3)."""
    return np.asarray(points, dtype=np.float64) * _FLIP


def flip_rotation(rotation: npt.ArrayLike) -> Floats:
    """The same rotation (…, 3, 3) in the other axes of `flip_axes`: F·R·F."""
    return np.asarray(rotation, dtype=np.float64) * np.outer(_FLIP, _FLIP)


def rotation_from_euler(angles: npt.ArrayLike) -> Floats:
    """Rotation Rx(pitch)·Ry(yaw)·Rz(roll) of (…, 3) angles in rad: (…, 3, 3)."""
    rx, ry, rz = _axis_rotations(angles)
    return np.asarray(rx @ ry @ rz)


def euler_from_rotation(rotation: npt.ArrayLike) -> Floats:
    """Pitch, yaw, roll (…, 3) in rad of rotations (…, 3, 3): inverse of `rotation_from_euler`.

    Yaw lies in [−π/2, π/2]. Near ±π/2, where pitch and roll turn about one axis, their split is
    arbitrary, but the three still rebuild the same rotation.
    """
    R = np.asarray(rotation, dtype=np.float64)
    yaw = np.arctan2(R[..., 0, 2], np.hypot(R[..., 0, 0], R[..., 0, 1]))
    pitch = np.arctan2(-R[..., 1, 2], R[..., 2, 2])
    # Second row of Rx(pitch)ᵀ·R, which is (sin roll, cos roll, 0) whatever the yaw.
    cos, sin = np.cos(pitch), np.sin(pitch)
    roll = np.arctan2(
        cos * R[..., 1, 0] + sin * R[..., 2, 0], cos * R[..., 1, 1] + sin * R[..., 2, 1]
    )
    return np.stack([pitch, yaw, roll], axis=-1)


def rotation_from_deng(angles: npt.ArrayLike) -> Floats:
    """Rotation Rz·Ry·Rx of Deng et al.'s (…, 3) angles in rad, in their axes: (…, 3, 3)."""
    rx, ry, rz = _axis_rotations(angles)
    return np.asarray(rz @ ry @ rx)


def deng_from_rotation(rotation: npt.ArrayLike) -> Floats:
    """Angles (…, 3) in rad about x, y, z: inverse of `rotation_from_deng`."""
    # Rz(c)·Ry(b)·Rx(a) is the transpose of Rx(−a)·Ry(−b)·Rz(−c).
    R = np.asarray(rotation, dtype=np.float64)
    return -euler_from_rotation(np.swapaxes(R, -1, -2))


def transform(points: npt.ArrayLike, pose: npt.ArrayLike) -> Floats:
    """Head points in the camera frame.

    Args:
        points: (V, 3) or (…, V, 3) in mm, axes as the camera's at zero pose.
        pose: (…, 6).

    Returns:
        (…, V, 3) in mm.
    """
    pose = np.asarray(pose, dtype=np.float64)
    R = rotation_from_euler(pose[..., :3])
    turned = np.asarray(points, dtype=np.float64) @ np.swapaxes(R, -1, -2)
    return np.asarray(turned + pose[..., None, 3:])


def project(points: npt.ArrayLike, pose: npt.ArrayLike, intrinsics: npt.ArrayLike) -> Floats:
    """Pixels at which head points are seen: `project_camera(transform(points, pose), …)`.

    Args:
        points: (V, 3) or (…, V, 3) in mm, axes as the camera's at zero pose.
        pose: (…, 6).
        intrinsics: (…, 4) fx, fy, cx, cy in px.

    Returns:
        (…, V, 2) x, y in px.
    """
    return project_camera(transform(points, pose), intrinsics)


def project_camera(points: npt.ArrayLike, intrinsics: npt.ArrayLike) -> Floats:
    """Pixels (…, V, 2) of camera-frame points (…, V, 3) under intrinsics (…, 4)."""
    points = np.asarray(points, dtype=np.float64)
    K = np.asarray(intrinsics, dtype=np.float64)[..., None, :]
    return np.asarray(points[..., :2] / points[..., 2:] * K[..., :2] + K[..., 2:])


def default_intrinsics(
    width: int, height: int, focal: float | None = None
) -> tuple[float, float, float, float]:
    """Fx, fy, cx, cy of a picture of unknown camera, by OpenFace's rule.

    The focal length is 500 px per 640 px of width and per 480 px of height, averaged, unless
    `focal` gives it; the principal point is the picture's centre.
    """
    if width <= 0 or height <= 0:
        raise ValueError(f"a picture of {width}×{height} px has no camera")
    focal = 500.0 * (width / 640 + height / 480) / 2 if focal is None else float(focal)
    return focal, focal, width / 2, height / 2


def crop_intrinsics(
    intrinsics: Sequence[float], crop: Sequence[float], size: int
) -> tuple[float, float, float, float]:
    """Fx, fy, cx, cy in px of a crop (xyxy, px of the picture) that is scaled to `size` px.

    Raises:
        ValueError: an empty crop, or no size.
    """
    fx, fy, cx, cy = intrinsics
    x0, y0, x1, y1 = crop
    if x1 <= x0 or y1 <= y0 or size < 1:
        raise ValueError(f"no camera sees a crop {tuple(crop)} at {size} px")
    across, down = size / (x1 - x0), size / (y1 - y0)
    return fx * across, fy * down, (cx - x0) * across, (cy - y0) * down


def deng_intrinsics(scale: npt.ArrayLike, offset: npt.ArrayLike) -> Floats:
    """The camera of Deng et al.'s crop, in pixels of the picture it was cut from.

    Args:
        scale: (…) crop pixels per picture pixel.
        offset: (…, 2) px in the crop: a picture point p is at `scale·p + offset` in the crop.

    Returns:
        (…, 4) fx, fy, cx, cy.
    """
    scale = np.asarray(scale, dtype=np.float64)
    center = (np.array(DENG_CENTER) - np.asarray(offset, dtype=np.float64)) / scale[..., None]
    focal = np.broadcast_to((DENG_FOCAL / scale)[..., None], center.shape)
    return np.concatenate([focal, center], axis=-1)


def pose_from_deng(
    angles: npt.ArrayLike,
    translation: npt.ArrayLike,
    *,
    scale: npt.ArrayLike,
    offset: npt.ArrayLike,
    intrinsics: npt.ArrayLike,
) -> Floats:
    """Our pose of what Deng et al.'s coefficients 224:227 and 254:257 say.

    Exact, for every vertex, where `intrinsics` is `deng_intrinsics(scale, offset)`: then
    `project(flip_axes(100·vertices_dm), pose, intrinsics)` is their image point brought back
    through the crop. Under another camera the pose is that of `change_intrinsics`: the head
    origin stays exact, the rest to the extent described there. `deng_from_pose` undoes it exactly
    in both cases.

    Args:
        angles: (…, 3) rad, about x, y, z in their axes.
        translation: (…, 3) dm, in their axes.
        scale: (…) crop pixels per picture pixel.
        offset: (…, 2) px: a picture point p is at `scale·p + offset` in the crop.
        intrinsics: (…, 4) of the picture, px.

    Returns:
        (…, 6) rad and mm.
    """
    R = flip_rotation(rotation_from_deng(angles))
    t = MM_PER_DM * flip_axes(translation) + (0.0, 0.0, DENG_DISTANCE)
    pose = np.concatenate([euler_from_rotation(R), t], axis=-1)
    return change_intrinsics(pose, deng_intrinsics(scale, offset), intrinsics)


def deng_from_pose(
    pose: npt.ArrayLike,
    *,
    scale: npt.ArrayLike,
    offset: npt.ArrayLike,
    intrinsics: npt.ArrayLike,
) -> tuple[Floats, Floats]:
    """Deng et al.'s angles (…, 3) in rad and translation (…, 3) in dm: see `pose_from_deng`."""
    pose = change_intrinsics(pose, intrinsics, deng_intrinsics(scale, offset))
    R = flip_rotation(rotation_from_euler(pose[..., :3]))
    translation = flip_axes(pose[..., 3:] - (0.0, 0.0, DENG_DISTANCE)) / MM_PER_DM
    return deng_from_rotation(R), translation


def change_intrinsics(pose: npt.ArrayLike, source: npt.ArrayLike, target: npt.ArrayLike) -> Floats:
    """The pose that looks, under camera `target`, like `pose` under camera `source`.

    No rigid motion can undo another focal length or principal point for every point, so this
    keeps what can be kept. Exact: the head origin's pixel, and everything where the cameras are
    equal; going there and back gives `pose` again. To first order around the origin: the side
    that the head shows (it is turned by the angle between the two rays to it) and its size (mean
    of the radial and the tangential one). What is left is the other strength of perspective: of
    the order of depth within the head over distance, times the change of the focal length; and
    the stretch of things off the axis. Measured on a face at 700 mm: rms 1 % of its size for focal
    lengths from 0.6 to 1.6 times, 2.6 % for one moved 28° off the axis (10 % if it were only slid
    aside). A pose behind the camera (tz ≤ 0) has no image.

    Args:
        pose: (…, 6) rad and mm, tz > 0.
        source: (…, 4) fx, fy, cx, cy, px.
        target: (…, 4).

    Returns:
        (…, 6).
    """
    pose = np.asarray(pose, dtype=np.float64)
    K, L = np.asarray(source, dtype=np.float64), np.asarray(target, dtype=np.float64)
    t = pose[..., 3:]
    old = t / t[..., 2:]
    pixel = old[..., :2] * K[..., :2] + K[..., 2:]
    new = _with_one((pixel - L[..., 2:]) / L[..., :2])
    old = np.broadcast_to(old, new.shape)
    # f / (r·cos^1.5) is the geometric mean of the two magnifications at that angle off the axis.
    focal = np.sqrt(np.prod(L[..., :2], axis=-1) / np.prod(K[..., :2], axis=-1))
    old_length, new_length = np.linalg.norm(old, axis=-1), np.linalg.norm(new, axis=-1)
    distance = np.linalg.norm(t, axis=-1) * focal * (new_length / old_length) ** 1.5
    turn = _rotation_between(old / old_length[..., None], new / new_length[..., None])
    R = turn @ rotation_from_euler(pose[..., :3])
    return np.concatenate(
        [euler_from_rotation(R), new * (distance / new_length)[..., None]], axis=-1
    )


def move_origin(pose: npt.ArrayLike, shift: npt.ArrayLike) -> Floats:
    """The same head with its origin at the head point `shift` (…, 3), mm: (…, 6)."""
    pose = np.asarray(pose, dtype=np.float64)
    moved = rotation_from_euler(pose[..., :3]) @ np.asarray(shift, dtype=np.float64)[..., None]
    return np.concatenate([pose[..., :3], pose[..., 3:] + moved[..., 0]], axis=-1)


def _axis_rotations(angles: npt.ArrayLike) -> tuple[Floats, Floats, Floats]:
    angles = np.asarray(angles, dtype=np.float64)
    cos, sin = np.cos(angles), np.sin(angles)
    rotations = []
    for axis in range(3):
        j, k = (axis + 1) % 3, (axis + 2) % 3
        R = np.zeros((*angles.shape[:-1], 3, 3))
        R[..., axis, axis] = 1.0
        R[..., j, j] = R[..., k, k] = cos[..., axis]
        R[..., j, k] = -sin[..., axis]
        R[..., k, j] = sin[..., axis]
        rotations.append(R)
    return rotations[0], rotations[1], rotations[2]


def _with_one(xy: Floats) -> Floats:
    return np.concatenate([xy, np.ones_like(xy[..., :1])], axis=-1)


def _rotation_between(a: Floats, b: Floats) -> Floats:
    """Smallest rotation (…, 3, 3) that takes unit vectors a to b (…, 3), not opposite."""
    v = np.cross(a, b)
    skew = np.zeros((*v.shape, 3))
    skew[..., 0, 1], skew[..., 0, 2], skew[..., 1, 2] = -v[..., 2], v[..., 1], -v[..., 0]
    skew[..., 1, 0], skew[..., 2, 0], skew[..., 2, 1] = v[..., 2], -v[..., 1], v[..., 0]
    cos = np.sum(a * b, axis=-1)[..., None, None]
    return np.asarray(np.eye(3) + skew + skew @ skew / (1.0 + cos))
