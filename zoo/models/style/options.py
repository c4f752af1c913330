"""Options of `zoo train personalization`."""

from dataclasses import dataclass
from pathlib import Path

from zoo.training.options import RunOptions, option


@dataclass(frozen=True, kw_only=True)
class PersonalizationRecipe(RunOptions):
    """Options of a run; fields without a help text are no options of the command.

    Attributes:
        learning_rate: Adam's, as the supplement of FACIAL gives it; it says nothing of the rest.
        stride: frames from window to window.
    """

    shards: Path = option("The dataset's folder shards, its manifests beside it.")
    batch_size: int = option("Windows of a step.", default=64, at_least=1)
    learning_rate: float = 1e-4
    stride: int = 5

    def __post_init__(self) -> None:
        """Refuse values outside their limits; raises ValueError."""
        super().__post_init__()
        if self.learning_rate <= 0 or self.stride < 1:
            raise ValueError(f"learning_rate {self.learning_rate}, stride {self.stride}: positive")
