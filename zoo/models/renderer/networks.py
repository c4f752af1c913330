"""The rendering-to-video networks: generators of the presets, and the multi-scale discriminator.

`paper` and `official` are pix2pixHD's (Wang et al., CVPR 2018, sections 3.1 and 3.2), a global
network at half resolution within a local enhancer, in the sizes of the code that FACIAL's authors
released; the paper prints none. `official` sees three channels of a frame, as that code does, and
has its numbers of parameters; `paper` sees four (section 3.3). `small` is made for one core of a
CPU. `paper` and `small` give an alpha beside the colours, which is this project's.

Legend: B batch, C channels of a window, H the side of a picture, a multiple of 32.
"""

import itertools
import pkgutil
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from zoo.models.renderer.presets import PRESETS
from zoo.training.options import find_preset

_Network = TypeVar("_Network", bound=nn.Module)

Features = list[list[Tensor]]
"""What the discriminators make of a picture: of each scale the layers' outputs, logits last."""


def create_generator(
    preset: str = "paper", size: int = 256, *, alpha: bool | None = None
) -> nn.Module:
    """A generator with random weights: windows (B, C, H, H) to pictures (B, 3, H, H), −1 to 1.

    One with an alpha gives (B, 4, H, H): the last channel are the alpha's logits.

    Args:
        preset: one of `PRESETS`.
        size: H, which `small` is made for.
        alpha: whether it has one; by default as the preset says.

    Raises:
        ValueError: an unknown preset, or a side that is no multiple of 32.
    """
    chosen = find_preset(PRESETS, preset)
    if size % 32:
        raise ValueError(f"pictures of {size} px: the side must be a multiple of 32")
    outputs = 4 if (chosen.alpha if alpha is None else alpha) else 3
    make = pkgutil.resolve_name(chosen.generator)
    generator: nn.Module = make(chosen.window.num_channels, size, outputs=outputs)
    return generator


def create_discriminator(preset: str) -> "MultiscaleDiscriminator":
    """A preset's discriminator with random weights; it sees the window and a picture."""
    chosen = find_preset(PRESETS, preset)
    channels = chosen.window.num_channels + 3
    return MultiscaleDiscriminator(channels, width=chosen.discriminator_width, packed=chosen.packed)


def place_network(network: _Network, device: torch.device) -> _Network:
    """On a device, with channels last, in which convolutions are quickest."""
    return network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


class InstanceNorm(nn.Module):
    """Every channel of every picture with mean 0 and variance 1; torch's by way of batch norm.

    torch.nn.InstanceNorm2d gives up channels last, which costs a third of a network's time.
    """

    def __init__(self, width: int, *, learnt: bool = False) -> None:
        """With `learnt`, a scale and a shift of each channel follow."""
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width)) if learnt else None
        self.bias = nn.Parameter(torch.zeros(width)) if learnt else None

    def forward(self, x: Tensor) -> Tensor:
        """(B, width, h, w) both ways."""
        if len(x) == 1:
            return functional.batch_norm(x, None, None, self.weight, self.bias, training=True)
        return torch.cat([self(x[b : b + 1]) for b in range(len(x))])


# --- generators ---------------------------------------------------------------------------------


class Generator(nn.Module):
    """pix2pixHD's coarse-to-fine generator with one enhancer, all of it trained from the start."""

    def __init__(
        self,
        channels: int,
        _size: int = 256,
        *,
        outputs: int = 3,
        width: int = 32,
        depth: int = 4,
        blocks: int = 4,
        fine: int = 3,
    ) -> None:
        """Make it for pictures of any side.

        Args:
            channels: C.
            outputs: 3, or 4 with an alpha.
            width: first channels of the enhancer, half of the global network's.
            depth: times that the global network halves the picture.
            blocks: residual blocks of the global network.
            fine: residual blocks of the enhancer.
        """
        super().__init__()
        widths = [2 * width * 2**k for k in range(depth + 1)]
        self.coarse = nn.Sequential(
            _wide(channels, widths[0]),
            *(_halve(a, b) for a, b in itertools.pairwise(widths)),
            *(ResidualBlock(widths[-1]) for _ in range(blocks)),
            *(_double(a, b) for a, b in itertools.pairwise(reversed(widths))),
        )
        self.enter = nn.Sequential(_wide(channels, width), _halve(width, 2 * width))
        self.leave = nn.Sequential(
            *(ResidualBlock(2 * width) for _ in range(fine)),
            _double(2 * width, width),
            nn.ReflectionPad2d(3),
            nn.Conv2d(width, outputs, 7),
        )
        self.apply(_init_weights)

    def forward(self, window: Tensor) -> Tensor:
        """Picture (B, 3, H, H), −1 to 1, of a window (B, C, H, H); see `create_generator`."""
        coarse = self.coarse(_pool(window))
        drawn: Tensor = self.leave(self.enter(window) + coarse)
        return _limit_colors(drawn.float())


class ResidualBlock(nn.Module):
    """Two convolutions with instance norm, added to what comes in."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.ReflectionPad2d(1),
            nn.Conv2d(width, width, 3),
            InstanceNorm(width),
            nn.ReLU(),
            nn.ReflectionPad2d(1),
            nn.Conv2d(width, width, 3),
            InstanceNorm(width),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, width, h, w) both ways."""
        out: Tensor = x + self.layers(x)
        return out


def _wide(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.ReflectionPad2d(3), nn.Conv2d(inputs, outputs, 7), InstanceNorm(outputs), nn.ReLU()
    )


def _halve(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride=2, padding=1), InstanceNorm(outputs), nn.ReLU()
    )


def _double(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.ConvTranspose2d(inputs, outputs, 3, stride=2, padding=1, output_padding=1),
        InstanceNorm(outputs),
        nn.ReLU(),
    )


class SmallGenerator(nn.Module):
    """A generator for one core: nothing is convolved at full resolution.

    A window is packed into H/2 (pixel-unshuffle), halved twice, and worked on at H/8. There a
    learnt map tells each place from the others, so that what stays where it is, as the background,
    need not be found again from the face. Four subpixels of each colour leave at H/2.
    """

    def __init__(
        self, channels: int, size: int, *, outputs: int = 3,
        widths: tuple[int, int, int] = (32, 64, 128), blocks: int = 4,
    ) -> None:  # fmt: skip
        """Make it for windows (B, channels, size, size); `widths` at H/2, H/4 and H/8.

        With 4 outputs the last is an alpha.
        """
        super().__init__()
        fine, middle, coarse = widths
        self.enter = nn.Sequential(
            nn.PixelUnshuffle(2),
            nn.Conv2d(4 * channels, middle, 3, stride=2, padding=1),
            nn.ReLU(),
            nn.Conv2d(middle, coarse, 3, stride=2, padding=1),
        )
        self.place = nn.Parameter(torch.zeros(1, coarse, size // 8, size // 8))
        self.blocks = nn.Sequential(*(PlainBlock(coarse) for _ in range(blocks)))
        self.leave = nn.Sequential(
            nn.ReLU(),
            Doubling(coarse, middle),
            nn.ReLU(),
            Doubling(middle, fine),
            nn.ReLU(),
            nn.Conv2d(fine, 4 * outputs, 3, padding=1),
            nn.PixelShuffle(2),
        )

    def forward(self, window: Tensor) -> Tensor:
        """Picture (B, 3, H, H), −1 to 1, of a window (B, C, H, H); see `create_generator`."""
        drawn: Tensor = self.leave(self.blocks(self.enter(window) + self.place))
        return _limit_colors(drawn.float())


class Doubling(nn.ConvTranspose2d):
    """A transposed convolution from h × w to 2h × 2w in which every pixel is made of as many.

    With kernels of 3 × 3, as before, some are made of one and others of four, which favours rows
    and columns. Weights of 3 × 3 are taken as the same of 4 × 4.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, 4, stride=2, padding=1)

    def _load_from_state_dict(
        self, state_dict: dict[str, Tensor], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        name = f"{prefix}weight"
        if name in state_dict and state_dict[name].shape[2:] == (3, 3):
            state_dict[name] = functional.pad(state_dict[name], (0, 1, 0, 1))
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)


def _limit_colors(drawn: Tensor) -> Tensor:
    """Colours (B, 3, H, H) by a tanh; an alpha's logits behind them stay as they are."""
    if drawn.shape[1] == 3:
        return torch.tanh(drawn)
    return torch.cat([torch.tanh(drawn[:, :3]), drawn[:, 3:]], dim=1)


class PlainBlock(nn.Module):
    """Two convolutions, each behind a norm, added to what comes in; colours pass it by."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            InstanceNorm(width, learnt=True),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1),
            InstanceNorm(width, learnt=True),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, width, h, w) both ways."""
        out: Tensor = x + self.layers(x)
        return out


# --- discriminator ------------------------------------------------------------------------------


class MultiscaleDiscriminator(nn.Module):
    """D^r: patch-wise discriminators of one shape, each looking at half the size of the one before.

    pix2pixHD's (section 3.2): four layers of leaky ReLU, features and logits of every scale.
    """

    def __init__(
        self, channels: int, *, width: int = 64, scales: int = 3, packed: bool = False
    ) -> None:
        """Make it.

        Args:
            channels: of a window and a picture.
            width: first channels.
            scales: how many.
            packed: look at four pixels as one of four times the channels, for CPUs.
        """
        super().__init__()
        self.pack = nn.PixelUnshuffle(2) if packed else nn.Identity()
        inputs = 4 * channels if packed else channels
        self.scales = nn.ModuleList(_make_patches(inputs, width) for _ in range(scales))
        self.apply(_init_weights)

    def forward(self, window: Tensor, picture: Tensor) -> Features:
        """Features and logits of pictures (B, 3, H, H) of windows (B, C, H, H)."""
        x = self.pack(torch.cat([window, picture], dim=1))
        found = []
        for number, layers in enumerate(self.scales):
            x = _pool(x) if number else x
            outputs, seen = [], x
            for layer in cast(nn.ModuleList, layers):
                seen = layer(seen)
                outputs.append(seen)
            found.append(outputs)
        return found


def _make_patches(inputs: int, width: int) -> nn.ModuleList:
    def convolve(inputs: int, outputs: int, stride: int) -> nn.Conv2d:
        return nn.Conv2d(inputs, outputs, 4, stride=stride, padding=2)

    def follow(inputs: int, outputs: int, stride: int) -> nn.Sequential:
        return nn.Sequential(
            convolve(inputs, outputs, stride), InstanceNorm(outputs), nn.LeakyReLU(0.2)
        )

    return nn.ModuleList(
        [
            nn.Sequential(convolve(inputs, width, 2), nn.LeakyReLU(0.2)),
            follow(width, 2 * width, 2),
            follow(2 * width, 4 * width, 2),
            follow(4 * width, 8 * width, 1),
            convolve(8 * width, 1, 1),
        ]
    )


def _pool(x: Tensor) -> Tensor:
    """Half the size, by means over 3 × 3 that leave out what lies beyond the border."""
    return functional.avg_pool2d(x, 3, stride=2, padding=1, count_include_pad=False)


def _init_weights(layer: nn.Module) -> None:
    """pix2pixHD's: normal of deviation 0.02."""
    if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(layer.weight, 0.0, 0.02)
