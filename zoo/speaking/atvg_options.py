"""Options of `zoo synthesize --system atvg`."""

import math
from dataclasses import dataclass
from pathlib import Path

from zoo.speaking.cascaded_options import write_flag
from zoo.training.options import AUTO, check_options, option

NUM_FACTORS = 6
"""Of AT-net's coefficients."""


@dataclass(frozen=True, kw_only=True)
class AtvgFiles:
    """What ATVGnet alone is given."""

    at_net: Path | None = option("Checkpoint of at-net, for --system atvg.", default=None)
    vg_net: Path | None = option("Checkpoint of vg-net, likewise.", default=None)
    image: Path | None = option(
        "Who is to speak, likewise: one picture, a photo, painting or cartoon.", default=None
    )
    attention: Path | None = option(
        "Likewise, a second video: each frame, its attention (white: drawn, black: the picture's) "
        "and its motion, beside one another.",
        default=None,
    )
    amplify: str = option(
        "Likewise, what at-net's coefficients are multiplied by: one number, or six.",
        default="1",
        metavar="NUMBER[,…]",
    )


@dataclass(frozen=True, kw_only=True)
class AtvgSettings(AtvgFiles):
    """All that `zoo synthesize --system atvg` takes, beside `--out`; those of all systems as in
    `SynthesisSettings`.
    """

    audio: Path
    background: str = AUTO
    device: str = AUTO

    def __post_init__(self) -> None:
        """Refuse what is missing or does not go together; raises ValueError."""
        check_options(self)
        parse_factors(self.amplify)
        names = [name for name in ("image", "at_net", "vg_net") if getattr(self, name) is None]
        if names:
            raise ValueError(f"--system atvg: give {', '.join(map(write_flag, names))}")
        if self.background == "full":
            raise ValueError(
                "--system atvg draws faces: give --background source, or leave it away"
            )


def parse_factors(text: str) -> tuple[float, ...]:
    """Six factors of one number or of six between commas; ValueError for anything else."""
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        values = ()
    if len(values) not in (1, NUM_FACTORS) or not all(map(math.isfinite, values)):
        raise ValueError(f"--amplify {text!r}: give one number, or {NUM_FACTORS} as 1,2,2,2,2,2")
    return values * (NUM_FACTORS // len(values))
