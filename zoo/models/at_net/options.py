"""Options of `zoo train at-net`."""

from dataclasses import dataclass

from zoo.models.at_net.presets import PRESETS
from zoo.training.options import ClipRunOptions, fall_by_cosine, option


@dataclass(frozen=True, kw_only=True)
class AtNetRecipe(ClipRunOptions):
    """Options of a run; those of the preset `paper` are the released code's."""

    preset: str = option(
        "paper: the released code's sizes; small: for two cores.",
        default="paper",
        one_of=tuple(PRESETS),
    )
    epochs: int = option(
        "An epoch is every frame once. 0: the preset's, 10 or, of small, 20.", default=0, at_least=0
    )
    batch_size: int = option(
        "Stretches of consecutive frames of a step, over all processes.", default=16, at_least=1
    )
    window: int = option("T: frames of a stretch.", default=16, at_least=1)
    learning_rate: float = option(
        "Of Adam, at first; it falls to 0. 0: the preset's.", default=0.0, at_least=0
    )
    identity: str = option("Learn one person alone, with --holdout 0.2.", default="")

    def __post_init__(self) -> None:
        """Take the preset's epochs and rate, refuse what lies outside: ValueError."""
        super().__post_init__()
        preset = PRESETS[self.preset]
        object.__setattr__(self, "epochs", self.epochs or preset.epochs)
        object.__setattr__(self, "learning_rate", self.learning_rate or preset.learning_rate)

    def rate(self, epoch: int) -> float:
        """Learning rate in an epoch, from 0."""
        return fall_by_cosine(self.learning_rate, epoch, self.epochs)
