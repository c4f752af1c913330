"""Options of `ttk ingest`: the command derives its own from this record."""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.clock import FRAME_RATES
from toolkit.features import BACKENDS, OFF

CROP_MARGIN = 0.4
"""Default margin of the square crop on each side of the union of the mesh's boxes, over its longer
side: less where the picture ends."""

_PLANNING = ("identity", "shard_minutes")
"""Options that decide how sources are named and grouped, not what the arrays hold."""

YOUNGER: dict[str, object] = {"whisper": "none", "crop": "face"}
"""Options that datasets may be older than -> the value that a record without them stands for. Where
one has it, it is left out of the record, so that a dataset made before is of the same options."""


def _option(default: Any, text: str, **more: Any) -> Any:
    return dataclasses.field(default=default, metadata={"help": text, **more})


def _backend(feature: str, text: str) -> Any:
    names = [*BACKENDS[feature], "none"]
    return _option("none" if feature in OFF else names[0], text, choices=names)


@dataclass(frozen=True, kw_only=True)
class IngestOptions:
    """How videos become arrays: the clock, the clips, one backend per feature and its files."""

    fps: int = _option(30, "Frames a second of the dataset's clock.", choices=FRAME_RATES)
    frame_size: int = _option(
        256, "Side of the stored face crop, px; 0 stores none.", choices=(256, 512, 0)
    )
    crop: str = _option(
        "face",
        "What is stored of the picture: a square around the face, or the picture's largest square.",
        choices=("face", "picture"),
    )
    crop_margin: float = _option(
        CROP_MARGIN,
        "Margin of the crop on each side of the face, over the face's longer side; less where the "
        "picture ends. Of --crop face.",
    )
    clip_seconds: float = _option(60.0, "Longest clip; longer takes are divided evenly.")
    min_frames: int = _option(75, "Shortest clip; 27 suits corpora of very short clips.")
    identity: str = _option(
        "parent",
        "Who it is: the folder a video lies in (its stem where that is the folder given and holds "
        "folders of people or is named videos, clips, …); the N-th folder above the file (1: its "
        "own, 2: the one that holds that); its stem; or a table with the columns source (file, "
        "folder or person), identity.",
        metavar="parent|folder:N|stem|FILE.csv",
    )
    shard_minutes: float = _option(
        10.0, "Minutes of video in one shard; less where there is under 16 times that in all."
    )
    audio_track: int | None = _option(
        None, "Sound track to hear, from 0; else the default one, or the first that is not silent."
    )
    deepspeech: str = _backend("deepspeech", "Speech features.")
    whisper: str = _backend("whisper", "More speech features: Whisper's states (extra teacher).")
    pose: str = _backend("pose", "Head pose.")
    au45: str = _backend("au45", "Blink intensity.")
    coefficients: str = _backend("coefficients", "3DMM coefficients.")
    focal: float | None = _option(None, "Focal length of the camera, source px.")
    interocular_mm: float | None = _option(
        None, "Between the eyes' outer corners, for the scale of pose; else from the iris."
    )
    openface_csv: Path | None = _option(None, "Folder of CSVs OpenFace has made, for `openface`.")
    openface_binary: Path | None = _option(None, "OpenFace's FeatureExtraction, for `openface`.")
    weights: Path | None = _option(None, "Checkpoint for `--deepspeech checkpoint`.")
    deng_checkpoint: Path | None = _option(None, "Checkpoint for `--coefficients deng`.")
    bfm: Path | None = _option(None, "BFM_model_front.mat for `--coefficients deng`.")

    def __post_init__(self) -> None:
        """Refuse what cannot be meant; raises ValueError."""
        if self.fps not in FRAME_RATES:
            raise ValueError(f"--fps {self.fps}: choose from {FRAME_RATES}")
        if self.frame_size < 0 or 0 < self.frame_size < 32:
            raise ValueError(f"--frame-size {self.frame_size}: 0, or at least 32 px")
        if self.crop not in ("face", "picture"):
            raise ValueError(f"--crop {self.crop}: give face or picture")
        if not 0 <= self.crop_margin <= 4:
            raise ValueError(f"--crop-margin {self.crop_margin}: give 0 to 4")
        if not math.isfinite(self.clip_seconds):
            raise ValueError(f"--clip-seconds {self.clip_seconds}: give a number of seconds")
        if self.min_frames < 1 or self.clip_seconds * self.fps < self.min_frames:
            raise ValueError(
                f"--min-frames {self.min_frames} must be at least 1 and no more than "
                f"--clip-seconds holds ({self.max_frames})"
            )
        is_rule = self.identity in ("parent", "stem") or parse_level(self.identity) is not None
        if not is_rule and not self.identity.lower().endswith(".csv"):
            raise ValueError(
                f"--identity {self.identity}: give parent, folder:N (N from 1), stem or a .csv file"
            )
        if not self.shard_minutes > 0:
            raise ValueError(f"--shard-minutes {self.shard_minutes}: must be more than 0")
        if self.audio_track is not None and self.audio_track < 0:
            raise ValueError(f"--audio-track {self.audio_track}: count from 0")
        for name in ("focal", "interocular_mm"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise ValueError(f"--{name.replace('_', '-')} {value}: must be more than 0")

    @property
    def margin(self) -> float | None:
        """Of the crop around the face; None: the picture's largest square."""
        return self.crop_margin if self.crop == "face" else None

    @property
    def max_frames(self) -> int:
        """Longest clip, frames."""
        return int(self.clip_seconds * self.fps)

    def of_arrays(self) -> dict[str, object]:
        """The options that decide what the arrays hold, as JSON holds them."""
        values = dataclasses.asdict(self)
        return {
            name: str(value) if isinstance(value, Path) else value
            for name, value in values.items()
            if name not in _PLANNING and (name, value) not in YOUNGER.items()
        }

    @classmethod
    def from_arrays(cls, values: Mapping[str, object]) -> "IngestOptions":
        """The inverse of `of_arrays`."""
        paths = {"openface_csv", "openface_binary", "weights", "deng_checkpoint", "bfm"}
        fields: dict[str, Any] = {
            name: Path(str(value)) if name in paths and value else value
            for name, value in values.items()
        }
        return cls(**fields)


def parse_level(rule: str) -> int | None:
    """N of the identity rule `folder:N`, 1 or more; None where the rule is another."""
    word, colon, number = rule.partition(":")
    if word != "folder" or not colon or not number.isdecimal() or int(number) < 1:
        return None
    return int(number)
