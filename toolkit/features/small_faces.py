"""Faces that are small in the picture: where to look for them, and which part the mesh then sees.

The mesh's own detector sees the whole picture at 128 × 128 and misses a face under about 11 % of
its longer side. The full-range detector, run on square tiles, finds smaller ones; the mesh then
works on a region around the face.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

LARGE_SHARE = 1 / 8
"""Share of the picture's longer side from which on a face is the mesh's own to find."""

LEAST_SHARE, LEAST_HEIGHT = 1 / 14, 48
"""The least height of a face: a share of the picture's shorter side (77 px of 1080), and in px.
Measured on faces scaled down to 80, 60 and 50 px: points move by 0.7, 1.1, 1.3 % of the height."""

_OVERLAP = 0.12
"""Of two tiles, over the picture's longer side: a small face lies in one of them whole."""

_MAX_TILES = 8
"""Enough for 6 : 1; of a longer strip only parts are looked at."""

_REGION_SCALE = 5.0
"""Side of the region over the face's height: room to move in, and the face is large in it."""

_MARGIN, _LARGEST, _SMALLEST = 0.5, 0.4, 0.13
"""The region is chosen anew where the face comes nearer to its border than this share of its own
height, or is more or less of the region's side than these."""

Box = npt.NDArray[Any]
"""(4,) xyxy, pixels of the picture."""

Region = tuple[int, int, int, int]
"""The same as whole numbers, which cut a picture."""


def least_height(width: int, height: int) -> float:
    """Height (px) of the smallest face that is followed in a picture of this size."""
    return max(LEAST_SHARE * min(width, height), LEAST_HEIGHT)


def list_tiles(width: int, height: int) -> Iterator[Region]:
    """Squares that cover a picture and overlap: one where it is nearly square, two at 16 : 9."""
    side, longer = min(width, height), max(width, height)
    overlap = min(_OVERLAP * longer, side / 2)
    count = min(_MAX_TILES, math.ceil((longer - overlap) / (side - overlap)))
    for start in np.linspace(0, longer - side, count).round().astype(int).tolist():
        yield (start, 0, start + side, side) if width > height else (0, start, side, start + side)


def choose_region(box: Box, width: int, height: int) -> Region:
    """The part of a picture around a face's box (4,) xyxy px."""
    low, high = box[:2], box[2:]
    half = _REGION_SCALE * float((high - low).max()) / 2
    (x0, y0), (x1, y1) = (low + high) / 2 - half, (low + high) / 2 + half
    return max(0, int(x0)), max(0, int(y0)), min(width, int(x1) + 1), min(height, int(y1) + 1)


def is_outgrown(region: Region, box: Box, width: int, height: int) -> bool:
    """Whether a face's box (4,) has come too near to a region's border within the picture, or is
    too large or too small for it.
    """
    low, high = box[:2], box[2:]
    size = float((high - low).max())
    x0, y0, x1, y1 = region
    room = [
        low[0] - x0 if x0 > 0 else np.inf,
        low[1] - y0 if y0 > 0 else np.inf,
        x1 - high[0] if x1 < width else np.inf,
        y1 - high[1] if y1 < height else np.inf,
    ]
    share = size / max(x1 - x0, y1 - y0)
    is_whole = region == (0, 0, width, height)
    return min(room) < _MARGIN * size or share < _SMALLEST or (share > _LARGEST and not is_whole)
