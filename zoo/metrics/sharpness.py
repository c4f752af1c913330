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

EDGE_SLOPE = 2.0
"""Levels a pixel over which a slope is an edge, as Sobel's operator over 8 measures it."""

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
    outline, widths = find_outline(grey), find_widths(grey)
    num_sharp, counted = 0, 0
    for y in range(0, height, BLOCK):
        for x in range(0, width, BLOCK):
            block = np.s_[y : y + BLOCK, x : x + BLOCK]
            if outline[block].mean() <= EDGE_SHARE:
                continue
            just = _WIDTHS[int(grey[block].max()) - int(grey[block].min()) <= _LOW_CONTRAST]
            sharp = widths[block][widths[block] > 0] <= just
            num_sharp, counted = num_sharp + int(sharp.sum()), counted + len(sharp)
    return num_sharp / counted if counted else math.nan


def find_outline(grey: Grey) -> Bools:
    """Canny's edges of a grey picture, by which blocks are chosen.

    Blurred with σ = √2; the upper threshold leaves 30 % of the pixels over it, the lower is 0.4
    of it: the choice of the program in which the authors worked.
    """
    smooth = cv2.GaussianBlur(grey, (0, 0), math.sqrt(2))
    across, down = (cv2.Sobel(smooth, cv2.CV_16S, *axis) for axis in ((1, 0), (0, 1)))
    high = max(1.0, float(np.percentile(np.hypot(across, down), 70)))
    return np.asarray(cv2.Canny(across, down, 0.4 * high, high, L2gradient=True) > 0)


def find_slopes(grey: Grey) -> Bools:
    """Pixels of a grey picture where it rises or falls along the row, as Sobel's operator finds.

    By more than `EDGE_SLOPE`, and the square is largest among the neighbours in the row or in the
    column; none of the picture's outermost pixels.
    """
    slope = np.square(
        cv2.Sobel(grey, cv2.CV_64F, 1, 0, scale=1 / 8, borderType=cv2.BORDER_REPLICATE)
    )
    inner = slope[1:-1, 1:-1]
    in_row = (inner >= slope[1:-1, :-2]) & (inner > slope[1:-1, 2:])
    in_column = (inner >= slope[:-2, 1:-1]) & (inner > slope[2:, 1:-1])
    return np.pad((inner > EDGE_SLOPE**2) & (in_row | in_column), 1)


def find_widths(grey: Grey) -> npt.NDArray[np.int64]:
    """Width (px) of each vertical edge of a grey picture; 0 where there is none.

    Marziliano et al. (2004): from the extreme of brightness before the pixel in its row to the one
    behind it, each at least one pixel away. Measured where `find_slopes` finds an edge and the
    brightness rises along the row, give or take `SLANT`; where the neighbours in the row are
    equal, the authors' program takes it as rising.
    """
    widths = np.zeros(grey.shape, np.int64)
    tangent = math.tan(math.radians(SLANT))
    measure_widths(grey.astype(np.int64), find_slopes(grey), tangent, widths)
    return widths
