"""Loops over pixels that numba compiles when first called, and keeps on disk.

Legend: H, W height and width of a picture, C its channels.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np

_Function = TypeVar("_Function", bound=Callable[..., Any])


def _compiled(function: _Function) -> _Function:
    return cast(_Function, numba.njit(cache=True, nogil=True)(function))


@_compiled
def average_similarity(
    pred: Any, target: Any, channels: int, weights: Any, sample: float, c1: float, c2: float
) -> float:
    """Mean SSIM over the channels and all windows that lie inside; sums in float64.

    Args:
        pred: (H, W·C) uint8.
        target: likewise.
        channels: C.
        weights: (w,) float64 of a window's rows and columns, which add up to 1.
        sample: factor from population to sample covariances.
        c1: constant of the luminance.
        c2: constant of the contrast and structure.
    """
    height, width = pred.shape
    side = len(weights)
    across, down = width - (side - 1) * channels, height - side + 1
    rows = np.empty((4, width))  # of x, y, x² + y², xy: means over the rows of a window
    total = 0.0
    for i in range(down):
        rows[:] = 0.0
        for k in range(side):
            weight = weights[k]
            for j in range(width):
                x, y = float(pred[i + k, j]), float(target[i + k, j])
                rows[0, j] += weight * x
                rows[1, j] += weight * y
                rows[2, j] += weight * (x * x + y * y)
                rows[3, j] += weight * (x * y)
        for j in range(across):
            mx = my = squares = product = 0.0
            for k in range(side):
                weight, at = weights[k], j + k * channels
                mx += weight * rows[0, at]
                my += weight * rows[1, at]
                squares += weight * rows[2, at]
                product += weight * rows[3, at]
            both, cross = mx * mx + my * my, mx * my
            luminance = (2 * cross + c1) / (both + c1)
            covariance, variances = sample * (product - cross), sample * (squares - both)
            total += luminance * (2 * covariance + c2) / (variances + c2)
    mean: float = total / (down * across)
    return mean


@_compiled
def measure_widths(grey: Any, slopes: Any, tangent: float, widths: Any) -> None:
    """Widths of edges along the row, see `zoo.metrics.sharpness`.

    Args:
        grey: (H, W) int64.
        slopes: (H, W) bool, pixels to measure; none of the outermost.
        tangent: of the greatest angle to the row at which brightness may rise.
        widths: (H, W) int64, filled with px; 0 where nothing is measured.
    """
    height, width = grey.shape
    widths[:] = 0
    for i in range(1, height - 1):
        for j in range(1, width - 1):
            if not slopes[i, j]:
                continue
            along = grey[i, j + 1] - grey[i, j - 1]
            down = grey[i + 1, j] - grey[i - 1, j]
            if along != 0 and abs(down) > tangent * abs(along):
                continue
            sign = -1 if along < 0 else 1
            first, last = j - 1, j + 1
            while first > 0 and sign * (grey[i, first] - grey[i, first - 1]) > 0:
                first -= 1
            while last < width - 1 and sign * (grey[i, last + 1] - grey[i, last]) > 0:
                last += 1
            widths[i, j] = last - first
