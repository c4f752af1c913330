"""Options of `zoo train facial-gan` and `zoo finetune facial-gan`."""

from dataclasses import dataclass
from pathlib import Path

from zoo.models.facial.presets import PRESETS, check_part
from zoo.training.options import ClipRunOptions, option

PARTS = ("", "temporal", "local")


@dataclass(frozen=True, kw_only=True)
class FacialRecipe(ClipRunOptions):
    """Options of a run; the defaults are the paper's (section 5.1)."""

    preset: str = option(
        "Networks and losses; small: a narrower discriminator.",
        default="paper",
        one_of=tuple(PRESETS),
    )
    learning_rate: float = option("Of Adam, for both networks.", default=1e-4, above=0)
    gan_weight: float = option(
        "ω6 of eq. 8; 0 trains without a discriminator.", default=0.1, at_least=0
    )
    without: str = option(
        "Leave out G_tem (temporal) or G_loc (local) (Fig. 8).", default="", one_of=PARTS
    )
    identity: str = option("Whose time --holdout holds out. Default: everyone's.", default="")

    def __post_init__(self) -> None:
        """Refuse what does not go together; raises ValueError."""
        super().__post_init__()
        check_part(self.preset, self.without)
        self._check_identity()

    def _check_identity(self) -> None:
        if self.identity and not self.holdout:
            raise ValueError(
                f"--identity {self.identity} names whom --holdout holds out: add --holdout 0.2, or "
                "leave --identity away to train on everyone; zoo finetune facial-gan learns one "
                "person"
            )


@dataclass(frozen=True, kw_only=True)
class FinetuneRecipe(FacialRecipe):
    """Options of the fine-tuning to one identity: 10 epochs, batches of 16 (section 5.1)."""

    base: Path = option("Checkpoint to begin with, as runs/facial/best.pt.")
    identity: str = option("Who is to be learnt.")
    epochs: int = option("An epoch is every item once.", default=10, at_least=1)
    batch_size: int = option("Items of a step, over all processes.", default=16, at_least=1)

    def _check_identity(self) -> None:
        """Without a holdout, too, it says who is learnt."""
