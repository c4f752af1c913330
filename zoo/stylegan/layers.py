"""Layers of StyleGAN2: equalised weights, blur, modulated convolution, noise, colours.

Source: Karras et al., arXiv:1912.04958, section 2; equalised learning rates arXiv:1710.10196, 4.1.
Legend: B batch, C channels of a map, I and O channels before and behind a layer, H its side, D
numbers of a style.
"""

import math
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

Network = TypeVar("Network", bound=nn.Module)

SLOPE = 0.2
"""Of leaky rectifiers; their outputs are multiplied by √2."""

BLUR = (1, 3, 3, 1)
"""The filter of every change of size, in both directions; normalised where it is used."""


def make_blur(gain: float = 1.0) -> Tensor:
    """(4, 4) filter whose sum is `gain`."""
    row = torch.tensor(BLUR, dtype=torch.float32)
    square = row[:, None] * row
    return square / square.sum() * gain


def activate(x: Tensor) -> Tensor:
    """The leaky rectifier, times √2."""
    return functional.leaky_relu(x, SLOPE) * math.sqrt(2)


def place_network(network: Network, device: torch.device | str) -> Network:
    """On a device, with channels last, in which a CPU convolves a fifth faster.

    Weights of modulated convolutions have five axes and stay as they are.
    """
    network.to(device)
    for value in network.parameters():
        if value.ndim == 4:
            value.data = value.data.contiguous(memory_format=torch.channels_last)
    return network


class PixelNorm(nn.Module):
    """Vectors (…, D) divided by the root of their mean square."""

    def forward(self, x: Tensor) -> Tensor:
        """The same shape."""
        return x * torch.rsqrt(x.square().mean(dim=-1, keepdim=True) + 1e-8)


class EqualLinear(nn.Module):
    """A linear layer whose weights are stored at unit variance and scaled in use."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        bias: float = 0.0,
        rate: float = 1.0,
        active: bool = False,
    ) -> None:
        """Make a layer.

        Args:
            inputs: numbers that go in.
            outputs: numbers that come out.
            bias: at first.
            rate: learning rate, as a multiple of the network's.
            active: the rectifier follows.
        """
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs) / rate)
        self.bias = nn.Parameter(torch.full((outputs,), bias))
        self._scale, self._rate, self._active = rate / math.sqrt(inputs), rate, active

    def forward(self, x: Tensor) -> Tensor:
        """(…, outputs) of (…, inputs)."""
        y = functional.linear(x, self.weight * self._scale, self.bias * self._rate)
        return activate(y) if self._active else y


class EqualConv2d(nn.Module):
    """A convolution whose weights are stored at unit variance and scaled in use."""

    def __init__(
        self, inputs: int, outputs: int, size: int, *, stride: int = 1, padding: int = 0,
        bias: bool = True,
    ) -> None:  # fmt: skip
        super().__init__()
        self.weight = nn.Parameter(torch.randn(outputs, inputs, size, size))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self._scale = 1 / math.sqrt(inputs * size**2)
        self._stride, self._padding = stride, padding

    def forward(self, x: Tensor) -> Tensor:
        """As `torch.nn.Conv2d`."""
        return functional.conv2d(
            x, self.weight * self._scale, self.bias, stride=self._stride, padding=self._padding
        )


class ScaledLeakyReLU(nn.Module):
    """The leaky rectifier, times √2, as a layer."""

    def forward(self, x: Tensor) -> Tensor:
        """The same shape."""
        return activate(x)


class FusedLeakyReLU(nn.Module):
    """A bias for each channel, then the leaky rectifier, times √2."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, H)."""
        return activate(x + self.bias[:, None, None])


class Blur(nn.Module):
    """A map convolved with the filter, channel by channel."""

    kernel: Tensor

    def __init__(self, padding: tuple[int, int], gain: float = 1.0) -> None:
        """`padding`: zeros before and behind each row and column."""
        super().__init__()
        self.register_buffer("kernel", make_blur(gain))
        before, behind = padding
        self._padding = (before, behind, before, behind)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H + padding − 3, …) of (B, C, H, H)."""
        weight = self.kernel.flip(0, 1).expand(x.shape[1], 1, -1, -1)
        return functional.conv2d(functional.pad(x, self._padding), weight, groups=x.shape[1])


class Upsample(nn.Module):
    """A map of twice the size: zeros between its pixels, then the filter."""

    kernel: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("kernel", make_blur(gain=4.0))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, 2·H, 2·H) of (B, C, H, H)."""
        weight = self.kernel.expand(x.shape[1], 1, -1, -1)
        return functional.conv_transpose2d(x, weight, stride=2, padding=1, groups=x.shape[1])


class ModulatedConv2d(nn.Module):
    """A convolution whose weights a style scales for each picture (eqs. 1 to 3).

    The published form makes a set of weights for each picture. Here channels are scaled before and
    behind one convolution for all, which gives the same numbers and is faster on a CPU.

    Attributes:
        scale: of the stored weights.
    """

    def __init__(
        self, inputs: int, outputs: int, size: int, style: int, *, upsample: bool = False,
        demodulate: bool = True,
    ) -> None:  # fmt: skip
        """Make a layer.

        Args:
            inputs: I.
            outputs: O.
            size: of the filter.
            style: D.
            upsample: the map becomes twice as large.
            demodulate: the weights of each output channel are brought back to a norm of 1.
        """
        super().__init__()
        self.weight = nn.Parameter(torch.randn(1, outputs, inputs, size, size))
        self.modulation = EqualLinear(style, inputs, bias=1.0)
        if upsample:
            self.blur = Blur((1, 1), gain=4.0)
        self._upsample, self._demodulate = upsample, demodulate
        self.scale, self._padding = 1 / math.sqrt(inputs * size**2), size // 2

    def modulate(self, style: Tensor) -> tuple[Tensor, Tensor | None]:
        """What styles (B, D) scale: channels (B, I) before, and (B, O) behind, or None."""
        scales: Tensor = self.modulation(style)
        if not self._demodulate:
            return scales, None
        weight = self.weight[0] * self.scale
        squares = functional.linear(scales.square(), weight.square().sum(dim=(2, 3)))
        return scales, torch.rsqrt(squares + 1e-8)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        """(B, O, H or 2·H, …) of a map (B, I, H, H) and styles (B, D)."""
        scales, gains = self.modulate(style)
        weight = self.weight[0] * self.scale
        x = x * scales[:, :, None, None]
        if self._upsample:
            y: Tensor = self.blur(functional.conv_transpose2d(x, weight.transpose(0, 1), stride=2))
        else:
            y = functional.conv2d(x, weight, padding=self._padding)
        return y if gains is None else y * gains[:, :, None, None]


class NoiseInjection(nn.Module):
    """Noise with one weight for all channels."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor, noise: Tensor) -> Tensor:
        """A map (B, C, H, H) with noise (1, 1, H, H)."""
        y: Tensor = x + self.weight * noise
        return y


class StyledConv(nn.Module):
    """A modulated 3 × 3 convolution, noise, bias and rectifier."""

    def __init__(self, inputs: int, outputs: int, style: int, *, upsample: bool = False) -> None:
        super().__init__()
        self.conv = ModulatedConv2d(inputs, outputs, 3, style, upsample=upsample)
        self.noise = NoiseInjection()
        self.activate = FusedLeakyReLU(outputs)

    def forward(self, x: Tensor, style: Tensor, noise: Tensor) -> Tensor:
        """(B, O, …) of a map (B, I, H, H), styles (B, D) and noise (1, 1, …)."""
        y: Tensor = self.activate(self.noise(self.conv(x, style), noise))
        return y


class ToRGB(nn.Module):
    """Colours of a map, added to those of half the size."""

    def __init__(self, inputs: int, style: int, *, upsample: bool = True) -> None:
        """`upsample`: there are colours of half the size."""
        super().__init__()
        if upsample:
            self.upsample = Upsample()
        self.conv = ModulatedConv2d(inputs, 3, 1, style, demodulate=False)
        self.bias = nn.Parameter(torch.zeros(1, 3, 1, 1))

    def forward(self, x: Tensor, style: Tensor, skip: Tensor | None = None) -> Tensor:
        """(B, 3, H, H) of a map (B, I, H, H), styles (B, D) and colours (B, 3, H/2, H/2)."""
        colors: Tensor = self.conv(x, style) + self.bias
        return colors if skip is None else colors + self.upsample(skip)


class ConvLayer(nn.Sequential):
    """A convolution, behind the filter where it halves, and the rectifier: the discriminator's."""

    def __init__(
        self, inputs: int, outputs: int, size: int, *, halves: bool = False, active: bool = True
    ) -> None:
        layers: list[nn.Module] = []
        if halves:  # as many zeros as leave exactly half the side
            layers.append(Blur(((size + 2) // 2, (size + 1) // 2)))
        stride, padding = (2, 0) if halves else (1, size // 2)
        layers.append(
            EqualConv2d(inputs, outputs, size, stride=stride, padding=padding, bias=False)
        )
        if active:
            layers.append(FusedLeakyReLU(outputs))
        super().__init__(*layers)


class ResBlock(nn.Module):
    """Two convolutions of which the second halves, beside one that halves: maps down by two."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = ConvLayer(inputs, inputs, 3)
        self.conv2 = ConvLayer(inputs, outputs, 3, halves=True)
        self.skip = ConvLayer(inputs, outputs, 1, halves=True, active=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, O, H/2, H/2) of (B, I, H, H)."""
        y: Tensor = (self.conv2(self.conv1(x)) + self.skip(x)) / math.sqrt(2)
        return y
