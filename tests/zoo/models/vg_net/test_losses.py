"""The losses, beside values by hand."""

import math

import pytest
import torch

from zoo.models.vg_net.losses import (
    adversarial_loss,
    discriminator_loss,
    landmark_loss,
    pixel_loss,
)


def test_pixels_count_by_alpha_and_a_half() -> None:
    """(0.2 · 0.5 + 0.4 · 1.5) / 2 = 0.35; without the dynamic weight (0.2 + 0.4) / 2 = 0.3."""
    pred = torch.tensor([0.2, 0.6]).reshape(1, 1, 1, 1, 2)
    target = torch.tensor([0.0, 1.0]).reshape(1, 1, 1, 1, 2)
    alpha = torch.tensor([0.0, 1.0]).reshape(1, 1, 1, 1, 2)
    assert pixel_loss(pred, target, alpha).item() == pytest.approx(0.35)
    assert pixel_loss(pred, target).item() == pytest.approx(0.3)


def test_no_gradient_goes_through_the_weight_of_pixels() -> None:
    """An α that could lower its own weight would be 0 everywhere."""
    alpha = torch.full((1, 1, 1, 1, 2), 0.5, requires_grad=True)
    pred = torch.zeros(1, 1, 3, 1, 2, requires_grad=True)
    pixel_loss(pred, torch.ones(1, 1, 3, 1, 2), alpha).backward()
    assert alpha.grad is None
    assert pred.grad is not None


def test_the_mouths_heights_count_ten_thousandfold() -> None:
    """One residual of 0.1 among 136: 0.01 / 136, or of the mouth's y 100 / 136."""
    found = []
    for number in range(136):
        pred = torch.zeros(1, 1, 136)
        pred[0, 0, number] = 0.1
        found.append(landmark_loss(pred, torch.zeros(1, 1, 136)).item())
    heights = {2 * point + 1 for point in range(48, 68)}
    expected = [(100 if number in heights else 0.01) / 136 for number in range(136)]
    assert found == pytest.approx(expected, rel=1e-4)


def test_cross_entropies() -> None:
    """Logit log 3 is 3/4 real: −0.9 log 3/4 − 0.1 log 1/4, and −log(1 − 3/4)."""
    logits = torch.full((2,), math.log(3))
    assert adversarial_loss(logits).item() == pytest.approx(math.log(4 / 3))
    real = -0.9 * math.log(3 / 4) - 0.1 * math.log(1 / 4)
    loss = discriminator_loss(logits, logits, 0.1)
    assert loss.item() == pytest.approx(real + math.log(4))


def test_a_sure_discriminator_pays_for_its_sureness() -> None:
    """Smoothed on the side of real frames alone: its loss is least at 9/10 real, 0 drawn."""
    never = torch.tensor([-40.0])
    losses = [discriminator_loss(torch.tensor([x]), never, 0.1).item() for x in (1, math.log(9), 9)]
    assert losses[1] == min(losses)
    assert losses[1] == pytest.approx(0.3250830)  # −0.9 log 0.9 − 0.1 log 0.1


def test_a_generator_that_is_not_believed_is_pulled_most() -> None:
    """Where D is sure, the generator's loss does not saturate: its slope is 1, not 0."""
    logits = torch.tensor([-20.0], requires_grad=True)
    adversarial_loss(logits).backward()
    assert logits.grad is not None
    assert logits.grad.item() == pytest.approx(-1, abs=1e-6)
