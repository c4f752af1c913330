"""Options of `zoo synthesize --system cascaded`."""

from dataclasses import dataclass
from pathlib import Path

from zoo.motion.blink_rate import PERSON, parse_blink_rate
from zoo.training.options import AUTO, check_options, option


@dataclass(frozen=True, kw_only=True)
class CascadedFiles:
    """What the cascaded system alone is given."""

    l_gan: Path | None = option("Checkpoint of l-gan, for --system cascaded.", default=None)
    blink_gan: Path | None = option("Checkpoint of blink-gan, likewise.", default=None)
    t_gan: Path | None = option(
        "Checkpoint of t-gan, likewise: fine-tuned to a person, or a base, to which the person is "
        "then only shown.",
        default=None,
    )
    images: Path | None = option(
        "Who is to speak, likewise: a folder of pictures, a video or one picture. Default: those "
        "that --t-gan was fine-tuned by.",
        default=None,
        metavar="FOLDER|VIDEO",
    )
    seed: int = option("Of the blinks, likewise.", default=0, at_least=0)


@dataclass(frozen=True, kw_only=True)
class CascadedSettings(CascadedFiles):
    """All that `zoo synthesize --system cascaded` takes, beside `--out`; those of both systems as
    in `SynthesisSettings`.
    """

    audio: Path
    background: str = AUTO
    blink_rate: str = PERSON
    weights: Path | None = None
    device: str = AUTO

    def __post_init__(self) -> None:
        """Refuse what is missing or does not go together; raises ValueError."""
        check_options(self)
        parse_blink_rate(self.blink_rate)
        names = [name for name in ("l_gan", "blink_gan", "t_gan") if getattr(self, name) is None]
        if names:
            raise ValueError(f"--system cascaded: give {', '.join(map(write_flag, names))}")
        if self.background == "full":
            raise ValueError(
                "--system cascaded draws faces: give --background source, or leave it away"
            )


def write_flag(name: str) -> str:
    """An option as the command line has it."""
    return "--" + name.replace("_", "-")
