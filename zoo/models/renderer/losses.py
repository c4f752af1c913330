"""The rendering-to-video network's losses, eq. 10 of FACIAL (Zhang et al., ICCV 2021).

Legend: B batch, H the side of a picture.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from zoo.models.renderer.networks import Features


@dataclass(frozen=True, kw_only=True)
class LossWeights:
    """λ1 to λ3 of eq. 10; the adversarial term has weight 1."""

    feature_matching: float = 2.0
    perceptual: float = 10.0
    l1: float = 50.0

    def sum(self, terms: Mapping[str, Tensor]) -> Tensor:
        """Eq. 10 of its terms `adversarial`, `feature_matching`, `perceptual` and `l1`."""
        return (
            terms["adversarial"]
            + self.feature_matching * terms["feature_matching"]
            + self.perceptual * terms["perceptual"]
            + self.l1 * terms["l1"]
        )


def discriminate(real: Features, generated: Features) -> Tensor:
    """Least squares (Mao et al., ICCV 2017), halved; summed over the scales."""
    terms = [
        ((r[-1].float() - 1) ** 2).mean() + (g[-1].float() ** 2).mean()
        for r, g in zip(real, generated, strict=True)
    ]
    return torch.stack(terms).sum() / 2


def deceive(generated: Features) -> Tensor:
    """Least squares of the generator: logits should be 1; summed over the scales."""
    return torch.stack([((g[-1].float() - 1) ** 2).mean() for g in generated]).sum()


def match_features(real: Features, generated: Features, *, mean: bool = False) -> Tensor:
    """L1 between the discriminators' features of both pictures, summed over layers and scales.

    pix2pixHD (Wang et al., CVPR 2018), eq. 4. The logits are no features; nothing flows to `real`.
    With `mean` the mean over scales, as in the code that the FACIAL authors released.
    """
    terms = [
        (g.float() - r.detach().float()).abs().mean()
        for ours, theirs in zip(generated, real, strict=True)
        for g, r in zip(ours[:-1], theirs[:-1], strict=True)
    ]
    return torch.stack(terms).sum() / (len(real) if mean else 1)
