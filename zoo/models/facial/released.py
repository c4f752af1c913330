"""A converted generator of the released code, ready to make motion from raw logits.

It moves no identity's head: its pose is less a mean and over a deviation that are a target clip's.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from zoo.data import AU45, EXPRESSION, MOTION_SIZE, POSE, Normalisation
from zoo.data.contract import Contract
from zoo.models.facial.official import OfficialGenerator
from zoo.motion.model import MotionModel

RELEASED = "released"
"""The one identity that a converted model knows: at pose 0, of deviation 1."""

_NUMBERS = range(MOTION_SIZE)
RELEASED_ORDER = [*_NUMBERS[POSE], *_NUMBERS[AU45], *_NUMBERS[EXPRESSION]]
"""Place in the toolkit's motion of each of the released 71 numbers."""

TOOLKIT_ORDER = np.argsort(RELEASED_ORDER).tolist()
"""The other way round."""


class ReorderedGenerator(nn.Module):
    """The released generator in the toolkit's order of the 71 numbers."""

    def __init__(self, generator: OfficialGenerator) -> None:
        """Wrap a generator."""
        super().__init__()
        self.generator = generator

    def forward(self, audio: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
        """(B, T, 71) motion from (B, T + 15, 29) logits and (B, 71) s, both of this order."""
        motion: torch.Tensor = self.generator(audio, state[:, RELEASED_ORDER])
        return motion[..., TOOLKIT_ORDER]


def make_released_model(
    path: Path, generator: OfficialGenerator, content: dict[str, Any], device: torch.device | str
) -> MotionModel:
    """The model of a converted checkpoint's content."""
    nothing, as_is = np.zeros(6, np.float32), np.ones(6, np.float32)
    return MotionModel(
        path=path,
        network=ReorderedGenerator(generator).eval().to(device),
        normalisation=Normalisation(
            kind="clip",
            audio_mean=np.zeros(29, np.float32),
            audio_scale=np.ones(29, np.float32),
            pose_scale=as_is,
            expression_scale=1.0,
            pose_means={RELEASED: nothing},
            pose_deviations={RELEASED: as_is},
        ),
        contract=Contract.from_state(content["contract"]),
    )
