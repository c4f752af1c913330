"""The released FACIAL code's numbers of a frame: order, units, and a pose in its camera.

Its camera is scaled orthographic and sees a picture of 512 × 512 px. In axes x right, y up, z to
the viewer, a point p (dm) lies at `s·(R·p)[:2] + (tx, ty)` with R = Rz·Ry·Rx, in px from the
picture's middle: pixel (i, j), counted from the upper left, is at (i − 256, 255 − j).
"""

import numpy as np
import numpy.typing as npt

from toolkit.facemodel.camera import (
    MM_PER_DM,
    change_intrinsics,
    deng_from_rotation,
    flip_rotation,
    project_camera,
    rotation_from_euler,
)

Floats = npt.NDArray[np.float64]

OFFICIAL_LAYOUT = "facial-official-pose6-au45-1-expression64/v1"
"""The released 71 numbers of a frame, in this order.

rx, ry, rz in degrees, s in pixels per decimetre, tx, ty in pixels of a 512 × 512 picture, of which
training takes all six less the mean of the clip over its deviation; AU45 of OpenFace, 0 to 5; 64
coefficients of Deng et al.'s expression basis.
"""

OFFICIAL_POSE, OFFICIAL_AU45, OFFICIAL_EXPRESSION = slice(0, 6), slice(6, 7), slice(7, 71)

OFFICIAL_SIDE = 512
"""Side (px) of the released code's pictures."""

OFFICIAL_FPS = 30
"""Frames a second that it takes for granted."""

_FAR = 1e6
"""Focal length (px) at which perspective is no more than 1e-3 of a head's size."""


def official_pose(pose: npt.ArrayLike, intrinsics: npt.ArrayLike) -> Floats:
    """A pose as the released code has it: rx, ry, rz (deg), s (px/dm), tx, ty (px).

    The head's origin keeps its pixel; the side that the head shows and its size are kept to first
    order (see `change_intrinsics`). What perspective does to near and far points is lost, as in
    the released code's own fit.

    Args:
        pose: (…, 6) of this project, rad and mm, tz > 0.
        intrinsics: (…, 4) fx, fy, cx, cy in px of the 512 × 512 picture.

    Returns:
        (…, 6).
    """
    middle = OFFICIAL_SIDE / 2
    far = np.array([_FAR, _FAR, middle, middle])
    pose = change_intrinsics(pose, intrinsics, far)
    angles = np.degrees(deng_from_rotation(flip_rotation(rotation_from_euler(pose[..., :3]))))
    scale = MM_PER_DM * _FAR / pose[..., 5:]
    pixel = project_camera(pose[..., None, 3:], far)[..., 0, :] - 0.5  # of a pixel's centre
    shift = np.stack([pixel[..., 0] - middle, middle - 1 - pixel[..., 1]], axis=-1)
    return np.concatenate([angles, scale, shift], axis=-1)
