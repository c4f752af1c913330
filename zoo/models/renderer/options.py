"""What `zoo train renderer` can be told."""

from dataclasses import dataclass
from pathlib import Path

from zoo.training.options import PRECISIONS, option

PRESETS = ("paper", "small", "official")
PARTS = ("", "eyes")

EPOCHS = {"paper": 50, "small": 5, "official": 50}
"""Of each preset; the paper's of section 5.1."""

LEARNING_RATES = {"paper": 1e-4, "small": 4e-4, "official": 1e-4}
"""Of each preset; the paper's of section 5.1. small has few steps to learn in."""

DISCRIMINATOR_RATE = 1e-4
"""The most for the discriminator, whatever the generator's: at 4e-4 one in four trainings of small
lost it for good after 2,000 steps, and the heads stayed blurred."""

DECAY = 0.6
"""Share of the epochs, at their end, over which the learning rate falls: 30 of 50, 3 of 5."""


@dataclass(frozen=True, kw_only=True)
class RendererRecipe:
    """Settings of a run; those of the preset paper are the paper's (section 5.1)."""

    shards: Path = option("The dataset's folder shards, its manifests beside it.")
    identity: str = option("Who is to be learnt.")
    preset: str = option("paper, small (for CPUs) or official.", default="paper")
    epochs: int = option("An epoch is every frame once. 0: 50, or 5 of small.", default=0)
    learning_rate: float = option(
        "Of Adam; the discriminator's is at most 1e-4. 0: 1e-4, or 4e-4 of small.", default=0.0
    )
    batch_size: int = option("Frames of a step, over all processes.", default=1)
    without: str = option("Leave out the eye-attention map: eyes (Fig. 9).", default="")
    holdout: float = option("Share of source time kept out, at its end.", default=0.0)
    vgg: Path | None = option(
        "Weights of VGG19. Default: those of ttk weights --fetch vgg19; else random ones judge.",
        default=None,
    )
    device: str = option("cpu, cuda, cuda:1 …; auto: a GPU where there is one.", default="auto")
    precision: str = option("fp32 or bf16.", default="fp32")
    compile: bool = option(
        "Let torch compile the generator; on a CPU it needs a C++ compiler.", default=False
    )
    workers: int = option("Processes that render windows; 0: this one.", default=0)
    seed: int = option("Of weights and order.", default=0)

    def __post_init__(self) -> None:
        """Take the preset's epochs and rate, refuse what cannot be meant; raises ValueError."""
        choices = {"preset": PRESETS, "without": PARTS, "precision": PRECISIONS}
        for name, known in choices.items():
            if (value := getattr(self, name)) not in known:
                raise ValueError(f"{name} {value!r}: choose from {', '.join(filter(None, known))}")
        if self.without and self.preset == "official":
            raise ValueError("the official preset has no ablations: take paper or small")
        if self.batch_size < 1:
            raise ValueError("batch_size must be positive")
        if min(self.epochs, self.learning_rate, self.workers, self.seed) < 0:
            raise ValueError("epochs, learning_rate, workers, seed: 0 or more")
        if not 0 <= self.holdout < 1:
            raise ValueError("holdout: 0 or more, below 1")
        object.__setattr__(self, "epochs", self.epochs or EPOCHS[self.preset])
        rate = self.learning_rate or LEARNING_RATES[self.preset]
        object.__setattr__(self, "learning_rate", rate)

    def rates(self, epoch: int) -> dict[str, float]:
        """Learning rate of each network in an epoch, from 0."""
        scale = self._scale_rate(epoch)
        discriminator = min(self.learning_rate, DISCRIMINATOR_RATE)
        return {"generator": self.learning_rate * scale, "discriminator": discriminator * scale}

    def _scale_rate(self, epoch: int) -> float:
        """Share of the learning rate in an epoch, from 0: falls linearly over the last ones."""
        last = round(DECAY * self.epochs)
        return 1 - max(0, epoch - (self.epochs - last)) / max(1, last)
