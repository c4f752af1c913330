"""How near drawn pictures are to real ones (PSNR, SSIM), and how sharp pictures are (CPBD).

Pictures are (height, width, 3) uint8 RGB.
"""

import math

import cv2
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]

PEAK = 255.0

# --- beside the real picture --------------------------------------------------------------------

WINDOW, SIGMA = 11, 1.5
"""Gaussian window of SSIM (Wang, Bovik, Sheikh and Simoncelli, 2004, section III.C)."""

_C1, _C2 = (0.01 * PEAK) ** 2, (0.03 * PEAK) ** 2


def measure_psnr(pred: Picture, target: Picture) -> float:
    """Peak signal-to-noise ratio, dB, over all channels; inf for equal pictures."""
    _require_alike(pred, target)
    error = float(np.square(pred.astype(np.float64) - target).mean())
    return 10 * math.log10(PEAK**2 / error) if error else math.inf


def measure_ssim(pred: Picture, target: Picture) -> float:
    """Mean structural similarity, −1 to 1, over the channels and all windows that lie inside.

    Wang et al., 2004, eq. 13: 11 × 11 Gaussian windows, K1 = 0.01, K2 = 0.03.

    Raises:
        ValueError: pictures of different sizes, or smaller than a window.
    """
    _require_alike(pred, target)
    x, y = pred.astype(np.float32), target.astype(np.float32)
    mx, my = _blur(x), _blur(y)
    vx, vy = _blur(x * x) - mx * mx, _blur(y * y) - my * my
    covariance = _blur(x * y) - mx * my
    means = (2 * mx * my + _C1) / (mx * mx + my * my + _C1)
    return float((means * (2 * covariance + _C2) / (vx + vy + _C2)).mean(dtype=np.float64))


def _blur(picture: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Gaussian means of the windows that lie inside."""
    half = WINDOW // 2
    blurred = cv2.GaussianBlur(picture, (WINDOW, WINDOW), SIGMA)
    return np.asarray(blurred[half:-half, half:-half], np.float32)


def _require_alike(pred: Picture, target: Picture) -> None:
    if pred.shape != target.shape or min(pred.shape[:2]) < WINDOW:
        raise ValueError(f"pictures {pred.shape} and {target.shape} cannot be compared")


# --- sharpness ----------------------------------------------------------------------------------

BLOCK = 64
"""Side of CPBD's blocks, px; what does not fill one at the right and bottom is left out."""

EDGE_SHARE = 0.002
"""Edge pixels in a block, as a share, over which it counts."""

SLANT = 22.5
"""Degrees that the brightness may rise off the row at a vertical edge, as in the authors' program.

A slanted edge is wider along the row than across."""

_LOW_CONTRAST = 50
_WIDTHS = {True: 5, False: 3}
"""Width (px) of a just noticeable blur, for blocks of contrast up to 50 and over it."""


def measure_cpbd(picture: Picture) -> float:
    """Cumulative probability of blur detection, 0 to 1: the higher, the sharper.

    Narvekar and Karam, IEEE TIP 20(9), 2011: the share of edge pixels whose blur is noticed no
    more probably than a just noticeable one. The probability is `1 − exp(−(w / w_jnb)^3.6)`, 63 %
    at w_jnb: therefore it is the share of widths w up to w_jnb. They are those of Marziliano et al.
    (2004): along the row, from the brightness's extreme before a vertical edge to the one behind
    it. Not a number where the picture has no edge.
    """
    grey = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)
    outline, edges, widths = find_outline(grey), find_vertical_edges(grey), measure_widths(grey)
    num_sharp, counted = 0, 0
    for y in range(0, grey.shape[0] - BLOCK + 1, BLOCK):
        for x in range(0, grey.shape[1] - BLOCK + 1, BLOCK):
            block = np.s_[y : y + BLOCK, x : x + BLOCK]
            if outline[block].mean() <= EDGE_SHARE:
                continue
            just = _WIDTHS[int(grey[block].max()) - int(grey[block].min()) <= _LOW_CONTRAST]
            sharp = widths[block][edges[block]] <= just
            num_sharp, counted = num_sharp + int(sharp.sum()), counted + len(sharp)
    return num_sharp / counted if counted else math.nan


def find_outline(grey: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Canny's edges of a grey picture, by which blocks are chosen.

    Blurred with σ = √2; the upper threshold leaves 30 % of the pixels over it, the lower is 0.4
    of it: the choice of the program in which the authors worked.
    """
    smooth = cv2.GaussianBlur(grey, (0, 0), math.sqrt(2))
    across, down = (cv2.Sobel(smooth, cv2.CV_16S, *axis) for axis in ((1, 0), (0, 1)))
    high = max(1.0, float(np.percentile(np.hypot(across, down), 70)))
    return np.asarray(cv2.Canny(across, down, 0.4 * high, high, L2gradient=True) > 0)


def find_vertical_edges(grey: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    """Sobel's vertical edges of a grey picture, one pixel wide.

    Squared slopes of over 4 times their mean, largest among their neighbours in the row, where the
    brightness rises along the row, give or take `SLANT`; none in the picture's outermost pixels.
    """
    slope = np.square(cv2.Sobel(grey, cv2.CV_64F, 1, 0))
    left, right = np.zeros_like(slope), np.zeros_like(slope)
    left[:, 1:], right[:, :-1] = slope[:, :-1], slope[:, 1:]
    down, along = np.abs(np.gradient(grey.astype(np.float64)))
    upright = down <= math.tan(math.radians(SLANT)) * along
    upright[[0, -1]] = upright[:, [0, -1]] = False
    return np.asarray((slope > 4 * slope.mean()) & (slope > left) & (slope >= right) & upright)


def measure_widths(grey: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """Width (px) of the edge at every pixel: how far brightness goes on rising, or falling."""
    steps = np.diff(grey.astype(np.int16), axis=1)
    rises = np.gradient(grey.astype(np.float64), axis=1) > 0
    return np.where(rises, _measure_runs(steps > 0), _measure_runs(steps < 0))


def _measure_runs(steps: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """(height, width) steps of one kind in a row around each pixel, from steps between pixels."""
    height, width = steps.shape[0], steps.shape[1] + 1
    before, behind = np.zeros((height, width), np.int64), np.zeros((height, width), np.int64)
    for x in range(1, width):
        before[:, x] = (before[:, x - 1] + 1) * steps[:, x - 1]
        behind[:, -1 - x] = (behind[:, -x] + 1) * steps[:, -x]
    return before + behind
