"""The prior of a preset, and its discriminator."""

from zoo.models.styleheat_prior.presets import PRESETS
from zoo.stylegan.discriminator import Discriminator
from zoo.stylegan.prior import Prior
from zoo.training.options import find_preset


def create_prior(preset: str = "small") -> Prior:
    """Generator and encoders with random weights; ValueError for an unknown preset."""
    return Prior(find_preset(PRESETS, preset).sizes)


def create_discriminator(preset: str = "small") -> Discriminator:
    """With random weights; ValueError for an unknown preset."""
    sizes = find_preset(PRESETS, preset)
    return Discriminator(sizes.discriminator, packed=sizes.packed)
