"""l-GAN's named variants."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class LossWeights:
    """λ of eq. 5, as printed.

    Attributes:
        distance: λ_dist.
        regularisation: λ_reg.
        direction: λ_dir.
        gan: λ_gan; 0 trains the generator alone.
    """

    distance: float = 1
    regularisation: float = 0.5
    direction: float = 0.5
    gan: float = 1


PAPER_WEIGHTS = LossWeights()

NUM_TAPS = 6
"""Δt: `NUM_TAPS` of `zoo.data.landmarks`, which would import numpy with every `--help`."""

BOTTLENECK = 33


@dataclass(frozen=True, kw_only=True)
class Preset:
    """What a name stands for.

    Attributes:
        channels: of the encoder's four convolutions.
        hidden: numbers of the layer before the bottleneck.
    """

    channels: tuple[int, int, int, int]
    hidden: int


PRESETS = {
    "paper": Preset(channels=(32, 32, 64, 64), hidden=128),
    "small": Preset(channels=(16, 16, 32, 32), hidden=64),
}
"""`paper`: the widths of VOCA's encoder (Cudeiro et al., CVPR 2019), which the paper names without
printing any, so that they are a choice; `small`: half as wide."""
