"""Eqs. 1 to 5 against loops over frames and coordinates, written out."""

import math

import pytest
import torch
from torch import Tensor

from zoo.models.l_gan.losses import (
    STILL,
    TAU,
    adversarial_loss,
    discriminator_loss,
    regression_loss,
)
from zoo.models.l_gan.presets import PAPER_WEIGHTS, LossWeights

B, T = 2, 5


def draw() -> tuple[Tensor, Tensor, Tensor]:
    """Generated and real points, and which frames are measured: not all."""
    torch.manual_seed(0)
    pred, target = 0.02 * torch.randn(B, T, 68, 2), 0.02 * torch.randn(B, T, 68, 2)
    target[:, 1, :30] = target[:, 0, :30] + 0.5 * STILL  # these have no direction
    valid = torch.tensor([[True, True, True, False, True], [True] * 5])
    return pred, target, valid


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def test_the_printed_weights() -> None:
    assert LossWeights(distance=1, regularisation=0.5, direction=0.5, gan=1) == PAPER_WEIGHTS


def test_every_term_is_what_a_loop_gives() -> None:
    pred, target, valid = draw()
    sums: dict[str, list[float]] = {"distance": [], "regularisation": [], "direction": []}
    for b in range(B):
        for t in range(T):
            for point in range(68):
                for axis in range(2):
                    at = (b, t, point, axis)
                    now = (b, t - 1, point, axis)
                    if valid[b, t]:
                        error = 100 * float(pred[at] - target[at])
                        sums["distance"].append(error**2)
                    if t and valid[b, t] and valid[b, t - 1]:
                        step = float(pred[at] - pred[now])
                        real = float(target[at] - target[now])
                        sums["regularisation"].append((100 * step) ** 2)
                        if abs(real) >= STILL:
                            sign = 1.0 if real > 0 else 0.0
                            sums["direction"].append((sigmoid(step / TAU) - sign) ** 2)
    weights = LossWeights(distance=2, regularisation=3, direction=5)
    found = regression_loss(pred, target, valid, weights)
    for name, factor in (("distance", 2), ("regularisation", 3), ("direction", 5)):
        expected = factor * sum(sums[name]) / len(sums[name])
        assert float(found[name]) == pytest.approx(expected, rel=1e-5), name


def test_the_direction_has_a_gradient_towards_the_real_one() -> None:
    """A coordinate that stays while it should rise is pushed up, and down where it should fall."""
    pred = torch.zeros(1, 2, 68, 2, requires_grad=True)
    target = torch.zeros(1, 2, 68, 2)
    target[0, 1, 0, 0], target[0, 1, 1, 0] = 0.05, -0.05
    valid = torch.ones(1, 2, dtype=torch.bool)
    terms = regression_loss(pred, target, valid, LossWeights(distance=0, regularisation=0))
    terms["direction"].backward()
    assert pred.grad is not None
    assert pred.grad[0, 1, 0, 0] < 0 < pred.grad[0, 1, 1, 0]
    assert pred.grad[0, 1, 2:].abs().sum() == 0  # what does not move in truth has none


def test_the_adversarial_losses_are_minus_the_logarithms() -> None:
    real, fake = torch.tensor([[2.0, -1, 3]]), torch.tensor([[0.5, -2, 9]])
    valid = torch.tensor([[True, True, False]])
    of_d = [-math.log(sigmoid(2)), -math.log(sigmoid(-1))]
    of_d += [-math.log(1 - sigmoid(0.5)), -math.log(1 - sigmoid(-2))]
    assert float(discriminator_loss(real, fake, valid)) == pytest.approx(sum(of_d) / 2)
    of_g = [-math.log(sigmoid(0.5)), -math.log(sigmoid(-2))]
    found = adversarial_loss(fake, valid, LossWeights(gan=3))
    assert float(found) == pytest.approx(3 * sum(of_g) / 2)


def test_without_a_measured_frame_nothing_is_learnt_and_nothing_breaks() -> None:
    pred, target, valid = draw()
    found = regression_loss(pred, target, torch.zeros_like(valid), PAPER_WEIGHTS)
    assert {name: float(value) for name, value in found.items()} == {
        "distance": 0,
        "regularisation": 0,
        "direction": 0,
    }
