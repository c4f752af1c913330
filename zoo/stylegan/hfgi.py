"""The published encoders of e4e and HFGI, which invert StyleGAN2 of 1024 px.

e4e (Tov et al., arXiv:2102.02766): an IR-SE-50 with a pyramid, from which each of 18 vectors is
read. HFGI (Wang et al., arXiv:2109.06590): what w+ leaves out is moved to where the picture of w+
has it, and becomes a scale and a shift at 64 px. Names are those of the published checkpoints.
Legend: B batch, C channels of a map, h its side.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from zoo.stylegan.generator import FEATURE_SIDE, STYLE
from zoo.stylegan.layers import EqualConv2d, EqualLinear, ScaledLeakyReLU

SIDE = 256
"""Of the pictures that both see, px."""

NUM_STYLES = 18

STAGES = ((64, 64, 3), (64, 128, 4), (128, 256, 14), (256, 512, 3))
"""Channels before and behind each stage of the IR-SE-50, and its blocks, the first of which
halves."""

TAPS = (6, 20, 23)
"""Blocks behind which the pyramid begins: of 64, 32 and 16 px."""

FIRST_MIDDLE, FIRST_FINE = 3, 7
"""Vectors of w+ from which on maps of 32 and of 64 px are read."""

SQUEEZED = 16
"""By how much fewer channels weigh all others."""


class _Squeeze(nn.Module):
    """Channels weighed by their means (squeeze and excitation)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, channels // SQUEEZED, 1, bias=False)
        self.fc2 = nn.Conv2d(channels // SQUEEZED, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        means = x.mean(dim=(2, 3), keepdim=True)
        return x * torch.sigmoid(self.fc2(functional.relu(self.fc1(means))))


class _Bottleneck(nn.Module):
    """A residual block of the IR networks, with or without channels weighed."""

    def __init__(self, inputs: int, outputs: int, stride: int, *, weighs: bool = False) -> None:
        super().__init__()
        if inputs == outputs:
            self.shortcut_layer: nn.Module = nn.MaxPool2d(1, stride)
        else:
            self.shortcut_layer = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )
        self.res_layer = nn.Sequential(
            nn.BatchNorm2d(inputs),
            nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False),
            nn.PReLU(outputs),
            nn.Conv2d(outputs, outputs, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outputs),
            *([_Squeeze(outputs)] if weighs else []),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, outputs, h / stride, …) of (B, inputs, h, h)."""
        y: Tensor = self.res_layer(x) + self.shortcut_layer(x)
        return y


class _ToStyle(nn.Module):
    """Maps halved down to 1 px, to a vector."""

    def __init__(self, side: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for _ in range(int(math.log2(side))):
            layers += [nn.Conv2d(STYLE, STYLE, 3, 2, 1), nn.LeakyReLU()]
        self.convs = nn.Sequential(*layers)
        self.linear = EqualLinear(STYLE, STYLE)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 512) of (B, 512, side, side)."""
        style: Tensor = self.linear(self.convs(x).flatten(1))
        return style


class E4e(nn.Module):
    """Pictures to the difference of their w+ from the mean."""

    def __init__(self) -> None:
        super().__init__()
        self.input_layer = nn.Sequential(
            nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.PReLU(64)
        )
        self.body = nn.Sequential(
            *(
                _Bottleneck(inputs if k == 0 else outputs, outputs, 2 if k == 0 else 1, weighs=True)
                for inputs, outputs, blocks in STAGES
                for k in range(blocks)
            )
        )
        sides = [16] * FIRST_MIDDLE + [32] * (FIRST_FINE - FIRST_MIDDLE)
        sides += [64] * (NUM_STYLES - FIRST_FINE)
        self.styles = nn.ModuleList(map(_ToStyle, sides))
        self.latlayer1 = nn.Conv2d(256, STYLE, 1)
        self.latlayer2 = nn.Conv2d(128, STYLE, 1)

    def forward(self, pictures: Tensor) -> Tensor:
        """(B, 18, 512) of pictures (B, 3, 256, 256); all are the first, plus their own."""
        x, taps = self.input_layer(pictures), []
        for number, block in enumerate(self.body):
            x = block(x)
            if number in TAPS:
                taps.append(x)
        fine, middle, maps = taps
        first = self.styles[0](maps)
        found = [first]
        for number in range(1, NUM_STYLES):
            if number == FIRST_MIDDLE:
                maps = _enlarge(maps, 32) + self.latlayer1(middle)
            if number == FIRST_FINE:
                maps = _enlarge(maps, 64) + self.latlayer2(fine)
            found.append(first + self.styles[number](maps))
        return torch.stack(found, dim=1)


class PublishedStyles(nn.Module):
    """e4e with the mean that its output is added to.

    Attributes:
        side: of the pictures that it takes.
    """

    latent_avg: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.side = SIDE
        self.encoder = E4e()
        self.register_buffer("latent_avg", torch.zeros(NUM_STYLES, STYLE))

    def forward(self, pictures: Tensor) -> Tensor:
        """w+ (B, 18, 512) of pictures (B, 3, 256, 256), −1 to 1."""
        styles: Tensor = self.encoder(pictures) + self.latent_avg
        return styles


class Aligner(nn.Module):
    """What w+ leaves out, moved to where the picture of w+ has it."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_layer1 = _make_first(6, 16)
        self.conv_layer2 = _make_stage(16, 32, 32, 32)
        self.conv_layer3 = _make_stage(32, 48, 48, 48)
        self.conv_layer4 = _make_stage(48, 64, 64, 64)
        self.dconv_layer1 = _make_stage(112, 64, 32, 32, stride=1)
        self.dconv_layer2 = _make_stage(64, 32, 16, 16, stride=1)
        self.dconv_layer3 = _make_stage(32, 16, 3, 3, stride=1)

    def forward(self, residual: Tensor, coarse: Tensor) -> Tensor:
        """(B, 3, 256, 256) of the difference and the picture of w+, of the same shape."""
        whole = self.conv_layer1(torch.cat([residual, coarse], dim=1))
        half = self.conv_layer2(whole)
        quarter = self.conv_layer3(half)
        x = _resize(self.conv_layer4(quarter), 64)
        x = _resize(self.dconv_layer1(torch.cat([x, quarter], dim=1)), 128)
        x = _resize(self.dconv_layer2(torch.cat([x, half], dim=1)), 256)
        aligned: Tensor = self.dconv_layer3(torch.cat([x, whole], dim=1))
        return aligned


class Consultant(nn.Module):
    """A difference to a scale and a shift of 512 maps at 64 px."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_layer1 = _make_first(3, 32)
        self.conv_layer2 = _make_stage(32, 48, 48, 48)
        self.conv_layer3 = _make_stage(48, 64, 64, 64)
        self.condition_scale3, self.condition_shift3 = _make_condition(), _make_condition()

    def forward(self, residual: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 512, 64, 64) each, of (B, 3, 256, 256)."""
        x = self.conv_layer3(self.conv_layer2(self.conv_layer1(residual)))
        return (
            _resize(self.condition_scale3(x), FEATURE_SIDE),
            _resize(self.condition_shift3(x), FEATURE_SIDE),
        )


class PublishedResiduals(nn.Module):
    """HFGI's two networks, one behind the other."""

    def __init__(self) -> None:
        super().__init__()
        self.aligner, self.encoder = Aligner(), Consultant()

    def forward(self, residual: Tensor, coarse: Tensor) -> tuple[Tensor, Tensor]:
        """Scale and shift (B, 512, 64, 64) of differences and pictures (B, 3, 256, 256)."""
        found: tuple[Tensor, Tensor] = self.encoder(self.aligner(residual, coarse))
        return found


def _make_first(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs), nn.PReLU(outputs)
    )


def _make_stage(*widths: int, stride: int = 2) -> nn.Sequential:
    strides = (stride, 1, 1)
    pairs = zip(widths, widths[1:], strides, strict=False)
    return nn.Sequential(*(_Bottleneck(before, behind, by) for before, behind, by in pairs))


def _make_condition() -> nn.Sequential:
    return nn.Sequential(
        EqualConv2d(64, STYLE, 3, padding=1),
        ScaledLeakyReLU(),
        EqualConv2d(STYLE, STYLE, 3, padding=1),
    )


def _enlarge(x: Tensor, side: int) -> Tensor:
    """As e4e's pyramid does: corners stay in their places."""
    return functional.interpolate(x, size=(side, side), mode="bilinear", align_corners=True)


def _resize(x: Tensor, side: int) -> Tensor:
    return functional.interpolate(x, size=(side, side), mode="bilinear", align_corners=False)
