"""What `zoo train facial-gan` and `zoo finetune facial-gan` can be told."""

from dataclasses import dataclass
from pathlib import Path

from zoo.training.options import PRECISIONS, option

PRESETS = ("paper", "small", "official")
PARTS = ("", "temporal", "local")


@dataclass(frozen=True, kw_only=True)
class FacialRecipe:
    """Settings of a run; the defaults are the paper's (section 5.1)."""

    shards: Path = option("The dataset's folder shards, its manifests beside it.")
    preset: str = option("paper, small (a narrower discriminator) or official.", default="paper")
    epochs: int = option("An epoch is every window once.", default=50)
    batch_size: int = option("Windows of a step, over all processes.", default=64)
    learning_rate: float = option("Of Adam, for both networks.", default=1e-4)
    gan_weight: float = option("ω6 of eq. 8; 0 trains without a discriminator.", default=0.1)
    without: str = option("Leave out G_tem or G_loc: temporal or local (Fig. 8).", default="")
    identity: str = option("Whom --holdout holds out; else everyone.", default="")
    holdout: float = option("Share of source time kept out, at its end.", default=0.0)
    device: str = option("cpu, cuda, cuda:1 …; auto: a GPU where there is one.", default="auto")
    precision: str = option("fp32 or bf16.", default="fp32")
    compile: bool = option("Let torch compile the generator.", default=False)
    workers: int = option("Processes that gather batches; 0: this one.", default=0)
    seed: int = option("Of weights and order.", default=0)

    def __post_init__(self) -> None:
        """Refuse what cannot be meant; raises ValueError."""
        choices = {"preset": PRESETS, "without": PARTS, "precision": PRECISIONS}
        for name, known in choices.items():
            if (value := getattr(self, name)) not in known:
                raise ValueError(f"{name} {value!r}: choose from {', '.join(filter(None, known))}")
        if min(self.epochs, self.batch_size, self.learning_rate) <= 0:
            raise ValueError("epochs, batch_size and learning_rate must be positive")
        if min(self.gan_weight, self.workers, self.seed) < 0 or not 0 <= self.holdout < 1:
            raise ValueError("gan_weight, workers, seed: 0 or more; holdout: 0 or more, below 1")


@dataclass(frozen=True, kw_only=True)
class FinetuneRecipe(FacialRecipe):
    """Settings of the fine-tuning to one identity: 10 epochs, batches of 16 (section 5.1)."""

    base: Path = option("Checkpoint to begin with, as runs/facial/best.pt.")
    identity: str = option("Who is to be learnt.")
    epochs: int = option("An epoch is every window once.", default=10)
    batch_size: int = option("Windows of a step, over all processes.", default=16)
