"""Options of `zoo train blink-gan`."""

from dataclasses import dataclass
from pathlib import Path

from zoo.models.blink_gan.presets import PRESETS
from zoo.training.options import RunOptions, fall_by_cosine, option


@dataclass(frozen=True, kw_only=True)
class BlinkRecipe(RunOptions):
    """Options of a run."""

    shards: Path = option("The dataset's folder shards, its manifests beside it.")
    identity: str = option("The clips of this one alone.", default="")
    holdout: float = option(
        "Share of source time kept out, at its end, by which is then chosen; no split is needed.",
        default=0.0,
        at_least=0,
        below=1,
    )
    preset: str = option(
        "paper: 128 units and the printed learning rate; small: a quarter, in a tenth of the time.",
        default="paper",
        one_of=tuple(PRESETS),
    )
    epochs: int = option("Of 100 steps each. 0: the preset's.", default=0, at_least=0)
    learning_rate: float = option(
        "Of Adam, at first; it falls to 0. 0: the preset's.", default=0.0, at_least=0
    )
    batch_size: int = option(
        "Windows of 3 s of a step; with few of them hardly any blink is seen.",
        default=64,
        at_least=32,
    )
    blink_share: float = option(
        "Least share of a step's windows in which the eyes close.",
        default=0.5,
        at_least=0,
        below=1,
    )
    range_weight: float = option(
        "Of the term that matches least and greatest displacements.", default=0.1, at_least=0
    )

    def __post_init__(self) -> None:
        """Take the preset's epochs and rate, refuse what lies outside: ValueError."""
        super().__post_init__()
        preset = PRESETS[self.preset]
        object.__setattr__(self, "epochs", self.epochs or preset.epochs)
        object.__setattr__(self, "learning_rate", self.learning_rate or preset.learning_rate)

    def rate(self, epoch: int) -> float:
        """Learning rate in an epoch, from 0."""
        return fall_by_cosine(self.learning_rate, epoch, self.epochs)
