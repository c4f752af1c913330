"""Options of `zoo train syncnet`."""

from dataclasses import dataclass
from pathlib import Path

from zoo.models.syncnet.presets import PRESETS
from zoo.training.options import RunOptions, fall_by_cosine, option


@dataclass(frozen=True, kw_only=True)
class SyncNetRecipe(RunOptions):
    """Options of a run."""

    shards: Path = option("The dataset's folder shards, its manifests beside it.")
    preset: str = option(
        "small: for CPUs; published: the size of syncnet_v2.",
        default="small",
        one_of=tuple(PRESETS),
    )
    epochs: int = option(
        "An epoch is every second of the clips once. 0: the preset's.", default=0, at_least=0
    )
    learning_rate: float = option(
        "Of Adam, at first; it falls to 0. 0: the preset's.", default=0.0, at_least=0
    )
    batch_size: int = option("Stretches of a step, 1.2 s each; at least 2.", default=16, at_least=2)

    def __post_init__(self) -> None:
        """Take the preset's epochs and rate, refuse what lies outside: ValueError."""
        super().__post_init__()
        preset = PRESETS[self.preset]
        object.__setattr__(self, "epochs", self.epochs or preset.epochs)
        object.__setattr__(self, "learning_rate", self.learning_rate or preset.learning_rate)

    def rate(self, epoch: int) -> float:
        """Learning rate in an epoch, from 0."""
        return fall_by_cosine(self.learning_rate, epoch, self.epochs)
