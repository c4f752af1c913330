"""Eq. 6 of Das et al. against loops and hand calculation; the range of displacements."""

import math

import pytest
import torch

from zoo.models.blink_gan.losses import (
    WIDTHS,
    choose_sigma,
    measure_mmd,
    measure_range_error,
)


def kernel(x: torch.Tensor, y: torch.Tensor, sigma: float) -> float:
    """As printed, over 2σ, at each width."""
    square = float((x - y).square().sum())
    return sum(math.exp(-square / (2 * width * sigma)) for width in WIDTHS) / len(WIDTHS)


def measure_by_loops(real: torch.Tensor, generated: torch.Tensor, sigma: float) -> float:
    """Means over pairs of different windows, and over all pairs of one and the other."""
    within = 0.0
    for windows in (real, generated):
        pairs = [(i, j) for i in range(len(windows)) for j in range(len(windows)) if i != j]
        within += sum(kernel(windows[i], windows[j], sigma) for i, j in pairs) / len(pairs)
    both = [kernel(x, y, sigma) for x in real for y in generated]
    return within - 2 * sum(both) / len(both)


def test_the_discrepancy_is_that_of_a_loop_over_pairs() -> None:
    torch.manual_seed(0)
    real, generated = torch.randn(5, 7, 4), 0.5 + torch.randn(3, 7, 4)
    expected = measure_by_loops(real, generated, 9.0)
    assert float(measure_mmd(real, generated, 9.0)) == pytest.approx(expected, abs=1e-6)


def test_the_kernel_is_over_sigma_and_not_its_square() -> None:
    """Both windows of the data at 0, both generated ones at 2, σ = 2: e^(−4/4) at width 1."""
    far = sum(math.exp(-4 / (4 * width)) for width in (0.25, 1, 4)) / 3
    measured = measure_mmd(torch.zeros(2, 1), torch.full((2, 1), 2.0), 2.0)
    assert float(measured) == pytest.approx(1 + 1 - 2 * far, abs=1e-6)


def test_windows_of_one_distribution_have_no_discrepancy_on_average() -> None:
    """The estimate has no bias: with the pairs of a window with itself it would be 2 / 8 more."""
    torch.manual_seed(0)
    measured = [float(measure_mmd(torch.randn(8, 3), torch.randn(8, 3), 3.0)) for _ in range(200)]
    assert abs(sum(measured) / 200) < 0.03
    assert min(measured) < 0


def test_its_gradient_leads_to_the_data() -> None:
    """Also where two windows are the same."""
    real = torch.tensor([[0.0, 0.0], [0.2, 0.0], [0.0, 0.2]])
    generated = torch.ones(2, 2, requires_grad=True)
    (slope,) = torch.autograd.grad(measure_mmd(real, generated, 1.0), generated)
    assert torch.isfinite(slope).all()
    assert (slope > 0).all()  # downhill is towards 0


def test_sigma_is_the_median_of_squared_distances() -> None:
    """Of 0, 1 and 3 they are 1, 4 and 9."""
    assert choose_sigma(torch.tensor([[0.0], [1.0], [3.0]])) == pytest.approx(4.0)


def test_ranges_are_averaged_over_windows_before_they_are_compared() -> None:
    """One window that reaches from 0 to 2 and a still one have 0 to 1 on average."""
    windows = torch.tensor([[[0.0], [2.0], [1.0]], [[0.0], [0.0], [0.0]]], requires_grad=True)
    low, high = torch.tensor([0.0]), torch.tensor([1.0])
    assert measure_range_error(windows, low, high).item() == 0.0
    error = measure_range_error(windows, low - 0.5, high + 0.25)
    assert error.item() == pytest.approx(0.75)
    error.backward()  # type: ignore[no-untyped-call]
    assert windows.grad is not None
    assert windows.grad[0, 1, 0] == pytest.approx(-0.5)  # the greatest of one of two windows
