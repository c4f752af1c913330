"""Options of `zoo train styleheat-video`, `styleheat-audio` and `styleheat-calibration`."""

from dataclasses import dataclass
from pathlib import Path

from zoo.models.styleheat.presets import PRESETS
from zoo.training.options import (
    AUTO,
    PERCEPTUAL,
    PERCEPTUAL_HELP,
    VGG_HELP,
    RunOptions,
    check_judge,
    option,
)

SYNC_FRAMES = 5
"""T where sound drives: what the judge of lip-sync sees at once (eq. 3)."""

MLP, CONV = "mlp", "conv"
"""How time is squeezed out of sound: as the supplement says, or as the released code does."""

VIDEO, AUDIO = "video", "audio"
"""Motion generator that is trained beside the calibration network."""


@dataclass(frozen=True, kw_only=True)
class StageOptions(RunOptions):
    """Of every stage; the preset paper's are the printed ones."""

    shards: Path = option("The dataset's folder shards, its manifests beside it.")
    preset: str = option(
        "small: for CPUs; paper: the released code's sizes.",
        default="small",
        one_of=tuple(PRESETS),
    )
    epochs: int = option(
        "Of 2,000 steps, or, of small, 200. 0: the preset's.", default=0, at_least=0
    )
    batch_size: int = option("Frames of a step. 0: the preset's.", default=0, at_least=0)
    learning_rate: float = option("Of Adam. 0: the preset's.", default=0.0, at_least=0)
    perceptual: str = option(PERCEPTUAL_HELP, default=AUTO, one_of=PERCEPTUAL)
    vgg: Path | None = option(VGG_HELP, default=None)

    num_frames = 1
    """T, frames of a window."""

    def __post_init__(self) -> None:
        """Take the preset's epochs, batch and rate; ValueError for values outside their limits."""
        super().__post_init__()
        check_judge(self.perceptual, self.vgg)
        preset = PRESETS[self.preset]
        epochs = self.epochs or self.default_epochs()
        object.__setattr__(self, "epochs", epochs)
        object.__setattr__(self, "batch_size", self.batch_size or preset.batch_size)
        object.__setattr__(self, "learning_rate", self.learning_rate or preset.rate)
        if self.batch_size % self.num_frames:
            raise ValueError(
                f"--batch-size {self.batch_size}: sound drives {self.num_frames} frames at a "
                f"time: choose a multiple of {self.num_frames}"
            )

    def default_epochs(self) -> int:
        """Of the preset, for this stage."""
        return PRESETS[self.preset].epochs


@dataclass(frozen=True, kw_only=True)
class VideoOptions(StageOptions):
    """Of stage 1a."""

    prior: Path | None = option(
        "Checkpoint of styleheat-prior whose features are warped; without it pictures are.",
        default=None,
    )


@dataclass(frozen=True, kw_only=True)
class AudioOptions(StageOptions):
    """Of stage 1b."""

    video: Path = option("Checkpoint of styleheat-video, whose videos are learnt from.")
    syncnet: Path = option("Checkpoint of syncnet, or the published weights: D_sync.")
    mapping: str = option(
        "What squeezes time: mlp as in the supplement, conv as in the released code.",
        default=MLP,
        one_of=(MLP, CONV),
    )
    prior: Path | None = option("Where the video's prior lies now.", default=None)

    num_frames = SYNC_FRAMES


@dataclass(frozen=True, kw_only=True)
class CalibrationOptions(StageOptions):
    """Of stages 2a and 2b."""

    with_: str = option(
        "Motion generator that is trained beside: video (stage 2a), then audio (2b).",
        default=VIDEO,
        one_of=(VIDEO, AUDIO),
    )
    video: Path | None = option("Checkpoint of styleheat-video, with --with video.", default=None)
    calibration: Path | None = option("Checkpoint of stage 2a, with --with audio.", default=None)
    audio: Path | None = option("Checkpoint of styleheat-audio, with --with audio.", default=None)
    syncnet: Path | None = option(
        "Checkpoint of syncnet, or the published weights, with --with audio: D_sync.", default=None
    )
    motion_rate: float = option(
        "Of Adam, of the motion generator. 0: the preset's.", default=0.0, at_least=0
    )
    prior: Path | None = option(
        "Checkpoint of styleheat-prior; by default the one that the motion generator was trained "
        "with.",
        default=None,
    )

    def __post_init__(self) -> None:
        """As the bases; ValueError where what a stage goes on from is missing or out of place."""
        needed = {VIDEO: ("video",), AUDIO: ("calibration", "audio", "syncnet")}
        for name in ("video", "calibration", "audio", "syncnet"):
            is_given, is_needed = (
                getattr(self, name) is not None,
                name in needed.get(self.with_, ()),
            )
            if self.with_ in needed and is_given != is_needed:
                fault = "give" if is_needed else "has no use for"
                raise ValueError(f"--with {self.with_}: {fault} --{name}")
        super().__post_init__()
        rate = self.motion_rate or PRESETS[self.preset].motion_rate
        object.__setattr__(self, "motion_rate", rate)

    @property
    def num_frames(self) -> int:  # type: ignore[override]
        """T, frames of a window."""
        return SYNC_FRAMES if self.with_ == AUDIO else 1

    def default_epochs(self) -> int:
        """Of stage 2."""
        return PRESETS[self.preset].joint_epochs
