"""Each loss term against numbers worked out by hand."""

import math

import pytest
import torch
from torch import nn

from zoo.models.facial import official
from zoo.models.facial.losses import (
    LossWeights,
    adversarial_loss,
    discriminator_loss,
    gradient_ratio,
    make_paper_objective,
    output_gradients,
    regression_loss,
)
from zoo.models.facial.model import create_facial_gan

LN2 = math.log(2)
SURE, UNSURE = math.log(1 + math.exp(-1)), math.log(1 + math.exp(1))
"""Cross-entropy of a logit of 1 where the truth is 1, and where it is 0."""


def make_pair() -> tuple[torch.Tensor, torch.Tensor]:
    """Generated and real motion of two frames.

    Real less generated: one component of the expression 1, then 3; one of pose 0, then 2; AU45
    −1, then 0. Sums of squares: frames 10, 4, 1; steps 4, 4, 1. First frame, absolute: 1, 0, 1.
    """
    found = torch.randn(1, 2, 71, generator=torch.Generator().manual_seed(0))
    error = torch.zeros(1, 2, 71)
    error[0, :, 10] = torch.tensor([1.0, 3.0])
    error[0, :, 66] = torch.tensor([0.0, 2.0])
    error[0, :, 70] = torch.tensor([-1.0, 0.0])
    return found, found + error


PAPER = {
    "expression": 2 * 10,
    "expression_motion": 2 * 10 * 4,
    "pose": 1 * 4,
    "pose_motion": 1 * 10 * 4,
    "eye": 5 * 1,
    "eye_motion": 5 * 10 * 1,
    "state": 10 * (1 + 0 + 1),
}
"""ω times the sums above, before the division by 71·2."""

OFFICIAL = {
    "expression": 20 * 10 / (2 * 64),
    "expression_motion": 200 * 4 / 64,
    "pose": 1 * 4 / (2 * 6),
    "pose_motion": 10 * 4 / 6,
    "eye": 0.5 * 1 / 2,
    "eye_motion": 1 * 1 / 1,
    "state": 10 * (0 / 6 + 1 / 1 + (1 + 1) / 65),
}
"""Weights of the released code times means; the first frame's AU45 counts twice."""


def test_every_term_of_the_paper_is_what_the_hand_makes_it() -> None:
    """Eqs. 4–6 over 71·T."""
    terms = regression_loss(*make_pair(), LossWeights())
    assert {name: term.item() for name, term in terms.items()} == {
        name: pytest.approx(value / 142, rel=1e-5) for name, value in PAPER.items()
    }


def test_every_term_of_the_released_code_is_what_the_hand_makes_it() -> None:
    """Means."""
    terms = official.regression_loss(*make_pair())
    assert {name: term.item() for name, term in terms.items()} == {
        name: pytest.approx(value, rel=1e-5) for name, value in OFFICIAL.items()
    }


@pytest.mark.parametrize("preset", ["paper", "official"])
def test_losses_are_averaged_over_the_batch(preset: str) -> None:
    """A second pair without error halves every term."""
    objective = create_facial_gan(preset).objective
    found, wanted = make_pair()
    one = objective.regression(found, wanted)
    two = objective.regression(torch.cat([found, found]), torch.cat([wanted, found]))
    for name, term in one.items():
        assert two[name].item() == pytest.approx(term.item() / 2, rel=1e-5), name


def test_weights_scale_their_own_terms_alone() -> None:
    """ω5 scales the steps of all three attributes."""
    plain = regression_loss(*make_pair(), LossWeights())
    for name, scaled in {
        "expression": {"expression", "expression_motion"},
        "pose": {"pose", "pose_motion"},
        "eye": {"eye", "eye_motion"},
        "state": {"state"},
        "motion": {"expression_motion", "pose_motion", "eye_motion"},
    }.items():
        weights = LossWeights(**{name: 3 * getattr(LossWeights(), name)})
        terms = regression_loss(*make_pair(), weights)
        grown = {key for key in terms if terms[key] > 2.9 * plain[key]}
        same = {key for key in terms if torch.isclose(terms[key], plain[key])}
        assert (grown, same) == (scaled, plain.keys() - scaled), name


def test_the_default_weights_are_those_of_section_5_1() -> None:
    """ω1 to ω6 in order."""
    weights = LossWeights()
    found = [weights.expression, weights.pose, weights.eye]
    assert [*found, weights.state, weights.motion, weights.gan] == [2, 1, 5, 10, 10, 0.1]


@pytest.mark.parametrize("num_frames", [32, 128])
def test_the_adversarial_loss_is_divided_like_the_rest(num_frames: int) -> None:
    """ω6 · mean of −log D over 71·T: a logit of 0 costs ln 2, one of 1 less."""
    found = adversarial_loss(torch.tensor([[0.0, 1.0]]), num_frames, LossWeights())
    wanted = 0.1 * (LN2 + SURE) / 2 / (71 * num_frames)
    assert found.item() == pytest.approx(wanted, rel=1e-5)


def test_a_sure_discriminator_still_moves_the_generator() -> None:
    """Non-saturating: at a logit of −20 the gradient is −1, where log(1 − D) would give −2e-9."""
    logits = torch.tensor([-20.0], requires_grad=True)
    (adversarial_loss(logits, 1, LossWeights()) * 71 / 0.1).backward()
    assert logits.grad is not None
    assert logits.grad.item() == pytest.approx(-1, abs=1e-4)


def test_the_discriminator_learns_to_tell_real_from_generated() -> None:
    """Cross-entropy: right costs less than wrong."""
    one = torch.ones(1, 1, 2, 3)
    assert discriminator_loss(one, one).item() == pytest.approx(SURE + UNSURE, rel=1e-5)
    assert discriminator_loss(one, -one).item() == pytest.approx(2 * SURE, rel=1e-5)
    assert discriminator_loss(-one, one).item() == pytest.approx(2 * UNSURE, rel=1e-5)


def test_the_released_code_uses_least_squares() -> None:
    """Real at 0.5: 0.25; generated at 0.5 and −1: mean of 0.25 and 1; deceived: 0.25 and 4."""
    real, generated = torch.tensor([0.5, 0.5]), torch.tensor([0.5, -1.0])
    loss = official.discriminator_loss(real, generated)
    assert loss.item() == pytest.approx(0.25 + 1.25 / 2)
    assert official.adversarial_loss(generated).item() == pytest.approx(0.1 * 4.25 / 2)


def test_presets_have_their_own_objectives() -> None:
    """The small preset has the paper's."""
    logits = torch.tensor([0.5])
    official_loss, paper_loss, small_loss = (
        create_facial_gan(preset).objective.adversarial(logits, 128).item()
        for preset in ("official", "paper", "small")
    )
    assert official_loss == pytest.approx(0.1 * 0.25)
    assert small_loss == paper_loss < 1e-4


def test_without_weight_the_adversarial_term_is_known_to_be_unused() -> None:
    """The ablation without the GAN."""
    assert make_paper_objective().uses_gan
    assert not make_paper_objective(LossWeights(gan=0)).uses_gan


def test_terms_of_half_precision_are_added_in_single() -> None:
    """Sums of 9,088 squares would lose their small ones in bfloat16."""
    found, wanted = (motion.bfloat16() for motion in make_pair())
    assert {term.dtype for term in regression_loss(found, wanted, LossWeights()).values()} == {
        torch.float32
    }


def test_the_gradient_ratio_is_that_of_norms_at_the_output() -> None:
    """3 and 4 against 0 and 10: 5 over 10."""
    found = torch.zeros(2, requires_grad=True)
    adversarial, regression = found @ torch.tensor([3.0, 4.0]), 10 * found[1]
    grads = output_gradients(found, adversarial, regression)
    assert gradient_ratio(*grads).item() == pytest.approx(0.5)
    assert grads[1].tolist() == [0, 10]


def test_going_on_from_the_output_gives_the_gradients_of_the_whole_loss() -> None:
    """So knowing the two apart costs nothing."""
    torch.manual_seed(0)
    network, judge = nn.Linear(3, 71), nn.Linear(71, 1)
    audio, wanted = torch.randn(2, 8, 3), torch.randn(2, 8, 71)

    def run() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        found = network(audio)
        terms = regression_loss(found, wanted, LossWeights())
        loss = adversarial_loss(judge(found), 8, LossWeights())
        return found, loss, torch.stack(list(terms.values())).sum()

    _, adversarial, regression = run()
    (adversarial + regression).backward()
    whole = network.weight.grad
    network.weight.grad = None
    found, adversarial, regression = run()
    found.backward(sum(output_gradients(found, adversarial, regression)))
    assert whole is not None
    torch.testing.assert_close(network.weight.grad, whole)
