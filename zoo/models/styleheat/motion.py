"""What makes a flow field of a picture and of motion or sound (Yin et al., ECCV 2022).

The supplement prints no sizes: `paper` has the released code's. 13,428,802 parameters by video.

Legend: B pictures, H their side, D = 256 numbers of a descriptor, C channels.
"""

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional

from zoo.data.mel import NUM_BANDS, NUM_STEPS
from zoo.models.styleheat.flow import GRID
from zoo.models.styleheat.layers import SLOPE, AdaptiveNorm, activate, keep_variance
from zoo.models.styleheat.options import CONV, MLP
from zoo.models.styleheat.presets import (
    DESCRIPTOR,
    NUM_COEFFICIENTS,
    PRESETS,
    Preset,
)
from zoo.training.options import find_preset

UP = 3
"""Layers of the hourglass that double the side."""

FIRST_FLOW = 1e-3
"""Deviation of the weights that make the flow, before training: it begins as hardly any."""


class MotionGenerator(nn.Module):
    """A picture and a window to a flow field; `describe` is what its kinds differ in."""

    def __init__(self, preset: Preset, mapping: nn.Module) -> None:
        """`mapping`: (B, channels, T) of a window to (B, D)."""
        super().__init__()
        self.mapping = mapping
        self.hourglass = Hourglass(preset)
        self._side = preset.side

    def describe(self, windows: Tensor) -> Tensor:
        """(B, D) of windows (B, T, channels)."""
        out: Tensor = self.mapping(windows.transpose(1, 2))
        return out

    def move(self, pictures: Tensor, descriptor: Tensor) -> Tensor:
        """Flow (B, 2, 64, 64), see `flow.py`, of pictures (B, 3, H, H), −1 to 1, and (B, D)."""
        if pictures.shape[-1] != self._side:
            size = (self._side, self._side)
            pictures = functional.interpolate(
                pictures, size, mode="bilinear", align_corners=False, antialias=True
            )
        out: Tensor = self.hourglass(pictures, descriptor)
        return out

    def forward(self, pictures: Tensor, windows: Tensor) -> Tensor:
        """The same of windows (B, T, channels)."""
        return self.move(pictures, self.describe(windows))


class VideoMotion(MotionGenerator):
    """By windows of 27 frames of 73 coefficients.

    Attributes:
        mean, deviation: (73,) of the training part, which are taken off and divided out.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, preset: Preset) -> None:
        super().__init__(preset, ConvolutionOverTime(NUM_COEFFICIENTS, preset.mapped))
        self.register_buffer("mean", torch.zeros(NUM_COEFFICIENTS))
        self.register_buffer("deviation", torch.ones(NUM_COEFFICIENTS))

    def describe(self, windows: Tensor) -> Tensor:
        """(B, D) of windows (B, 27, 73), see `coefficients.py`."""
        return super().describe((windows - self.mean) / self.deviation)


class AudioMotion(MotionGenerator):
    """By windows of 32 steps of 80 mel bands, see `zoo.data.mel`."""

    def __init__(self, preset: Preset, mapping: str = MLP) -> None:
        """`mapping`: `mlp` or `conv`; ValueError for another."""
        kinds = {MLP: PerceptronOverTime, CONV: ConvolutionOverTime}
        if mapping not in kinds:
            raise ValueError(f"no mapping {mapping!r}: choose from {', '.join(kinds)}")
        super().__init__(preset, kinds[mapping](NUM_BANDS, preset.mapped))


def create_video_motion(preset: str = "small") -> VideoMotion:
    """An untrained generator; ValueError where there is no such preset."""
    return VideoMotion(find_preset(PRESETS, preset))


def create_audio_motion(preset: str = "small", *, mapping: str = MLP) -> AudioMotion:
    """An untrained generator; ValueError where there is no such preset or mapping."""
    return AudioMotion(find_preset(PRESETS, preset), mapping)


# --- parts --------------------------------------------------------------------------------------


class ConvolutionOverTime(nn.Module):
    """A window to a descriptor by four convolutions over time and the mean of what is left.

    27 positions become 21, then 15, 9 and 3; at least 25 are needed.
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.enter = keep_variance(nn.Conv1d(channels, width, 7), 1.0)
        outputs = (width, width, DESCRIPTOR)
        self.layers = nn.ModuleList(
            keep_variance(nn.Conv1d(width, n, 3, dilation=3), SLOPE) for n in outputs
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, D) of (B, channels, T)."""
        x = self.enter(x)
        for layer in self.layers:
            y = layer(activate(x))
            x = y + x[:, :, 3:-3] if y.shape[1] == x.shape[1] else y
        return x.mean(dim=2)


class PerceptronOverTime(nn.Module):
    """A window to a descriptor: one perceptron for every band squeezes its steps into a number."""

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        rectifier = nn.LeakyReLU(SLOPE)
        self.squeeze = nn.Sequential(
            keep_variance(nn.Linear(NUM_STEPS, width), 1.0),
            rectifier,
            keep_variance(nn.Linear(width, 1), SLOPE),
        )
        self.leave = nn.Sequential(
            keep_variance(nn.Linear(channels, width), 1.0),
            rectifier,
            keep_variance(nn.Linear(width, DESCRIPTOR), SLOPE),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, D) of (B, channels, 32)."""
        out: Tensor = self.leave(self.squeeze(x)[:, :, 0])
        return out


class Hourglass(nn.Module):
    """Adaptive norms alone bring the descriptor in: down to 8 px, and up to a flow of 64."""

    def __init__(self, preset: Preset) -> None:
        super().__init__()
        if preset.side != GRID << (preset.layers - UP):
            raise ValueError(f"{preset.layers} layers make no {GRID} px of {preset.side}")
        widths = [min(preset.width << k, preset.most) for k in range(preset.layers + 1)]
        self.enter = nn.Conv2d(3, widths[0], 7, padding=3)
        self.down = nn.ModuleList(Down(a, b) for a, b in itertools.pairwise(widths))
        up, x = [], widths[-1]
        for skip in widths[-2 : -2 - UP : -1]:
            up.append(Up(x, skip))
            x = 2 * skip
        self.up = nn.ModuleList(up)
        self.norm = nn.GroupNorm(1, x)
        self.leave = nn.Conv2d(x, 2, 7, padding=3)
        nn.init.normal_(self.leave.weight, 0.0, FIRST_FLOW)
        nn.init.zeros_(self.leave.bias)  # type: ignore[arg-type]

    def forward(self, pictures: Tensor, descriptor: Tensor) -> Tensor:
        """(B, 2, 64, 64) of (B, 3, H, H) and (B, D)."""
        x = self.enter(pictures)
        seen = []
        for layer in self.down:
            seen.append(x)
            x = layer(x, descriptor)
        for layer in self.up:
            x = layer(x, descriptor)
            x = torch.cat([x, seen.pop()], dim=1)
        out: Tensor = self.leave(activate(self.norm(x)))
        return out


class Down(nn.Module):
    """Half the side."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.norm_in, self.norm_out = AdaptiveNorm(inputs), AdaptiveNorm(outputs)
        self.halve = nn.Conv2d(inputs, outputs, 4, stride=2, padding=1)
        self.convolve = nn.Conv2d(outputs, outputs, 3, padding=1)

    def forward(self, x: Tensor, descriptor: Tensor) -> Tensor:
        """(B, outputs, h/2, w/2) of (B, inputs, h, w)."""
        x = self.halve(activate(self.norm_in(x, descriptor)))
        out: Tensor = self.convolve(activate(self.norm_out(x, descriptor)))
        return out


class Up(nn.Module):
    """Twice the side, with a convolution beside two."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.norm_in, self.norm_out = AdaptiveNorm(inputs), AdaptiveNorm(outputs)
        self.norm_beside = AdaptiveNorm(inputs)
        self.convolve = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.enlarge = nn.ConvTranspose2d(outputs, outputs, 3, 2, padding=1, output_padding=1)
        self.beside = nn.ConvTranspose2d(inputs, outputs, 3, 2, padding=1, output_padding=1)

    def forward(self, x: Tensor, descriptor: Tensor) -> Tensor:
        """(B, outputs, 2h, 2w) of (B, inputs, h, w)."""
        y = self.convolve(activate(self.norm_in(x, descriptor)))
        y = self.enlarge(activate(self.norm_out(y, descriptor)))
        out: Tensor = y + self.beside(activate(self.norm_beside(x, descriptor)))
        return out
