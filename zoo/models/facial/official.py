"""The network and the losses of the code that FACIAL's authors released, written anew.

Where it differs from the paper: G_tem pads time by 2, stretches its 68 positions corner to corner
and has a U-Net on top; it normalises before the leaky ReLU and leaves its last layer bare; G_loc
is normalised once more; losses are means with other weights; the GAN is one of least squares.

Legend: B batch, T frames, 71 numbers of motion, s initial state, z temporal and c local features.
"""

from functools import partial

import torch
from torch import nn
from torch.nn import functional

from zoo.data.layout import AU45, CONTEXT, EXPRESSION, MOTION_SIZE, POSE
from zoo.models.facial.losses import PAPER_WEIGHTS, LossWeights, Objective, Terms, take_own
from zoo.models.facial.networks import (
    NUM_FEATURES,
    LocalNetwork,
    check_shapes,
    tile_state,
)

__all__ = [
    "OfficialGenerator",
    "adversarial_loss",
    "discriminator_loss",
    "make_official_objective",
    "regression_loss",
]

_WIDTHS = (256, 256, 512, 512, 512)
"""Channels after each of the U-Net's five halvings of time."""


# --- networks -----------------------------------------------------------------------------------


class OfficialGenerator(nn.Module):
    """FC(c ⊕ z) for every frame; 9,688,967 parameters."""

    stride = 2 ** len(_WIDTHS)
    """T must be a multiple: the U-Net halves it five times."""

    def __init__(self) -> None:
        """Random weights."""
        super().__init__()
        self.temporal = OfficialTemporalNetwork()
        self.local = LocalNetwork()
        self.local_norm = nn.BatchNorm1d(NUM_FEATURES)
        self.head = nn.Linear(2 * NUM_FEATURES, MOTION_SIZE)

    def forward(self, audio: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
        """(B, T, 71) motion from (B, T + 15, 29) audio and (B, 71) s, as `Generator.forward`."""
        num_frames = check_shapes(audio, state, self.stride)
        z = self.temporal(audio.narrow(1, CONTEXT[0], num_frames), state)
        c = self.local_norm(self.local(audio).transpose(1, 2)).transpose(1, 2)
        motion: torch.Tensor = self.head(torch.cat([c, z], dim=2))
        return motion


class OfficialTemporalNetwork(nn.Module):
    """G_tem of the released code."""

    def __init__(self) -> None:
        """Random weights."""
        super().__init__()
        self.encoder = nn.Sequential(
            *_leaky(nn.Conv2d(1, 32, 4, 2, padding=(2, 0))),
            *_leaky(nn.Conv2d(32, 128, 4, 2, padding=(2, 0))),
            *_leaky(nn.Conv2d(128, 256, 4, padding=(2, 0))),
            *_leaky(nn.Conv2d(256, 256, (3, 1), padding=(1, 0))),
        )
        self.unet = UNet()
        self.decoder = nn.Sequential(
            *_leaky(nn.Conv1d(256 + MOTION_SIZE, 256, 3, padding=1)),
            *_leaky(nn.Conv1d(256, 256, 3, padding=1)),
            nn.Conv1d(256, NUM_FEATURES, 3, padding=1),
        )

    def forward(self, audio: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
        """z: (B, T, 32) from (B, T, 29) scores and (B, 71) s."""
        num_frames = audio.shape[1]
        x = self.encoder(audio[:, None])  # (B, 256, T / 4 + 2, 2)
        x = x.flatten(2)  # (B, 256, T / 2 + 4), time first
        x = functional.interpolate(x, size=num_frames, mode="linear", align_corners=True)
        x = torch.cat([self.unet(x), tile_state(state, num_frames)], dim=1)  # (B, 327, T)
        z: torch.Tensor = self.decoder(x).transpose(1, 2)
        return z


class UNet(nn.Module):
    """(B, 256, T) to the same within ±1, by way of T / 32 positions; T a multiple of 32."""

    def __init__(self) -> None:
        """Random weights."""
        super().__init__()
        first, *_, last = range(len(_WIDTHS))
        self.down = nn.ModuleList()
        self.up = nn.ModuleList()  # from the innermost outwards
        for level, width in enumerate(_WIDTHS):
            outer = _WIDTHS[max(level - 1, 0)]
            halve = nn.Conv1d(outer, width, 4, 2, padding=1, bias=False)
            norm = () if level in (first, last) else (nn.BatchNorm1d(width),)
            slope = () if level == first else (nn.LeakyReLU(0.2),)
            self.down.append(nn.Sequential(*slope, halve, *norm))

            inner = width if level == last else 2 * width  # what the skip adds
            is_bare = level == first
            double = nn.ConvTranspose1d(inner, outer, 4, 2, padding=1, bias=is_bare)
            end = nn.Tanh() if is_bare else nn.BatchNorm1d(outer)
            self.up.insert(0, nn.Sequential(nn.ReLU(), double, end))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, 256, T) from (B, 256, T)."""
        skipped = []
        for halve in self.down:
            x = halve(x)
            skipped.append(x)
        skipped.pop()
        for double in self.up:
            x = double(x)
            if skipped:
                x = torch.cat([skipped.pop(), x], dim=1)
        return x


def _leaky(convolution: nn.Conv1d | nn.Conv2d) -> tuple[nn.Module, ...]:
    norm = nn.BatchNorm1d if isinstance(convolution, nn.Conv1d) else nn.BatchNorm2d
    return convolution, norm(convolution.out_channels), nn.LeakyReLU()


# --- losses -------------------------------------------------------------------------------------

_WEIGHTS = {"expression": (20, 200), "pose": (1, 10), "eye": (0.5, 1)}
"""Of the frames and of the steps between them."""

_STATE_WEIGHT = 10


def make_official_objective(weights: LossWeights = PAPER_WEIGHTS) -> Objective:
    """Least squares and means; of the weights that of the adversarial term counts alone."""
    return Objective(
        regression=regression_loss,
        adversarial=partial(adversarial_loss, weight=weights.gan),
        discriminator=discriminator_loss,
        uses_gan=weights.gan > 0,
    )


def regression_loss(
    pred: torch.Tensor, target: torch.Tensor, mask: torch.Tensor | None = None
) -> Terms:
    """Mean squares of frames and steps, and mean absolutes of the first frame, weighted.

    The first frame's AU45 counts twice: by itself, and as one of 65 numbers with the expression.

    Args:
        pred: (B, T, 71) generated motion.
        target: (B, T, 71) real motion.
        mask: as in `MotionBatch`; means are then of the clips' own frames.

    Returns:
        scalars of the same names as the paper's losses; their sum counts.
    """
    error = pred.float() - target.float()
    steps, frames = take_own(error.diff(dim=1), mask), take_own(error, mask)
    terms = {}
    for name, columns in (("expression", EXPRESSION), ("pose", POSE), ("eye", AU45)):
        weight, step_weight = _WEIGHTS[name]
        terms[name] = weight * frames[..., columns].square().mean()
        terms[f"{name}_motion"] = step_weight * steps[..., columns].square().mean()
    first = error[:, 0].abs()
    others = torch.cat([first[:, EXPRESSION], first[:, AU45]], dim=1)
    state = first[:, POSE].mean() + first[:, AU45].mean() + others.mean()
    terms["state"] = _STATE_WEIGHT * state
    return terms


def adversarial_loss(
    logits: torch.Tensor, num_frames: float = 0, weight: float = PAPER_WEIGHTS.gan
) -> torch.Tensor:
    """Of the generator: how far generated motion is judged from 1; means know no T."""
    return weight * (logits.float() - 1).square().mean()


def discriminator_loss(real: torch.Tensor, generated: torch.Tensor) -> torch.Tensor:
    """How far real motion is judged from 1, and generated motion from 0."""
    return (real.float() - 1).square().mean() + generated.float().square().mean()
