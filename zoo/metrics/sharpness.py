"""How sharp a picture is: CPBD, the cumulative probability of blur detection.

Narvekar and Karam, IEEE TIP 20(9), 2011: the share of edge pixels whose blur is noticed no more
probably than a just noticeable one. The probability is `1 − exp(−(w / w_jnb)^3.6)`, 63 % at w_jnb:
therefore it is the share of widths w up to w_jnb, which is 5 px in blocks of a contrast up to 50
levels, else 3. What the paper leaves open is as in the authors' program: which pixels are edges,
their direction, and that an edge reaches at least to the pixels beside it. Pixels that fill no
block, at the right and bottom, are cut off first and so change nothing.

Their published values: 0.1349 of the picture `img1` of the LIVE database, 0.753432 of `img4`.
"""

import math
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from zoo.metrics.kernels import measure_widths

Grey = npt.NDArray[np.uint8]
Bools = npt.NDArray[np.bool_]

BLOCK = 64
"""Side of the blocks, px."""

EDGE_SHARE = 0.002
"""Edge pixels in a block, as a share, over which it counts."""

SOBEL = 8
"""What Sobel's operator gives for a slope of one level a pixel."""

EDGE_SLOPE = 2
"""Levels a pixel over which a slope is an edge, as Sobel's operator over `SOBEL` measures it."""

SLANT = 22.5
"""Degrees that the brightness may rise off the row at a vertical edge.

A slanted edge is wider along the row than across."""

_LOW_CONTRAST = 50
_WIDTHS = {True: 5, False: 3}
"""Width (px) of a just noticeable blur, for blocks of contrast up to 50 and over it."""


def measure_cpbd(frames: npt.NDArray[np.uint8]) -> float:
    """CPBD of a picture (height, width, 3) uint8 RGB, 0 to 1: the higher, the sharper.

    Not a number where the picture has no edge, or no block of 64 × 64 px.
    """
    height, width = (side // BLOCK * BLOCK for side in frames.shape[:2])
    if not height * width:
        return math.nan
    grey = np.asarray(cv2.cvtColor(frames, cv2.COLOR_RGB2GRAY), np.uint8)[:height, :width]
    blocks = _cut(grey)
    counts = _cut(find_outline(grey)).mean(axis=1) > EDGE_SHARE
    is_low = blocks.max(axis=1) - blocks.min(axis=1) <= _LOW_CONTRAST
    widths = _cut(find_widths(grey))[counts]
    just = np.where(is_low, _WIDTHS[True], _WIDTHS[False])[counts, None]
    num_edges, num_wide = np.count_nonzero(widths), np.count_nonzero(widths > just)
    return (num_edges - num_wide) / num_edges if num_edges else math.nan


def _cut(picture: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The pixels of each block, (blocks, 64²)."""
    blocks = picture.reshape(len(picture) // BLOCK, BLOCK, -1, BLOCK).swapaxes(1, 2)
    return blocks.reshape(-1, BLOCK * BLOCK)


def find_outline(grey: Grey) -> Bools:
    """Canny's edges of a grey picture, by which blocks are chosen.

    Blurred with σ = √2; the upper threshold leaves 30 % of the pixels over it, the lower is 0.4
    of it: the choice of the program in which the authors worked.
    """
    smooth = cv2.GaussianBlur(grey, (0, 0), math.sqrt(2))
    across, down = (cv2.Sobel(smooth, cv2.CV_16S, *axis) for axis in ((1, 0), (0, 1)))
    high = max(1.0, _measure_upper(across, down))
    return np.asarray(cv2.Canny(across, down, 0.4 * high, high, L2gradient=True) > 0)


def _measure_upper(across: npt.NDArray[Any], down: npt.NDArray[Any]) -> float:
    """Slope that 30 % of the pixels are over: numpy's percentile 70, found by squares of int16."""
    squares = np.square(across, dtype=np.int32) + np.square(down, dtype=np.int32)
    place = 0.7 * (squares.size - 1)
    first = int(place)
    both = np.partition(squares, (first, first + 1), axis=None)[first : first + 2]
    low, high = np.sqrt(both).astype(np.float32).tolist()
    return float(low + (place - first) * (high - low))


def find_slopes(grey: Grey) -> Bools:
    """Pixels of a grey picture where it rises or falls along the row, as Sobel's operator finds.

    By more than `EDGE_SLOPE`, and the square is largest among the neighbours in the row or in the
    column; none of the picture's outermost pixels.
    """
    slope = np.abs(cv2.Sobel(grey, cv2.CV_16S, 1, 0, borderType=cv2.BORDER_REPLICATE))
    inner = slope[1:-1, 1:-1]
    in_row = (inner >= slope[1:-1, :-2]) & (inner > slope[1:-1, 2:])
    in_column = (inner >= slope[:-2, 1:-1]) & (inner > slope[2:, 1:-1])
    return np.pad((inner > EDGE_SLOPE * SOBEL) & (in_row | in_column), 1)


def find_widths(grey: Grey) -> npt.NDArray[np.int32]:
    """Width (px) of each vertical edge of a grey picture; 0 where there is none.

    Marziliano et al. (2004): from the extreme of brightness before the pixel in its row to the one
    behind it, each at least one pixel away. Measured where `find_slopes` finds an edge and the
    brightness rises along the row, give or take `SLANT`; where the neighbours in the row are
    equal, the authors' program takes it as rising.
    """
    widths = np.zeros(grey.shape, np.int32)
    tangent = math.tan(math.radians(SLANT))
    measure_widths(grey, find_slopes(grey), tangent, widths)
    return widths
