"""How far and how fast a head moves, and the map of its traces (FACIAL, Fig. 5)."""

import math

import cv2
import numpy as np
import numpy.typing as npt
from scipy.spatial.transform import Rotation

from toolkit.facemodel.camera import rotation_from_euler

Floats = npt.NDArray[np.float64]

PERCENTILES = (2, 98)
"""Between which the range of an angle lies, as in the manifest's columns."""

CONTOURS = (range(17), range(17, 22), range(22, 27), range(27, 31), range(31, 36),
            (*range(48, 60), 48))  # fmt: skip
"""Of the 68 points: jaw, brows, bridge, nostrils, outer lips. Without the lids, which blink."""

_FRACTION = 4
"""Bits of a pixel's fraction in coordinates of lines."""

_LAST_SHADE = 230
"""Of the colour map's 255, whose last colours can hardly be seen on white."""


def measure_range(pose: npt.ArrayLike) -> float:
    """Mean over pitch, yaw and roll of their ranges in poses (n, 6), degrees; NaN without any."""
    angles = _list_known(pose)[:, :3]
    if not len(angles):
        return math.nan
    low, high = np.percentile(np.degrees(angles), PERCENTILES, axis=0)
    return float((high - low).mean())


def measure_speed(pose: npt.ArrayLike, fps: int) -> float:
    """Mean angle (degrees a second) by which the head turns between neighbours of poses (n, 6).

    It is the angle of the one rotation from a pose to the next, whatever its axis. NaN where no two
    neighbours are known.
    """
    angles = np.asarray(pose, np.float64)
    both = np.isfinite(angles[1:]).all(axis=1) & np.isfinite(angles[:-1]).all(axis=1)
    if not both.any():
        return math.nan
    before, behind = (rotation_from_euler(part[both]) for part in (angles[:-1], angles[1:]))
    turn = Rotation.from_matrix(np.swapaxes(before, 1, 2) @ behind).magnitude()
    return float(np.degrees(turn).mean() * fps)


def draw_trace_map(points: npt.ArrayLike, side: int) -> npt.NDArray[np.uint8]:
    """Contours of a face over one another, in a white picture (side, side, 3) uint8 RGB.

    A head that rests draws one face; one that moves, a swarm of them, early ones blue and late ones
    yellow.

    Args:
        points: (m, 68, 2) px of that picture, of the moments to draw; NaN: no face then.
        side: px.
    """
    picture = np.full((side, side, 3), 255, np.uint8)
    faces = np.asarray(points, np.float64)
    shades = np.linspace(0, _LAST_SHADE, len(faces)).astype(np.uint8)
    colors = cv2.applyColorMap(shades, cv2.COLORMAP_VIRIDIS)[:, 0, ::-1].tolist()
    for face, color in zip(faces, colors, strict=True):
        if np.isfinite(face).all():
            at = np.rint(face * 2**_FRACTION).astype(np.int32)
            lines = [at[list(contour)] for contour in CONTOURS]
            cv2.polylines(picture, lines, False, color, 1, cv2.LINE_AA, _FRACTION)
    return picture


def _list_known(pose: npt.ArrayLike) -> Floats:
    poses = np.asarray(pose, np.float64)
    return np.asarray(poses[np.isfinite(poses).all(axis=1)])
