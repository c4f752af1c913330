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
from toolkit.ingest import ingest
from toolkit.ingest.options import IngestOptions
from toolkit.media.audio import read_sound
from toolkit.media.inspect_file import inspect_file
from toolkit.preview.traces import measure_level
from zoo.data.frames import RenderClip, load_render_clips
from zoo.metrics.blinks import BlinkClip, measure_blinks

Floats = npt.NDArray[np.float64]


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
