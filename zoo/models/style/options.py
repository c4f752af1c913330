"""What `zoo train personalization` can be told; the command takes its options from this record."""

from dataclasses import dataclass
from pathlib import Path

from zoo.training.options import option


@dataclass(frozen=True, kw_only=True)
class PersonalizationRecipe:
    """Settings of a run; those without a help text are no options of the command.

    Attributes:
        learning_rate: Adam's, as the supplement of FACIAL gives it; the rest is ours.
        stride: frames from window to window.
    """

    shards: Path = option("The dataset's folder shards, its manifests beside it.")
    epochs: int = option("Times through the training windows.", default=50)
    batch_size: int = option("Windows of a step.", default=64)
    learning_rate: float = 1e-4
    stride: int = 5
    seed: int = option("Of weights and order.", default=0)
    device: str = option("Where to train, as torch calls it: cpu, cuda, cuda:1.", default="cpu")

    def __post_init__(self) -> None:
        """Refuse what cannot be meant; raises ValueError."""
        if min(self.epochs, self.batch_size, self.learning_rate, self.stride) <= 0:
            raise ValueError("epochs, batch_size, learning_rate and stride must be positive")
        if self.seed < 0:
            raise ValueError(f"seed {self.seed} is negative")
