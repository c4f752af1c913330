"""Options of `zoo train at-net`."""

from dataclasses import dataclass

from zoo.models.at_net.presets import PRESETS
from zoo.training.options import ClipRunOptions, fall_by_cosine, option


@dataclass(frozen=True, kw_only=True)
class AtNetRecipe(ClipRunOptions):
    """Options of a run; defaults are the released code's, as the poster prints none."""

    preset: str = option(
        "paper: the released code's sizes; small: for two cores.",
        default="paper",
        one_of=tuple(PRESETS),
    )
    epochs: int = option("An epoch is every frame once.", default=10, at_least=1)
    batch_size: int = option(
        "Stretches of consecutive frames of a step, over all processes.", default=16, at_least=1
    )
    window: int = option("T: frames of a stretch.", default=16, at_least=1)
    learning_rate: float = option("Of Adam, at first; it falls to 0.", default=2e-4, above=0)
    identity: str = option("Learn one person alone, with --holdout 0.2.", default="")

    def rate(self, epoch: int) -> float:
        """Learning rate in an epoch, from 0."""
        return fall_by_cosine(self.learning_rate, epoch, self.epochs)
