"""Options of `zoo synthesize --system styleheat`."""

from dataclasses import dataclass
from pathlib import Path

from zoo.speaking.cascaded_options import write_flag
from zoo.training.options import AUTO, check_options, option


@dataclass(frozen=True, kw_only=True)
class StyleHEATFiles:
    """What StyleHEAT alone is given."""

    model: Path | None = option(
        "Checkpoint of styleheat-calibration, for --system styleheat, or of an earlier stage.",
        default=None,
    )
    video: Path | None = option(
        "Likewise, who drives: the head's pose with --audio, all of the face without.", default=None
    )
    edit: str = option(
        "Likewise, what to change of the face in all frames, by how many standard deviations; "
        "needs --directions.",
        default="",
        metavar="NAME=NUMBER[,…]",
    )
    directions: Path | None = option(
        "Likewise, the file of zoo edit directions, of the model's prior.", default=None
    )
    optimise: int = option(
        "Likewise, steps that bring the maps which are moved nearer to the picture; 250 in the "
        "paper. Not with --edit.",
        default=0,
        at_least=0,
    )


@dataclass(frozen=True, kw_only=True)
class StyleHEATSettings(StyleHEATFiles):
    """All that `zoo synthesize --system styleheat` takes, beside `--out`; those of all systems as
    in `SynthesisSettings`, and `image` as in `AtvgFiles`.
    """

    audio: Path | None = None
    image: Path | None = None
    device: str = AUTO

    def __post_init__(self) -> None:
        """Refuse what is missing or does not go together; raises ValueError."""
        check_options(self)
        names = [name for name in ("image", "model") if getattr(self, name) is None]
        if names:
            raise ValueError(f"--system styleheat: give {', '.join(map(write_flag, names))}")
        if self.audio is None and self.video is None:
            raise ValueError("--system styleheat: give --audio, --video or both")
        if bool(self.edit) != (self.directions is not None):
            raise ValueError("--edit and --directions go together: give both")
        if self.edit and self.optimise:
            raise ValueError("--optimise is for a face as it is: leave out --edit or --optimise")
