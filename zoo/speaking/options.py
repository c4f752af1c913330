"""What `zoo synthesize`, `zoo reenact` and `zoo personalize` can be told."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from zoo.training.options import PRECISIONS, option

BACKGROUNDS = ("source", "crop")
"""The picture of the clip's source with the drawn head in it; the head's square alone."""

BACKGROUND_HELP = "Around the head: the picture of its clip's video (source), or nothing (crop)."


@dataclass(frozen=True, kw_only=True)
class SynthesisSettings:
    """What `zoo synthesize` can be told: a person's folder, or what lies in it one by one."""

    audio: Path = option("Any file with sound: a recording or a video, of any length.")
    person: Path | None = option(
        "Folder of zoo personalize, instead of the next four.", default=None
    )
    identity: str | None = option("Who is to speak.", default=None)
    shards: Path | None = option("The dataset with their clips.", default=None)
    motion_model: Path | None = option("Checkpoint of facial-gan.", default=None)
    renderer: Path | None = option("Checkpoint of zoo train renderer.", default=None)
    background: str = option(BACKGROUND_HELP, default="source")
    weights: Path | None = option("Of another acoustic model.", default=None)
    device: str = option("Where to compute.", default="auto")

    def __post_init__(self) -> None:
        """Refuse what cannot be meant; raises ValueError."""
        _require("background", self.background, BACKGROUNDS)
        names = ("identity", "shards", "motion_model", "renderer")
        missing = [name for name in names if getattr(self, name) is None]
        flags = ["--" + name.replace("_", "-") for name in missing]
        if self.person is None and missing:
            raise ValueError(f"give {', '.join(flags)}, or --person instead of all four")
        if self.person is not None and len(missing) < len(names):
            given = next("--" + n.replace("_", "-") for n in names if n not in missing)
            raise ValueError(f"--person brings its own {given}: leave one of them away")


@dataclass(frozen=True, kw_only=True)
class ReenactmentSettings:
    """What `zoo reenact` can be told, beside the clip."""

    shards: Path = option("The dataset with the clip.")
    renderer: Path = option("Checkpoint of zoo train renderer.")
    motion_model: Path | None = option(
        "Checkpoint of facial-gan: moves the clip by its own sound, not as it moved.", default=None
    )
    background: str = option(BACKGROUND_HELP, default="source")
    device: str = option("Where to compute.", default="auto")

    def __post_init__(self) -> None:
        """Refuse what cannot be meant; raises ValueError."""
        _require("background", self.background, BACKGROUNDS)


@dataclass(frozen=True, kw_only=True)
class PersonalizationSettings:
    """What `zoo personalize` can be told, beside the video."""

    base: Path = option("Checkpoint of facial-gan to begin with, as runs/facial/best.pt.")
    preset: str = option("Of the renderer: small or paper.", default="small")
    holdout: float = option("Share of the video kept out of training, at its end.", default=0.2)
    motion_epochs: int = option(
        "Epochs of fine-tuning: one video is little, the paper's 10 are too few.", default=150
    )
    renderer_epochs: int = option("Epochs of the renderer; 0: its preset's.", default=0)
    vgg: Path | None = option(
        "Weights of VGG19. Default: those of ttk weights --fetch vgg19; else random ones judge.",
        default=None,
    )
    precision: str = option("fp32 or bf16.", default="fp32")
    device: str = option("cpu, cuda, cuda:1 …; auto: a GPU where there is one.", default="auto")
    workers: int = option("Processes that gather batches; 0: this one.", default=0)
    seed: int = option("Of weights and order.", default=0)

    def __post_init__(self) -> None:
        """Refuse what cannot be meant; raises ValueError."""
        _require("preset", self.preset, ("small", "paper"))
        _require("precision", self.precision, PRECISIONS)
        if not 0 < self.holdout < 1:
            raise ValueError("holdout: over 0 and below 1: by it the best epochs are chosen")
        if self.motion_epochs < 1 or min(self.renderer_epochs, self.workers, self.seed) < 0:
            raise ValueError("motion_epochs: at least 1; renderer_epochs, workers, seed: 0 or more")


def _require(name: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise ValueError(f"--{name} {value}: choose from {', '.join(known)}")
