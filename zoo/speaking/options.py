"""Options of `zoo generate`, `zoo synthesize`, `zoo reenact` and `zoo personalize`."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from toolkit.dataset.options import PARTS
from zoo.motion.blink_rate import BLINK_HELP, MODEL, PERSON, parse_blink_rate, refuse_plain_rate
from zoo.training.options import (
    AUTO,
    DEVICE_HELP,
    DEVICES,
    PERCEPTUAL,
    PERCEPTUAL_HELP,
    SURROUNDINGS,
    SURROUNDINGS_HELP,
    VGG_HELP,
    ComputeOptions,
    check_judge,
    check_options,
    option,
)

BACKGROUNDS = (AUTO, "source", "crop", "full")
"""The picture of the clip's source with the drawn head in it; the head's crop alone; all is drawn,
as renderers of whole frames do. By default as the renderer draws: `full`, or `source`."""

HEAD_HELP = (
    "Move the head as the model does; otherwise as far and as fast as that person's, where it was "
    "fine-tuned."
)

LIMIT_HELP = (
    "Turn the head as far as the motion does; otherwise at most 5° further than was learnt."
)

BACKGROUND_HELP = (
    "Around the head: the picture of its clip's video, or the crop of it alone. full: whole frames "
    "are drawn, by a renderer that was trained so. auto: full by such a renderer, else source."
)


def _blink_option() -> Any:
    return field(default=PERSON, metadata={"help": BLINK_HELP, "metavar": "RATE"})


def _settle_plain(settings: Any, *switches: str) -> None:
    """Check the rate of blinks, and let `plain` set it and some switches; raises ValueError."""
    parse_blink_rate(settings.blink_rate)
    if settings.plain:
        refuse_plain_rate(settings.blink_rate)
        for name, value in {"blink_rate": MODEL, **dict.fromkeys(switches, True)}.items():
            object.__setattr__(settings, name, value)


@dataclass(frozen=True, kw_only=True)
class GenerationSettings:
    """Of `zoo generate`: a model, and what it is to make motion for."""

    model: Path = option("A checkpoint.")
    audio: Path | None = option("A recording of any length.", default=None)
    scores: Path | None = option(
        "Instead, for a model of zoo convert facial-official: raw logits of DeepSpeech 0.1.0, "
        "(n, 29), 30 a second.",
        default=None,
        metavar="FILE.npy",
    )
    pose_like: Path | None = option(
        "With --scores: motion (n, 71) by the released code, whose mean and deviation the pose is "
        "to have. Default: 0 and 1.",
        default=None,
        metavar="FILE.npy",
    )
    identity: str | None = option(
        "Whose rest pose to move about, where the model knows several.", default=None
    )
    initial: str | None = option(
        "Begin as this clip does (its id, or the beginning of it); needs --shards.",
        default=None,
        metavar="CLIP_ID",
    )
    shards: Path | None = option("Where that clip is.", default=None)
    blink_rate: str = _blink_option()
    no_head_map: bool = option(HEAD_HELP, default=False)
    weights: Path | None = option("Of another acoustic model.", default=None)
    smooth: bool = option("Take out the fastest trembling.", default=False)
    no_fade: bool = option("Leave the seams of windows as they are made.", default=False)
    plain: bool = option(
        "--no-head-map, --no-fade and --blink-rate model: the paper alone.", default=False
    )
    device: str = option(DEVICE_HELP, default="auto", metavar=DEVICES)

    def __post_init__(self) -> None:
        """Settle what --plain says, refuse what does not go together; raises ValueError."""
        _settle_plain(self, "no_fade", "no_head_map")
        if (self.audio is None) == (self.scores is None):
            raise ValueError("give --audio or --scores")
        if self.scores is None and self.pose_like is not None:
            raise ValueError("--pose-like belongs to --scores")
        if self.scores is not None and (self.identity or self.initial or self.weights):
            raise ValueError("--scores takes no --identity, --initial or --weights")
        if (self.initial is None) != (self.shards is None):
            raise ValueError("--initial and --shards belong together")
        if self.initial is not None and self.identity is not None:
            raise ValueError("--initial brings its own --identity: leave one of them away")
        if self.plain and self.smooth:
            raise ValueError("--plain smooths nothing: leave it or --smooth away")


@dataclass(frozen=True, kw_only=True)
class SynthesisSettings:
    """Of `zoo synthesize`: a person's folder, or what lies in it one by one."""

    audio: Path | None = option(
        "Any file with sound: a recording or a video, of any length.", default=None
    )
    person: Path | None = option(
        "Folder of zoo personalize, instead of the next four.", default=None
    )
    identity: str | None = option("Who is to speak.", default=None)
    shards: Path | None = option("The dataset with their clips.", default=None)
    motion_model: Path | None = option("Checkpoint of facial-gan.", default=None)
    renderer: Path | None = option("Checkpoint of zoo train renderer.", default=None)
    background: str = option(BACKGROUND_HELP, default=AUTO, one_of=BACKGROUNDS)
    blink_rate: str = _blink_option()
    no_head_map: bool = option(HEAD_HELP, default=False)
    no_fade: bool = option("Leave the seams of windows as the network makes them.", default=False)
    no_smoothing: bool = option("Draw expression and pose as they are.", default=False)
    no_recentring: bool = option(
        "Leave the head about its mean over all clips, not that of the clip shown.", default=False
    )
    no_pose_limit: bool = option(LIMIT_HELP, default=False)
    plain: bool = option("All five, and --blink-rate model: the paper alone.", default=False)
    weights: Path | None = option("Of another acoustic model.", default=None)
    device: str = option(DEVICE_HELP, default="auto", metavar=DEVICES)

    def __post_init__(self) -> None:
        """Settle what --plain says, refuse what does not go together; raises ValueError."""
        check_options(self)
        switches = ("no_head_map", "no_fade", "no_smoothing", "no_recentring", "no_pose_limit")
        _settle_plain(self, *switches)
        if self.audio is None:
            raise ValueError("give --audio")
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
    """Of `zoo reenact`, beside the clip."""

    shards: Path = option("The dataset with the clip.")
    renderer: Path = option("Checkpoint of zoo train renderer.")
    motion_model: Path | None = option(
        "Checkpoint of facial-gan: moves the clip by its own sound, not as it moved.", default=None
    )
    background: str = option(BACKGROUND_HELP, default=AUTO, one_of=BACKGROUNDS)
    blink_rate: str = _blink_option()
    no_pose_limit: bool = option(LIMIT_HELP, default=False)
    device: str = option(DEVICE_HELP, default="auto", metavar=DEVICES)

    def __post_init__(self) -> None:
        """Refuse values outside their limits; raises ValueError."""
        check_options(self)
        if parse_blink_rate(self.blink_rate) != PERSON and self.motion_model is None:
            raise ValueError("--blink-rate needs --motion-model: a clip's motion has its blinks")


HELD_OUT = "held-out"


@dataclass(frozen=True, kw_only=True)
class SelfReenactmentSettings:
    """Of `zoo evaluate person`, beside the person."""

    shards: Path | None = option("Their dataset. Default: the one in their folder.", default=None)
    split: str = option(
        "Clips of this part of the split; or what the renderer was chosen by and not trained on.",
        default=HELD_OUT,
        one_of=(HELD_OUT, *PARTS),
    )
    device: str = option(DEVICE_HELP, default="auto", metavar=DEVICES)

    def __post_init__(self) -> None:
        """Refuse values outside their limits; raises ValueError."""
        check_options(self)


@dataclass(frozen=True, kw_only=True)
class PersonalizationSettings(ComputeOptions):
    """Of `zoo personalize`, beside the video."""

    base: Path = option("Checkpoint of facial-gan to begin with, as runs/facial/best.pt.")
    preset: str = option("Of the renderer.", default="small", one_of=("small", "paper"))
    holdout: float = option(
        "Share of the video kept out of training, at its end; the best epochs are chosen by it.",
        default=0.2,
        above=0,
        below=1,
    )
    motion_epochs: int = option(
        "Epochs of fine-tuning: one video is little, the paper's 10 are too few.",
        default=150,
        at_least=1,
    )
    renderer_epochs: int = option(
        "Epochs of the renderer. 0: its preset's; with --renderer-base a third of them.",
        default=0,
        at_least=0,
    )
    renderer_base: Path | None = option(
        "Checkpoint of another renderer to begin with, of anyone or of several people, as "
        "runs/other/renderer/best.pt.",
        default=None,
    )
    background: str = option(SURROUNDINGS_HELP, default=SURROUNDINGS[0], one_of=SURROUNDINGS)
    frame_size: int = option(
        "Side of the drawn pictures, px, a multiple of 32. 0: 512 for --background full with the "
        "preset paper, as in the paper, else 256.",
        default=0,
        at_least=0,
    )
    perceptual: str = option(PERCEPTUAL_HELP, default=AUTO, one_of=PERCEPTUAL)
    vgg: Path | None = option(VGG_HELP, default=None)

    def __post_init__(self) -> None:
        """Refuse values outside their limits, or that do not go together; raises ValueError."""
        super().__post_init__()
        check_judge(self.perceptual, self.vgg)
        if self.frame_size % 32:
            raise ValueError(f"--frame-size {self.frame_size}: give a multiple of 32")
        size = 512 if (self.background, self.preset) == ("full", "paper") else 256
        object.__setattr__(self, "frame_size", self.frame_size or size)
