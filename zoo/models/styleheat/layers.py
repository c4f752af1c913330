"""Layers that the motion generators and the calibration network share.

Legend: B batch, C channels, h, w of a map, D = 256 numbers of a descriptor.
"""

from typing import TypeVar

from torch import Tensor, nn
from torch.nn import functional

from zoo.models.styleheat.presets import DESCRIPTOR

SLOPE = 0.1
"""Of the leaky rectifiers."""

HIDDEN = 128
"""Numbers between a descriptor and a norm's scale and shift."""


Layer = TypeVar("Layer", nn.Linear, nn.Conv1d)


def keep_variance(layer: Layer, slope: float) -> Layer:
    """Weights by which what passes keeps its variance (He et al., ICCV 2015), and no biases.

    With those that torch draws, motion is lost on its way: of one standard deviation of a
    coefficient less than a hundredth reaches the norms, and an axis of the flow may never be
    learnt.

    Args:
        layer: behind or before a leaky rectifier.
        slope: its slope; 1 where there is none.
    """
    nn.init.kaiming_normal_(layer.weight, a=slope)
    nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
    return layer


class AdaptiveNorm(nn.Module):
    """Instance norm without parameters, its scale and shift made from a descriptor."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.shared = keep_variance(nn.Linear(DESCRIPTOR, HIDDEN), 0.0)
        self.scale = nn.Linear(HIDDEN, width)
        self.shift = keep_variance(nn.Linear(HIDDEN, width), 1.0)

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
