"""FACIAL-GAN (Zhang et al., ICCV 2021): from speech to expression, head pose and blinks.

The paper is arXiv:2108.07938; Tables 1 and 2 are in its supplement. Public names are loaded when
first used: the options of commands need no torch.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoo.facial.presets import PRESETS, SMALL_WIDTH, FacialGan, create_facial_gan

__all__ = ["PRESETS", "SMALL_WIDTH", "FacialGan", "create_facial_gan"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from zoo.facial import presets

    return getattr(presets, name)
