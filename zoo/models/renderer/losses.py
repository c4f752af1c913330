"""The rendering-to-video network's losses, eq. 10 of FACIAL (Zhang et al., ICCV 2021).

Mouth and eyes count a second time, by themselves; that is this project's.
Legend: B batch, H the side of a picture.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from zoo.models.renderer.networks import Features


@dataclass(frozen=True, kw_only=True)
class LossWeights:
    """λ1 to λ3 of eq. 10; the adversarial term has weight 1. The others are this project's.

    Attributes:
        feature_matching, perceptual, l1: of eq. 10.
        alpha: of the alpha's cross-entropy.
        patches: of eq. 10 without its perceptual term, for the mouth's patch and for the eyes'.
            Where a head is as large as in crops of its own, a pixel of them then counts about
            25 times in L1.
    """

    feature_matching: float = 2.0
    perceptual: float = 10.0
    l1: float = 50.0
    alpha: float = 10.0
    patches: float = 1.0

    def sum(self, terms: Mapping[str, Tensor]) -> Tensor:
        """Eq. 10 of its terms `adversarial`, `feature_matching`, `perceptual` and `l1`.

        A term `alpha`, and terms `adversarial mouth` and the like, come on top where there are
        some.
        """
        total = self._weigh(terms) + self.perceptual * terms["perceptual"]
        if "alpha" in terms:
            total = total + self.alpha * terms["alpha"]
        for patch in sorted({name.partition(" ")[2] for name in terms} - {""}):
            total = total + self.patches * self._weigh(terms, f" {patch}")
        return total

    def _weigh(self, terms: Mapping[str, Tensor], of: str = "") -> Tensor:
        """What a discriminator and L1 say of a picture."""
        return (
            terms[f"adversarial{of}"]
            + self.feature_matching * terms[f"feature_matching{of}"]
            + self.l1 * terms[f"l1{of}"]
        )


def alpha_loss(logits: Tensor, matte: Tensor, inside: Tensor | None) -> Tensor:
    """Binary cross-entropy of an alpha, mean over the pixels that are picture.

    Args:
        logits: (B, 1, H, H).
        matte: (B, 1, H, H) float32, 0 to 1.
        inside: (B, 1, H, H) bool, where there is picture; None: everywhere.
    """
    losses = functional.binary_cross_entropy_with_logits(logits.float(), matte, reduction="none")
    if inside is None:
        return losses.mean()
    return losses[inside].sum() / inside.sum().clamp(min=1)


def discriminator_loss(real: Features, pred: Features) -> Tensor:
    """Least squares (Mao et al., ICCV 2017), halved; summed over the scales."""
    terms = [
        ((r[-1].float() - 1) ** 2).mean() + (g[-1].float() ** 2).mean()
        for r, g in zip(real, pred, strict=True)
    ]
    return torch.stack(terms).sum() / 2


def adversarial_loss(pred: Features) -> Tensor:
    """Least squares of the generator: logits should be 1; summed over the scales."""
    return torch.stack([((g[-1].float() - 1) ** 2).mean() for g in pred]).sum()


def feature_matching_loss(pred: Features, target: Features, *, mean: bool = False) -> Tensor:
    """L1 between the discriminators' features of both pictures, summed over layers and scales.

    pix2pixHD (Wang et al., CVPR 2018), eq. 4. The logits are no features; no gradient
    reaches `target`. With `mean` the mean over scales, as FACIAL's released code has it.
    """
    terms = [
        (p.float() - t.detach().float()).abs().mean()
        for pred_layers, target_layers in zip(pred, target, strict=True)
        for p, t in zip(pred_layers[:-1], target_layers[:-1], strict=True)
    ]
    return torch.stack(terms).sum() / (len(target) if mean else 1)
