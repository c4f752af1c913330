"""StyleGAN2's residual discriminator, and the losses of both players.

Source: Karras et al., arXiv:1912.04958, sections 3.1 and 4; R1 of Mescheder et al., ICML 2018.
Legend: B batch, C channels of a map, H the side of a picture.
"""

import itertools

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from zoo.stylegan.layers import ConvLayer, EqualLinear, ResBlock

GROUP = 4
"""Pictures over which the spread of features is measured, at most."""


class Discriminator(nn.Module):
    """Logits of pictures: positive, where they look real."""

    def __init__(self, widths: tuple[int, ...], *, packed: int = 1) -> None:
        """Make a network.

        Args:
            widths: channels of the maps of 4, 8, 16 … px, the last those of the picture's side.
            packed: by how many pixels a side these are packed into channels before.
        """
        super().__init__()
        down = widths[::-1]
        self.enter = nn.PixelUnshuffle(packed)
        self.convs = nn.Sequential(
            ConvLayer(3 * packed**2, down[0], 1),
            *(ResBlock(before, width) for before, width in itertools.pairwise(down)),
        )
        self.final_conv = ConvLayer(widths[0] + 1, widths[0], 3)
        self.final_linear = nn.Sequential(
            EqualLinear(widths[0] * 16, widths[0], active=True), EqualLinear(widths[0], 1)
        )

    def forward(self, pictures: Tensor) -> Tensor:
        """(B,) of pictures (B, 3, H, H), −1 to 1."""
        maps = self.convs(self.enter(pictures))
        maps = self.final_conv(torch.cat([maps, measure_spread(maps)], dim=1))
        logits: Tensor = self.final_linear(maps.flatten(1))
        return logits[:, 0]


def measure_spread(maps: Tensor) -> Tensor:
    """(B, 1, h, h): standard deviation of features (B, C, h, h) over pictures of a group, mean.

    The largest group of at most four that divides B.
    """
    size = next(number for number in range(min(GROUP, len(maps)), 0, -1) if len(maps) % number == 0)
    groups = maps.reshape(size, -1, *maps.shape[1:])
    spread = (groups.var(dim=0, unbiased=False) + 1e-8).sqrt().mean(dim=(1, 2, 3))
    return spread.repeat(size)[:, None, None, None].expand(-1, 1, *maps.shape[2:])


def adversarial_loss(logits: Tensor, weights: Tensor | None = None) -> Tensor:
    """The generator's: softplus(−D), of what it made (non-saturating).

    Args:
        logits: (B,).
        weights: (B,) of mean 1; None: all count alike.
    """
    return _average(softplus(-logits), weights)


def discriminator_loss(real: Tensor, pred: Tensor, weights: Tensor | None = None) -> Tensor:
    """The discriminator's, of logits of real and generated pictures.

    Args:
        real: (B,).
        pred: (P,).
        weights: (P,) of mean 1; None: all count alike.
    """
    return softplus(-real).mean() + _average(softplus(pred), weights)


def _average(losses: Tensor, weights: Tensor | None) -> Tensor:
    return losses.mean() if weights is None else (losses * weights).mean()


def gradient_penalty(logits: Tensor, pictures: Tensor) -> Tensor:
    """R1: the squared gradient of logits (B,) at real pictures (B, 3, H, H), mean over B."""
    (gradient,) = torch.autograd.grad(logits.sum(), pictures, create_graph=True)
    return gradient.square().sum() / len(pictures)
