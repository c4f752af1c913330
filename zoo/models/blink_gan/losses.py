"""What the blink generator is trained with: eq. 6 of Das et al. and the range of the displacements.

Legend: B windows, T frames of a window, D = T × 44 numbers of a window, 44 = 22 points × (x, y).
"""

from collections.abc import Sequence

import torch
from torch import Tensor

WIDTHS = (0.25, 1.0, 4.0)
"""Of the kernels whose mean is taken, over the median heuristic."""


def measure_mmd(real: Tensor, generated: Tensor, sigma: float | Tensor) -> Tensor:
    """Maximum mean discrepancy (eq. 6), squared, of windows (B, D) or (B, T, 44), and (C, …).

    The kernel is the mean of exp(−|x − y|² / 2·w·σ) over `WIDTHS` w: over σ as printed, and not
    over σ². X and X' are different windows, so that the estimate is without bias, and may be a
    little below 0.

    Args:
        real: windows of the data, two or more.
        generated: as many or not, two or more.
        sigma: see `choose_sigma`.
    """
    x, y = real.flatten(1), generated.flatten(1)
    within = _average_different(_kernel(x, x, sigma)) + _average_different(_kernel(y, y, sigma))
    return within - 2 * _kernel(x, y, sigma).mean()


def choose_sigma(real: Tensor) -> float:
    """σ by the median heuristic: the median squared distance of different windows (B, …)."""
    x = real.flatten(1).double()
    rows, columns = torch.triu_indices(len(x), len(x), 1)
    return float(_square_distances(x, x)[rows, columns].median())


def measure_range_error(generated: Tensor, low: Tensor, high: Tensor) -> Tensor:
    """How far the range of windows (B, T, 44) is from that of the data, (44,) each: a mean of L1.

    The paper matches "the average range": of each coordinate the extremes over a window's time are
    averaged over the batch, and then compared. A window for itself need not have a blink.
    """
    lowest, highest = generated.amin(dim=1).mean(dim=0), generated.amax(dim=1).mean(dim=0)
    return ((lowest - low).abs() + (highest - high).abs()).mean()


def _kernel(x: Tensor, y: Tensor, sigma: float | Tensor) -> Tensor:
    """(B, C)."""
    squares = _square_distances(x, y)
    kernels: Sequence[Tensor] = [torch.exp(-squares / (2 * width * sigma)) for width in WIDTHS]
    return torch.stack([*kernels]).mean(dim=0)


def _square_distances(x: Tensor, y: Tensor) -> Tensor:
    """(B, C) by the product, whose gradient is finite where two are the same."""
    squares = x.square().sum(1)[:, None] + y.square().sum(1)
    return (squares - 2 * x @ y.T).clamp(min=0)


def _average_different(kernel: Tensor) -> Tensor:
    """Mean of (B, B) without its diagonal."""
    size = len(kernel)
    return (kernel.sum() - kernel.diagonal().sum()) / (size * (size - 1))
