"""Options of `zoo train facial-gan` and `zoo finetune facial-gan`."""

from dataclasses import dataclass
from pathlib import Path

from toolkit.schema import SPEECH_FEATURES
from zoo.models.facial.presets import (
    PAPER_WEIGHTS,
    PAPER_WINDOW,
    PRESETS,
    LossWeights,
    check_features,
    check_part,
)
from zoo.training.options import ClipRunOptions, find_preset, option

PARTS = ("", "temporal", "local")

_EPOCHS = "An epoch is every item once. 0: the preset's."
_BATCH_SIZE = "Items of a step, over all processes. 0: the preset's."


@dataclass(frozen=True, kw_only=True)
class FacialRecipe(ClipRunOptions):
    """Options of a run; those of the presets paper and small are the paper's (section 5.1)."""

    preset: str = option(
        "Networks, losses and schedule; small: a narrower discriminator.",
        default="paper",
        one_of=tuple(PRESETS),
    )
    speech_features: str = option(
        "What the networks read: the scores, or the states of ttk ingest --whisper tiny-en.",
        default="deepspeech",
        one_of=SPEECH_FEATURES,
    )
    epochs: int = option(_EPOCHS, default=0, at_least=0)
    batch_size: int = option(_BATCH_SIZE, default=0, at_least=0)
    learning_rate: float = option(
        "Of Adam, for both networks. 0: the preset's.", default=0.0, at_least=0
    )
    window: int = option(
        "T, frames of a window: a multiple of 4, of 32 with official.",
        default=PAPER_WINDOW,
        at_least=32,
    )
    stride: int = option("Frames from window to window. 0: the preset's.", default=0, at_least=0)
    expression_weight: float = option("ω1 of eq. 4.", default=PAPER_WEIGHTS.expression, at_least=0)
    pose_weight: float = option("ω2 of eq. 4.", default=PAPER_WEIGHTS.pose, at_least=0)
    eye_weight: float = option(
        "ω3 of eq. 4, of AU45 from 0 to 5.", default=PAPER_WEIGHTS.eye, at_least=0
    )
    state_weight: float = option(
        "ω4 of eq. 4, of the first frame.", default=PAPER_WEIGHTS.state, at_least=0
    )
    motion_weight: float = option(
        "ω5 of eq. 6, of the steps between frames.", default=PAPER_WEIGHTS.motion, at_least=0
    )
    gan_weight: float = option(
        "ω6 of eq. 8; 0 trains without a discriminator.", default=PAPER_WEIGHTS.gan, at_least=0
    )
    average: float = option(
        "Of the running mean of the generator's weights, which is kept, what stays at a step. 0: "
        "the last step's weights are kept, as always with official.",
        default=0.998,
        at_least=0,
        below=1,
    )
    without: str = option(
        "Leave out G_tem (temporal) or G_loc (local) (Fig. 8).", default="", one_of=PARTS
    )
    identity: str = option("Whose time --holdout holds out. Default: everyone's.", default="")

    def __post_init__(self) -> None:
        """Take the preset's schedule, refuse what does not go together; raises ValueError."""
        super().__post_init__()
        check_part(self.preset, self.without)
        check_features(self.preset, self.speech_features)
        self._check_identity()
        self._check_weights()
        chosen = find_preset(PRESETS, self.preset)
        if self.window % chosen.multiple:
            raise ValueError(
                f"--window {self.window}: the {self.preset} preset takes multiples of "
                f"{chosen.multiple}"
            )
        if not chosen.averaged:
            object.__setattr__(self, "average", 0.0)
        epochs, batch_size = self._find_schedule()
        for name, value in {
            "epochs": epochs,
            "batch_size": batch_size,
            "learning_rate": chosen.learning_rate,
            "stride": chosen.stride,
        }.items():
            object.__setattr__(self, name, getattr(self, name) or value)

    @property
    def weights(self) -> LossWeights:
        """ω1 to ω6."""
        return LossWeights(
            expression=self.expression_weight,
            pose=self.pose_weight,
            eye=self.eye_weight,
            state=self.state_weight,
            motion=self.motion_weight,
            gan=self.gan_weight,
        )

    def _find_schedule(self) -> tuple[int, int]:
        """Epochs and batch size of the preset."""
        return PRESETS[self.preset].epochs, PRESETS[self.preset].batch_size

    def _check_weights(self) -> None:
        others = LossWeights(gan=self.gan_weight)
        if self.weights != others and not PRESETS[self.preset].weighted:
            raise ValueError(
                f"the {self.preset} preset has weights of its own: of all weights it takes "
                "--gan-weight alone"
            )

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

    def _find_schedule(self) -> tuple[int, int]:
        return PRESETS[self.preset].tuning_epochs, PRESETS[self.preset].tuning_batch_size

    def _check_identity(self) -> None:
        """Without a holdout, too, it says who is learnt."""
