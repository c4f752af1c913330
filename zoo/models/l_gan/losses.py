"""What l-GAN is trained for: eqs. 1–5 of Das et al. (2020).

The paper does not say in which unit landmarks are. Here a canonical unit is 100 px, as on a face
200 px high, so that its weights set terms of one order beside each other; norms are means over
frames and coordinates. Frames that were not measured do not count.

Legend: B stretches, T consecutive frames of each; points are (B, T, 68, 2) in canonical space.
"""

import torch
from torch import Tensor
from torch.nn import functional

from zoo.models.l_gan.presets import LossWeights

UNIT = 100.0
"""Pixels of a canonical unit."""

TAU = 0.01
"""By how much a coordinate must change from frame to frame for its direction to be clear."""

STILL = 0.003
"""Coordinates that change by less in truth have no direction: measurement moves them as much."""


def regression_loss(
    pred: Tensor, target: Tensor, valid: Tensor, weights: LossWeights
) -> dict[str, Tensor]:
    """Eqs. 1 to 3, weighted.

    Args:
        pred: (B, T, 68, 2) generated.
        target: (B, T, 68, 2) real.
        valid: (B, T) bool, measured; of a change both frames must be.
        weights: λ.

    Returns:
        scalars `distance`, `regularisation` and `direction`, whose sum counts.
    """
    masks = find_counted(target, valid)
    steps, real_steps = pred.diff(dim=1), target.diff(dim=1)
    errors = {
        "distance": (UNIT * (pred - target)).square(),
        "regularisation": (UNIT * steps).square(),
        "direction": direction_error(steps, real_steps),
    }
    return {
        name: getattr(weights, name) * _average(error, masks[name])
        for name, error in errors.items()
    }


def find_counted(target: Tensor, valid: Tensor) -> dict[str, Tensor]:
    """What `regression_loss` takes each term's mean over, by the same names.

    Returns:
        (B, T), (B, T - 1) and (B, T - 1, 68, 2) bool.
    """
    both = valid[:, 1:] & valid[:, :-1]
    moving = both[..., None, None] & (target.diff(dim=1).abs() >= STILL)
    return {"distance": valid, "regularisation": both, "direction": moving}


def direction_error(steps: Tensor, real_steps: Tensor) -> Tensor:
    """Eq. 3 for every coordinate: as printed, 1 or 0 by the sign of a change, it has no gradient.

    So the generated change goes through a sigmoid; the real one stays 1 or 0.
    """
    return (torch.sigmoid(steps / TAU) - (real_steps > 0).to(steps)).square()


def discriminator_loss(real_logits: Tensor, pred_logits: Tensor, valid: Tensor) -> Tensor:
    """Eq. 4 for D_L, by logits (B, T): −log D(real) − log(1 − D(generated))."""
    return _average(functional.softplus(-real_logits), valid) + _average(
        functional.softplus(pred_logits), valid
    )


def adversarial_loss(pred_logits: Tensor, valid: Tensor, weights: LossWeights) -> Tensor:
    """Eq. 4 for G_L, weighted: −log D(generated), which does not saturate."""
    return weights.gan * _average(functional.softplus(-pred_logits), valid)


def _average(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of values where a mask is true, whose missing last axes count whole; 0 for none."""
    while mask.ndim < values.ndim:
        mask = mask[..., None]
    mask = mask.expand_as(values)
    return (values * mask).sum() / mask.sum().clamp(min=1)
