"""Sizes of the networks, without torch, so that options that name them are quick to read."""

from dataclasses import asdict, dataclass
from typing import Any, Self

PUBLISHED_WIDTHS = (512, 512, 512, 512, 512, 256, 128, 64, 32)
"""Channels of the published generator's maps of 4, 8, … 1024 px."""


@dataclass(frozen=True, kw_only=True)
class PriorSizes:
    """Of generator and encoders.

    Attributes:
        generator: channels of its maps of 4, 8, … px, the last those of its pictures' side.
        encoder: channels of the style encoder's maps of 64, 32, 16, 8 and 4 px; empty: the
            published encoders, of a generator of 1024 px.
        mapping: layers of the mapping network.
    """

    generator: tuple[int, ...]
    encoder: tuple[int, ...]
    mapping: int = 8

    def to_state(self) -> dict[str, Any]:
        """As a checkpoint holds them."""
        return {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """Of a checkpoint's."""
        return cls(
            generator=tuple(state["generator"]),
            encoder=tuple(state["encoder"]),
            mapping=state["mapping"],
        )


PUBLISHED = PriorSizes(generator=PUBLISHED_WIDTHS, encoder=())
"""StyleGAN2 of 1024 px with e4e and HFGI."""
