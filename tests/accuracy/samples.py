"""Blinks, pose, mouth and audio–video offset against the truth of generated samples."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from toolkit.dataset.manifest import read_table
from toolkit.dataset.rows import measure_opening_ratio
from toolkit.dataset.shard import ShardReader
from toolkit.features.blink import find_blinks
from toolkit.ingest import ingest
from toolkit.sample import SampleOptions, make_samples
from zoo.metrics.events import TOLERANCE, Tally, match_events

_AXES = (("pitch", "°"), ("yaw", "°"), ("roll", "°"), ("tx", "mm"), ("ty", "mm"), ("tz", "mm"))


def make_dataset(out: Path, workers: int, *, clap: bool) -> Path:
    """Generate and ingest samples; returns the dataset's folder."""
    options = SampleOptions(identities=2 if clap else 5, clips=2 if clap else 4, clap=clap)
    if not (out / "videos" / "truth.json").is_file():
        make_samples(out / "videos", options)
    ingest([out / "videos"], out=out, workers=workers)
    return out


def list_clips(out: Path) -> Iterator[tuple[ShardReader, int, dict[str, Any]]]:
    """(shard, position, truth of its video) of every clip."""
    videos = json.loads((out / "videos" / "truth.json").read_text("utf-8"))["videos"]
    readers: dict[str, ShardReader] = {}
    for row in read_table(out, "clips").sort_values("source").itertuples():
        reader = readers.setdefault(row.shard, ShardReader(out / row.shard))
        yield reader, row.index, videos[Path(row.source).relative_to("videos").as_posix()]


def measure_sample_blinks(out: Path) -> dict[str, Any]:
    """Pooled counts of blink events, apex within 0.1 s."""
    pooled = Tally()
    for reader, index, truth in list_clips(out):
        clip, fps = reader.clips[index], reader.fps
        start, end = clip.start_frame, clip.start_frame + clip.num_frames
        found = find_blinks(np.asarray(reader.read("face/au45", index)), fps)
        true = [b["apex"] / fps for b in truth["blinks"] if start <= b["apex"] < end]
        times = [(start + blink.apex) / fps for blink in found]
        pooled.add(match_events(times, true, TOLERANCE))
    return {
        "true": pooled.target,
        "found": pooled.pred,
        "matched": pooled.hits,
        "precision": pooled.precision,
        "recall": pooled.recall,
    }


def measure_sample_pose(out: Path) -> list[dict[str, Any]]:
    """Per axis: correlation and slope over all clips, each about its own mean; difference."""
    ours, true = [], []
    for reader, index, truth in list_clips(out):
        clip = reader.clips[index]
        span = slice(clip.start_frame, clip.start_frame + clip.num_frames)
        ours.append(np.asarray(reader.read("face/pose", index), float))
        true.append(np.asarray(truth["pose"], float)[span])
    scale = np.array([180 / np.pi] * 3 + [1.0] * 3)
    rows = []
    for axis, (name, unit) in enumerate(_AXES):
        a = [clip[:, axis] * scale[axis] for clip in ours]
        b = [clip[:, axis] * scale[axis] for clip in true]
        x = np.concatenate([clip - clip.mean() for clip in a])
        y = np.concatenate([clip - clip.mean() for clip in b])
        rows.append(
            {
                "axis": name,
                "unit": unit,
                "r": float(np.corrcoef(x, y)[0, 1]),
                "slope": float(x @ y / (y @ y)),
                "mean abs. difference about the mean": float(np.abs(x - y).mean()),
                "offset": float(np.mean(np.concatenate(a)) - np.mean(np.concatenate(b))),
            }
        )
    return rows


def measure_sample_mouth(out: Path) -> float:
    """Correlation of the inner lips' distance with the true opening, median over clips."""
    values = []
    for reader, index, truth in list_clips(out):
        clip = reader.clips[index]
        span = slice(clip.start_frame, clip.start_frame + clip.num_frames)
        opening = measure_opening_ratio(np.asarray(reader.read("face/landmarks", index)))
        values.append(np.corrcoef(opening, np.asarray(truth["opening"])[span])[0, 1])
    return float(np.median(values))


def measure_clap_offset(out: Path) -> dict[str, float]:
    """Frames between a click's first loud sample and the mouth's first open frame."""
    offsets = []
    for reader, index, truth in list_clips(out):
        clip, fps = reader.clips[index], reader.fps
        pcm = np.abs(np.asarray(reader.read("audio/pcm", index), np.int32))
        opening = measure_opening_ratio(np.asarray(reader.read("face/landmarks", index)))
        loud = np.flatnonzero(pcm > 0.3 * pcm.max())
        onsets = loud[np.diff(loud, prepend=-16_000) > 4_000] * fps / 16_000
        half = (opening.max() + np.median(opening)) / 2
        opens = np.flatnonzero((opening[1:] >= half) & (opening[:-1] < half)) + 1
        inside = [c - clip.start_frame for c in truth["claps"]]
        for onset in onsets[[min(abs(o - c) for c in inside) < 3 for o in onsets]]:
            offsets.append(float(opens[np.abs(opens - onset).argmin()] - onset))
    return {
        "claps": len(offsets),
        "median": float(np.median(offsets)),
        "largest": float(np.abs(offsets).max()),
    }
