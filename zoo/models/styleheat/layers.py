"""Layers that the motion generators and the calibration network share.

Legend: B batch, C channels, h, w of a map, D = 256 numbers of a descriptor.
"""

from torch import Tensor, nn
from torch.nn import functional

from zoo.models.styleheat.presets import DESCRIPTOR

SLOPE = 0.1
"""Of the leaky rectifiers."""

HIDDEN = 128
"""Numbers between a descriptor and a norm's scale and shift."""


class AdaptiveNorm(nn.Module):
    """Instance norm without parameters, its scale and shift made from a descriptor."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.shared = nn.Linear(DESCRIPTOR, HIDDEN)
        self.scale, self.shift = nn.Linear(HIDDEN, width), nn.Linear(HIDDEN, width)

    def forward(self, x: Tensor, descriptor: Tensor) -> Tensor:
        """x̂ · (1 + γ) + β, of x (B, C, h, w) and (B, D)."""
        hidden = functional.relu(self.shared(descriptor))
        scale, shift = self.scale(hidden), self.shift(hidden)
        normed: Tensor = functional.instance_norm(x)
        out: Tensor = normed * (1 + scale[:, :, None, None]) + shift[:, :, None, None]
        return out


def activate(x: Tensor) -> Tensor:
    """The leaky rectifier."""
    return functional.leaky_relu(x, SLOPE)
