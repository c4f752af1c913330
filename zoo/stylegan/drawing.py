"""The rest of the generator behind the maps that are warped, for one w+: frames of a video.

What modulates is the same in all frames, so filters are scaled and demodulated once, with the
rectifier's √2 in them, and noise and bias become one map. Numbers are the generator's but for
rounding.

Legend: n frames, C channels of a map, h its side, H that of a picture.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from zoo.stylegan.generator import Features, Generator
from zoo.stylegan.layers import SLOPE, Blur, ModulatedConv2d, StyledConv, ToRGB


class FrameDrawer:
    """Pictures of maps at 64 px."""

    def __init__(self, generator: Generator, styles: Tensor) -> None:
        """`styles`: (1, L, 512), w+ of all frames; gradients are not kept."""
        with torch.no_grad():
            self._layers: list[_Colors | _Layer] = [
                _Colors(layer, style) if isinstance(layer, ToRGB) else _Layer(layer, style, noise)
                for layer, style, noise in generator.list_rest(styles)
            ]

    def __call__(self, features: Features) -> Tensor:
        """(n, 3, H, H) of maps (n, C, 64, 64) and colours (n, 3, 32, 32)."""
        x, skip = features
        for layer in self._layers:
            if isinstance(layer, _Colors):
                skip = layer(x, skip)
            else:
                x = layer(x)
        return skip


class _Layer:
    """A modulated convolution, noise, bias and rectifier."""

    def __init__(self, layer: StyledConv, style: Tensor, noise: Tensor) -> None:
        self._weight = _fold(layer.conv, style) * math.sqrt(2)
        self._added = (layer.noise.weight * noise + layer.activate.bias[:, None, None]) * math.sqrt(
            2
        )
        self._blur: Blur | None = getattr(layer.conv, "blur", None)
        if self._blur is not None:
            self._weight = self._weight.transpose(0, 1)
        self._weight = self._weight.contiguous(memory_format=torch.channels_last)

    def __call__(self, x: Tensor) -> Tensor:
        if self._blur is None:
            y = functional.conv2d(x, self._weight, padding=self._weight.shape[-1] // 2)
        else:
            y = self._blur(functional.conv_transpose2d(x, self._weight, stride=2))
        out: Tensor = functional.leaky_relu_(y.add_(self._added), SLOPE)
        return out


class _Colors:
    """Colours of a map, added to those of half the size."""

    def __init__(self, layer: ToRGB, style: Tensor) -> None:
        self._weight, self._bias = _fold(layer.conv, style), layer.bias.flatten()
        self._upsample = layer.upsample

    def __call__(self, x: Tensor, skip: Tensor) -> Tensor:
        colors: Tensor = functional.conv2d(x, self._weight, self._bias)
        return colors.add_(self._upsample(skip))


def _fold(layer: ModulatedConv2d, style: Tensor) -> Tensor:
    """The layer's filters (O, I, k, k) for a style (1, 512)."""
    scales, gains = layer.modulate(style)
    weight = layer.weight[0] * layer.scale * scales[0, :, None, None]
    return weight if gains is None else weight * gains[0, :, None, None, None]
