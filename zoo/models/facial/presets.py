"""FACIAL-GAN's named variants: generator, discriminator and losses that belong together.

Legend: B batch, T frames of a window.
"""

import torch
from torch import nn

from zoo.models.facial.losses import Objective, make_paper_objective
from zoo.models.facial.networks import Discriminator, Generator
from zoo.models.facial.official import OFFICIAL_OBJECTIVE, OfficialDiscriminator, OfficialGenerator
from zoo.models.facial.options import PRESETS

__all__ = ["PRESETS", "SMALL_WIDTH", "FacialGan", "create_facial_gan"]

SMALL_WIDTH = 16
"""First channels of the small preset's discriminator; 64 in the others."""


class FacialGan(nn.Module):
    """A generator, its discriminator and what they are trained for.

    Attributes:
        preset: one of `PRESETS`.
        stride: T must be a multiple of it.
        objective: the losses of the preset, the paper's with its weights.
    """

    def __init__(
        self, preset: str, generator: Generator | OfficialGenerator, discriminator: Discriminator
    ) -> None:
        """Put together what `create_facial_gan` made."""
        super().__init__()
        self.preset = preset
        self.generator = generator
        self.discriminator = discriminator
        self.stride = generator.stride
        self.objective: Objective = (
            OFFICIAL_OBJECTIVE if preset == "official" else make_paper_objective()
        )

    def forward(self, audio: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
        """The generator's (B, T, 71) motion from (B, T + 15, 29) audio and (B, 71) state."""
        motion: torch.Tensor = self.generator(audio, state)
        return motion


def create_facial_gan(
    preset: str = "paper", *, temporal: bool = True, local: bool = True
) -> FacialGan:
    """FACIAL-GAN with random weights.

    Args:
        preset: `paper`, as printed; `small`, the same with a discriminator a quarter as wide, for
            CPUs; `official`, as the released code has it.
        temporal: False leaves G_tem out: the FC sees c alone (ablation, Fig. 8).
        local: False leaves G_loc out: the FC sees z alone (the same).

    Raises:
        ValueError: an unknown preset, both parts left out, or a part of `official`.
    """
    if preset == "official":
        if not (temporal and local):
            raise ValueError("the official preset has no ablations: take paper or small")
        return FacialGan(preset, OfficialGenerator(), OfficialDiscriminator())
    if preset not in PRESETS:
        raise ValueError(f"no preset {preset!r}: there are {', '.join(PRESETS)}")
    generator = Generator(temporal=temporal, local=local)
    width = SMALL_WIDTH if preset == "small" else 64
    return FacialGan(preset, generator, Discriminator(width))
