"""What VG-net and its discriminator are trained for (Chen et al., CVPR 2019).

The poster prints the pixel-wise loss; the weights are the released code's.

Legend: B windows, T frames of each, H the side of a picture.
"""

import torch
from torch import Tensor
from torch.nn import functional

from zoo.models.vg_net.presets import NUM_COORDINATES, WEIGHTS

MOUTH_Y = slice(97, NUM_COORDINATES, 2)
"""Of the 136 coordinates: y of points 48 to 67."""


def pixel_loss(pred: Tensor, target: Tensor, alpha: Tensor | None = None) -> Tensor:
    """Mean of |(v − v̂) ⊙ (ᾱ + β)|: no gradient goes through ᾱ.

    Args:
        pred: (B, T, 3, H, H).
        target: the same.
        alpha: (B, T, 1, H, H); None: every pixel counts alike, with weight 1.
    """
    error = (pred.float() - target).abs()
    if alpha is not None:
        error = error * (alpha.detach().float() + WEIGHTS.base)
    return error.mean()


def landmark_loss(pred: Tensor, target: Tensor) -> Tensor:
    """Mean square of residuals, those of the mouth's y multiplied by 100 before.

    Args:
        pred: (B, T, 136).
        target: the same.
    """
    residual = pred.float() - target
    scale = torch.ones(NUM_COORDINATES, device=residual.device)
    scale[MOUTH_Y] = WEIGHTS.mouth
    return (residual * scale).square().mean()


def adversarial_loss(logits: Tensor) -> Tensor:
    """Cross-entropy of the generator: its frames' logits (B,) should be those of real ones."""
    return functional.softplus(-logits.float()).mean()


def discriminator_loss(real: Tensor, pred: Tensor, smoothing: float) -> Tensor:
    """Cross-entropy of logits (B,) of real frames, whose target is 1 − smoothing, and of drawn."""
    target = torch.full_like(real, 1 - smoothing, dtype=torch.float32)
    return (
        functional.binary_cross_entropy_with_logits(real.float(), target)
        + functional.softplus(pred.float()).mean()
    )
