"""Options of `zoo train styleheat-prior`."""

from dataclasses import dataclass
from pathlib import Path

from zoo.models.styleheat_prior.presets import PRESETS
from zoo.training.options import (
    AUTO,
    FACE,
    PERCEPTUAL,
    PERCEPTUAL_HELP,
    VGG_HELP,
    ClipRunOptions,
    check_judge,
    option,
)

NONE = "none"


@dataclass(frozen=True, kw_only=True)
class PriorRecipe(ClipRunOptions):
    """Options of a run."""

    preset: str = option(
        "small: 128 px, for CPUs; paper: 256 px.", default="small", one_of=tuple(PRESETS)
    )
    epochs: int = option(
        "An epoch is every picture once, of small at most 1,000 of them. 0: the preset's.",
        default=0,
        at_least=0,
    )
    batch_size: int = option(
        "Pictures of a step, over all processes. 0: the preset's.", default=0, at_least=0
    )
    learning_rate: float = option(
        "Of Adam, for all networks. 0: the preset's.", default=0.0, at_least=0
    )
    perceptual: str = option(PERCEPTUAL_HELP, default=AUTO, one_of=PERCEPTUAL)
    vgg: Path | None = option(VGG_HELP, default=None)
    face: str = option(
        "Network of the identity term. auto: face where the extra identity is there, else none.",
        default=AUTO,
        one_of=(AUTO, FACE, NONE),
    )
    identity: str = option("Learn one person alone, with --holdout 0.2.", default="")

    def __post_init__(self) -> None:
        """Take the preset's epochs, batch and rate: ValueError for values outside their limits."""
        super().__post_init__()
        check_judge(self.perceptual, self.vgg)
        preset = PRESETS[self.preset]
        for name in ("epochs", "batch_size", "learning_rate"):
            object.__setattr__(self, name, getattr(self, name) or getattr(preset, name))
