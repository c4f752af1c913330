"""Landmarks as a picture, which a network of textures is given."""

import cv2
import numpy as np
import numpy.typing as npt

LINES = (
    (tuple(range(17)), False, (255, 255, 255)),
    (tuple(range(17, 22)), False, (255, 160, 0)),
    (tuple(range(22, 27)), False, (255, 255, 0)),
    (tuple(range(27, 31)), False, (0, 160, 255)),
    (tuple(range(31, 36)), False, (0, 255, 255)),
    (tuple(range(36, 42)), True, (160, 0, 255)),
    (tuple(range(42, 48)), True, (255, 0, 255)),
    (tuple(range(48, 60)), True, (255, 0, 0)),
    (tuple(range(60, 68)), True, (0, 255, 0)),
)
"""Points of a line, whether it is closed, its colour: jaw, right and left brow, bridge and base of
the nose, right and left eye, outer and inner edge of the lips. Later lines lie over earlier."""

GRID = 512
"""Dots along a side of what is drawn first, whatever the picture's size."""

_WIDTH = 4
_SHIFT = 4
"""Of a line, dots; binary places of OpenCV's coordinates."""


def draw_landmarks(points: npt.ArrayLike, size: int) -> npt.NDArray[np.uint8]:
    """Lines through landmarks: (size, size, 3) uint8 RGB on black, smooth at their edges.

    Lines are about size / 90 px wide. They are drawn at one size and averaged into pixels, so that
    the picture is the same at any size but for its pixels.

    Args:
        points: (68, 2) px, x right, y down; (0.5, 0.5) is the middle of the first pixel. What lies
            outside is cut off.
        size: side of the picture, 32 to 512.

    Raises:
        ValueError: another size, or points that are no numbers.
    """
    points = np.asarray(points, np.float64)
    if not 32 <= size <= GRID or points.shape != (68, 2) or not np.isfinite(points).all():
        raise ValueError(f"landmarks {points.shape} cannot be drawn at {size} px")
    drawing = np.zeros((GRID, GRID, 3), np.uint8)
    places = np.clip(points / size, -1, 2) * GRID - 0.5  # OpenCV counts from a dot's middle
    dots = (places * 2**_SHIFT).round().astype(np.int32)
    for line, closed, color in LINES:
        cv2.polylines(drawing, [dots[list(line)]], closed, color, _WIDTH, cv2.LINE_AA, _SHIFT)
    return np.asarray(cv2.resize(drawing, (size, size), interpolation=cv2.INTER_AREA), np.uint8)
