"""Loops over pixels that numba compiles when first called, and keeps on disk.

Legend: H, W height and width of a picture, C its channels.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np

_Function = TypeVar("_Function", bound=Callable[..., Any])


def _compiled(function: _Function) -> _Function:
    """Divisions by zero are not looked for, so that processors run loops over rows in parallel."""
    return cast(_Function, numba.njit(cache=True, nogil=True, error_model="numpy")(function))


@_compiled
def average_similarity(
    pred: Any, target: Any, channels: int, weights: Any, sample: float, c1: float, c2: float
) -> float:
    """Mean SSIM over the channels and all windows that lie inside; sums in float64.

    Args:
        pred: (H, W·C) uint8.
        target: likewise.
        channels: C.
        weights: (w,) float64 of a window's rows and columns: w is odd, first and last are equal
            and so on, and they add up to 1.
        sample: factor from population to sample covariances.
        c1: constant of the luminance.
        c2: constant of the contrast and structure.
    """
    height, width = pred.shape
    side = len(weights)
    across, down = width - (side - 1) * channels, height - side + 1
    products = np.empty((4, side, width))  # x, y, x² + y², xy of the window's rows
    column = np.empty(width)
    means = np.empty((4, across))
    sums = np.zeros(across)
    for i in range(height):
        _multiply(pred[i], target[i], i % side, products)
        if i < side - 1:
            continue
        for p in range(4):
            _fold(products[p], i + 1, weights, column)
            _fold_along(column, channels, weights, means[p])
        _add_similarity(means, sample, c1, c2, sums)
    mean: float = sums.sum() / (down * across)
    return mean


@_compiled
def _multiply(x_row: Any, y_row: Any, at: int, products: Any) -> None:
    for j in range(len(x_row)):
        x, y = float(x_row[j]), float(y_row[j])
        products[0, at, j], products[1, at, j] = x, y
        products[2, at, j], products[3, at, j] = x * x + y * y, x * y


@_compiled
def _fold(rows: Any, first: int, weights: Any, out: Any) -> None:
    """Weighted sum of the w rows of a ring, whose first is `first` mod w."""
    side = len(weights)
    _set(rows[(first + side // 2) % side], weights[side // 2], out)
    for k in range(side // 2):
        _add(rows[(first + k) % side], rows[(first - 1 - k) % side], weights[k], out)


@_compiled
def _fold_along(row: Any, step: int, weights: Any, out: Any) -> None:
    """Weighted sum of w neighbours of a row that are `step` apart."""
    side, width = len(weights), len(out)
    middle = side // 2 * step
    _set(row[middle : middle + width], weights[side // 2], out)
    for k in range(side // 2):
        low, high = k * step, (side - 1 - k) * step
        _add(row[low : low + width], row[high : high + width], weights[k], out)


@_compiled
def _set(row: Any, weight: float, out: Any) -> None:
    for j in range(len(out)):
        out[j] = weight * row[j]


@_compiled
def _add(one: Any, other: Any, weight: float, out: Any) -> None:
    for j in range(len(out)):
        out[j] += weight * (one[j] + other[j])


@_compiled
def _add_similarity(means: Any, sample: float, c1: float, c2: float, sums: Any) -> None:
    for j in range(len(sums)):
        mx, my = means[0, j], means[1, j]
        both, cross = mx * mx + my * my, mx * my
        covariance, variances = sample * (means[3, j] - cross), sample * (means[2, j] - both)
        alike = (2 * cross + c1) * (2 * covariance + c2)
        sums[j] += alike / ((both + c1) * (variances + c2))


@_compiled
def measure_widths(grey: Any, slopes: Any, tangent: float, widths: Any) -> None:
    """Widths of edges along the row, see `zoo.metrics.sharpness`.

    Args:
        grey: (H, W) uint8.
        slopes: (H, W) bool, pixels to measure; none of the outermost.
        tangent: of the greatest angle to the row at which brightness may rise.
        widths: (H, W) int32, zeros; filled with px where something is measured.
    """
    height, width = grey.shape
    for i in range(1, height - 1):
        row = grey[i]
        for j in range(1, width - 1):
            if not slopes[i, j]:
                continue
            along = np.int64(row[j + 1]) - np.int64(row[j - 1])
            down = np.int64(grey[i + 1, j]) - np.int64(grey[i - 1, j])
            if along != 0 and abs(down) > tangent * abs(along):
                continue
            first, last = j - 1, j + 1
            if along < 0:
                while first > 0 and row[first] < row[first - 1]:
                    first -= 1
                while last < width - 1 and row[last + 1] < row[last]:
                    last += 1
            else:
                while first > 0 and row[first] > row[first - 1]:
                    first -= 1
                while last < width - 1 and row[last + 1] > row[last]:
                    last += 1
            widths[i, j] = last - first
