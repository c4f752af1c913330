"""Videos of people who were made to speak: the file, and the mouth, head and eyes in it.

Legend: n frames, S samples.
"""

import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from toolkit.clock import SAMPLE_RATE, count_samples
from toolkit.dataset.manifest import read_table
from toolkit.dataset.rows import measure_opening_ratio
from toolkit.features.voice_activity import STEP, compute_speech_probability, mark_speech
from toolkit.ingest import ingest
from toolkit.ingest.options import IngestOptions
from toolkit.media.audio import read_sound
from toolkit.media.inspect_file import inspect_file
from toolkit.preview.traces import measure_level
from zoo.data.frames import RenderClip, load_render_clips
from zoo.metrics.blinks import BlinkClip, measure_blinks
from zoo.metrics.head import measure_range
from zoo.metrics.series import list_runs

Floats = npt.NDArray[np.float64]

HEAD_SECONDS = 10.0
"""Length of the stretches whose range of the head is averaged: a longer one has more of it."""

PAUSE_SECONDS = 0.3
"""The least of a pause."""

WIDE, CLOSED = 95, 0.2
"""Percentile of a person's opening that is wide open, and the share of it that is closed."""


@dataclass(frozen=True, eq=False)
class SpokenClip:
    """A stretch of a stored clip, n frames.

    Attributes:
        pcm: (S,) int16, 16 kHz.
        opening: (n,) of the mouth, over the distance of the eyes.
    """

    pcm: npt.NDArray[np.int16]
    opening: Floats

    @classmethod
    def of(cls, clip: RenderClip) -> Self:
        """Sound and mouth of a clip, or of what a holdout left of it."""
        start, last = clip.reader.clips[clip.index].start_frame, clip.first + clip.num_frames
        samples = slice(
            count_samples(start, clip.first, clip.fps), count_samples(start, last, clip.fps)
        )
        meshes = clip.reader.read("face/landmarks", clip.index)[clip.first : last]
        return cls(
            pcm=clip.reader.read("audio/pcm", clip.index)[samples],
            opening=measure_opening_ratio(meshes),
        )


# --- the file -----------------------------------------------------------------------------------


def check_video(path: Path, audio: Path, fps: int) -> dict[str, Any]:
    """What a player finds in a video, and whether it is as long as the recording."""
    num_samples = len(read_sound(audio))
    content = inspect_file(path)
    return {
        "seconds of speech": num_samples / SAMPLE_RATE,
        "frames asked for": num_samples * fps // SAMPLE_RATE,
        "frames": content.num_frames,
        "picture": content.picture,
        "sound": content.sound,
        "note": content.comment.partition(":")[0],
    }


# --- faces in it --------------------------------------------------------------------------------


def ingest_video(path: Path, fps: int) -> Path:
    """The dataset that `ttk ingest` makes of a video, made anew."""
    out = path.with_suffix("")
    shutil.rmtree(out, ignore_errors=True)
    ingest(path, IngestOptions(fps=fps, identity="stem"), out=out, workers=1)
    return out


def describe_faces(dataset: Path) -> dict[str, Any]:
    """What the toolkit measures in the one video of a dataset: mouth, head, eyes."""
    table = read_table(dataset, "clips")
    row: dict[str, Any] = {
        "seconds with a face": float(table["duration"].sum()),
        "mouth and loudness, r": math.nan,
        "picture late by, s": math.nan,
        "pitch, sd °": math.nan,
        "yaw, sd °": math.nan,
        "roll, sd °": math.nan,
        "blinks a second": math.nan,
        "seconds a blink": math.nan,
    }
    if table.empty:
        return row
    clips = load_render_clips(dataset, identity=str(table["identity"].iloc[0]))
    turns = np.concatenate([clip.pose[:, :3] - clip.pose[:, :3].mean(axis=0) for clip in clips])
    lids = measure_blinks((BlinkClip("", c.au45, c.valid) for c in clips), clips[0].fps)[""]
    weight = table["num_frames"] / table["num_frames"].sum()
    return row | {
        "mouth and loudness, r": float((table["mouth_audio_corr"] * weight).sum()),
        "picture late by, s": float(table["mouth_audio_lag"].median()),
        **{
            f"{name}, sd °": float(np.degrees(turns[:, k].std()))
            for k, name in enumerate(("pitch", "yaw", "roll"))
        },
        "blinks a second": lids.rate or 0.0,
        "seconds a blink": math.nan if lids.duration is None else lids.duration,
    }


@dataclass(frozen=True, kw_only=True)
class Conduct:
    """How a person of a dataset blinks, moves their head and rests their mouth.

    Attributes:
        blink_rate: blinks a second.
        head_range: mean over pitch, yaw and roll of their ranges within about 10 s, degrees.
        wide: opening of the mouth that is wide open, over the distance of the eyes.
        pause_openings: openings (k,) of the mouth in all frames of pauses, over the same.
        fps: frames a second.
    """

    blink_rate: float
    head_range: float
    wide: float
    pause_openings: Floats
    fps: int

    def describe(self, own: "Conduct") -> dict[str, Any]:
        """Column -> value; a mouth is closed by the measure of `own`, the person's real video."""
        num, closed = len(self.pause_openings), self.pause_openings <= CLOSED * own.wide
        return {
            "blinks a second": self.blink_rate,
            "head range, °": self.head_range,
            "seconds of pauses": num / self.fps,
            "of them with a closed mouth": float(closed.mean()) if num else math.nan,
        }


def measure_conduct(dataset: Path) -> Conduct | None:
    """Of the one person of a dataset; None where it shows no face."""
    table = read_table(dataset, "clips")
    if table.empty:
        return None
    clips = load_render_clips(dataset, identity=str(table["identity"].iloc[0]))
    spoken, fps = [SpokenClip.of(clip) for clip in clips], clips[0].fps
    lids = measure_blinks((BlinkClip("", c.au45, c.valid) for c in clips), fps)[""]
    resting = [part.opening[find_pauses(part.pcm, len(part.opening), fps)] for part in spoken]
    return Conduct(
        blink_rate=lids.rate or 0.0,
        head_range=float(np.mean([r for clip in clips for r in list_ranges(clip.pose, fps)])),
        wide=float(np.percentile(np.concatenate([part.opening for part in spoken]), WIDE)),
        pause_openings=np.concatenate(resting),
        fps=fps,
    )


def list_ranges(pose: npt.ArrayLike, fps: int) -> list[float]:
    """Range (degrees) of poses (n, 6) in each of equally long stretches of about 10 s."""
    poses = np.asarray(pose)
    number = max(1, round(len(poses) / (HEAD_SECONDS * fps)))
    return [measure_range(part) for part in np.array_split(poses, number)]


def find_pauses(pcm: npt.NDArray[np.int16], num_frames: int, fps: int) -> npt.NDArray[np.bool_]:
    """(n,) frames of pauses in samples (S,): at least 0.3 s in a row without speech in them."""
    steps = mark_speech(compute_speech_probability(pcm))
    middles = (np.arange(num_frames) + 0.5) / fps * SAMPLE_RATE
    silent = ~steps[np.minimum(middles / STEP, len(steps) - 1).astype(np.intp)]
    pauses = np.zeros(num_frames, bool)
    for first, last in list_runs(silent):
        pauses[first:last] = last - first >= PAUSE_SECONDS * fps - 1e-6
    return pauses


def list_mouths(held: Sequence[SpokenClip], video: Path, fps: int) -> dict[str, Floats]:
    """Level of held-out speech, and the mouth then: in the person's video and in the made one.

    Args:
        held: what was held out.
        video: dataset of the video made of its sound.
        fps: frames a second.
    """
    pcm = np.concatenate([part.pcm for part in held])
    num_frames = len(pcm) * fps // SAMPLE_RATE
    drawn = np.full(num_frames, np.nan)
    identities = read_table(video, "clips")["identity"].unique()
    for clip in (c for name in identities for c in load_render_clips(video, identity=str(name))):
        start = clip.reader.clips[clip.index].start_frame
        drawn[start : start + clip.num_frames] = SpokenClip.of(clip).opening[: num_frames - start]
    return {
        "level of the speech, dBFS": measure_level(pcm, (np.arange(num_frames) + 0.5) / fps),
        "his mouth in his own video": np.concatenate([part.opening for part in held])[:num_frames],
        "his mouth in the synthesised video": drawn,
    }
