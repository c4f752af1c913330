"""What FACIAL-GAN is trained for: eqs. 4–8 of the paper, as printed.

Legend: B batch, T frames, 71 = expression 64, pose 6, AU45 1 (`MOTION_LAYOUT`).
Norms are sums over frames and dimensions, averaged over the batch; the whole of eq. 8 is divided
once by 71·T, so that its terms keep their ratios and its size does not depend on T. The paper does
not say in which units: here expression is over one scale, pose over its deviation, AU45 0 to 5.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch.nn import functional

from zoo.data.layout import AU45, EXPRESSION, MOTION_SIZE, POSE
from zoo.models.facial.presets import PAPER_WEIGHTS, LossWeights

__all__ = [
    "PAPER_WEIGHTS",
    "LossWeights",
    "Objective",
    "Terms",
    "adversarial_loss",
    "discriminator_loss",
    "gradient_ratio",
    "make_paper_objective",
    "output_gradients",
    "regression_loss",
    "take_own",
]

Terms = dict[str, torch.Tensor]

ATTRIBUTES = {"expression": EXPRESSION, "pose": POSE, "eye": AU45}


@dataclass(frozen=True)
class Objective:
    """The losses of a preset.

    Attributes:
        regression: generated and real (B, T, 71) motion, and `mask`, that of their `MotionBatch`
            -> weighted terms, whose sum counts.
        adversarial: logits of generated motion and T -> the generator's weighted loss.
        discriminator: logits of real and of generated motion -> the discriminator's loss.
        uses_gan: False where the adversarial term has no weight, so that it need not be computed.
    """

    regression: Callable[..., Terms]
    adversarial: Callable[[torch.Tensor, float], torch.Tensor]
    discriminator: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    uses_gan: bool


def make_paper_objective(weights: LossWeights = PAPER_WEIGHTS) -> Objective:
    """Eqs. 4–8 with these weights."""
    return Objective(
        regression=partial(regression_loss, weights=weights),
        adversarial=partial(adversarial_loss, weights=weights),
        discriminator=discriminator_loss,
        uses_gan=weights.gan > 0,
    )


def regression_loss(
    pred: torch.Tensor,
    target: torch.Tensor,
    weights: LossWeights,
    mask: torch.Tensor | None = None,
) -> Terms:
    """Eqs. 4–6, term by term: their sum is L_Reg / (71·T).

    Args:
        pred: (B, T, 71) generated motion.
        target: (B, T, 71) real motion, whose first frame is the initial state.
        weights: ω1 to ω5.
        mask: as in `MotionBatch`; T is then the mean number of a window's own frames.

    Returns:
        scalars, weighted: V as `expression`, `pose` and `eye`, U as `expression_motion`,
        `pose_motion` and `eye_motion`, and `state`.
    """
    error = pred.float() - target.float()
    squares = take_own(error, mask).square()
    step_squares = take_own(error.diff(dim=1), mask).square()
    scale = 1 / squares.numel()
    terms = {}
    for name, columns in ATTRIBUTES.items():
        weight = scale * getattr(weights, name)
        terms[name] = weight * squares[..., columns].sum()
        terms[f"{name}_motion"] = weight * weights.motion * step_squares[..., columns].sum()
    terms["state"] = scale * weights.state * error[:, 0].abs().sum()
    return terms


def take_own(values: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    """Of (B, T, ...) frames or (B, T - 1, ...) steps between them those that are clips' own.

    With a mask, as in `MotionBatch`, those of all windows lie on one axis: (n, ...).
    """
    return values if mask is None else values[mask[:, -values.shape[1] :]]


def adversarial_loss(logits: torch.Tensor, num_frames: float, weights: LossWeights) -> torch.Tensor:
    """ω6 · L_F-GAN / (71·T) of the generator, non-saturating: −log D of generated motion.

    Eq. 7 prints log(1 − D), whose gradient vanishes where the discriminator is sure; Goodfellow
    et al. (2014, section 3) train with −log D instead.
    """
    loss = _cross_entropy(logits, is_real=True)
    return loss * (weights.gan / (MOTION_SIZE * num_frames))


def discriminator_loss(real: torch.Tensor, generated: torch.Tensor) -> torch.Tensor:
    """Eq. 7 as the discriminator minimises it: −log D(real) − log(1 − D(generated)), on logits.

    Averaged over batch and patches. Neither weighted nor divided: it is alone in its step.
    """
    return _cross_entropy(real, is_real=True) + _cross_entropy(generated, is_real=False)


def output_gradients(pred: torch.Tensor, *losses: torch.Tensor) -> tuple[torch.Tensor, ...]:
    """One gradient per loss at the generator's output.

    `pred.backward(sum of them)` then goes on through the generator, so that knowing them apart
    costs nothing.
    """
    return tuple(torch.autograd.grad(loss, pred)[0] for loss in losses)


def gradient_ratio(adversarial: torch.Tensor, regression: torch.Tensor) -> torch.Tensor:
    """Norm of the adversarial over that of the regression gradient at the generator's output.

    Under 0.01 the discriminator hardly has a say.
    """
    ratio: torch.Tensor = adversarial.norm() / regression.norm()
    return ratio


def _cross_entropy(logits: torch.Tensor, *, is_real: bool) -> torch.Tensor:
    logits = logits.float()
    target = torch.ones_like(logits) if is_real else torch.zeros_like(logits)
    return functional.binary_cross_entropy_with_logits(logits, target)
