"""How metrics move when a video gets worse, and when it does not: tables of docs/metrics.md."""

import functools
import math
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tests.accuracy.changed import KEPT, STRENGTHS, read_face, write_changed
from zoo.evaluation.options import EvaluationOptions
from zoo.evaluation.pairing import Task
from zoo.evaluation.systems import evaluate_task
from zoo.metrics.table import METRICS, Metric

Values = Mapping[str, Mapping[str, float]]
"""Name of a copy -> metric -> value."""

VIDEOS = (
    "_derived/vidtimit_fadg0/sa1.mp4",
    "OpenTalker_video-retalking/examples/face/4.mp4",
    "osalinasv_lipnet/grid_s1/bbaf2n.mkv",
    "hieubkvn123_face_recognition/videos/obama.mp4",
)
NUM_MEASURED = 3
"""Of them; the last is the other face of the one before it."""

_PICTURES = ("psnr", "ssim")
_SHAPES = ("lmd", "landmark_distance", "aed", "mouth.error")
SHOULD: dict[str, tuple[str, ...]] = {
    "blur": (*_PICTURES, "cpbd"),
    "noise": _PICTURES,
    "late": (*_PICTURES, *_SHAPES, "lvd", "apd", "mouth_sound.lag", "theval.lip_sync"),
    "frozen mouth": (*_PICTURES, "lmd.mouth", "lvd.mouth", "landmark_distance.mouth", "aed",
                     "mouth.error", "mouth_sound.correlation", "theval.lip"),
    "frozen eyes": (*_PICTURES, "lmd.face", "lvd.face", "blinks.rate", "blinks.stretches"),
    "jitter": (*_PICTURES, "landmark_distance", "apd", "lvd.face", "pose.speed",
               "theval.head_motion"),
    "other face": (*_PICTURES, *_SHAPES, "apd", "identity.csim", "identity.distance",
                   "identity.acd_reference", "identity.map_distance"),
}  # fmt: skip
"""What is done -> beginnings of the metrics' names that it should worsen."""


def should_worsen(metric: str, change: str) -> bool:
    """Whether it is meant to."""
    return metric.startswith(SHOULD[change])


def list_tables(folder: Path) -> dict[str, Callable[[], str]]:
    """Name of each table -> what writes it."""

    @functools.cache
    def measure() -> list[Values]:
        return measure_copies([folder / name for name in VIDEOS])

    return {
        "metrics-moves": lambda: write_moves(measure()),
        "metrics-kept": lambda: write_kept(measure()),
    }


def measure_copies(videos: Sequence[Path], **chosen: Sequence[str]) -> list[Values]:
    """Every metric of every copy of each video; the other face is the next video's.

    Args:
        videos: where there is one, the other face is its own.
        chosen: `changes` and `same` of `write_changed`.
    """
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        faces = [read_face(path, root / "faces" / str(k)) for k, path in enumerate(videos)]
        found = []
        for k, face in enumerate(faces[:NUM_MEASURED]):
            other = faces[(k + 1) % len(faces)]
            files = write_changed(face, other, root / str(k), **chosen)
            real = files.pop("real")
            task = Task(name=str(k), systems=files, real=real, needs_real=True)
            rows = evaluate_task(task, EvaluationOptions())
            errors = [f"{row.system}: {row.error}" for row in rows if row.error]
            if errors:
                raise RuntimeError("; ".join(errors))
            found.append({row.system: dict(row.measured.values) for row in rows})
        return found


def list_measured(found: Sequence[Values]) -> list[Metric]:
    """Metrics of which a video has a value: those whose judge is not installed have none."""
    names = {name for values in found for copy in values.values() for name in copy}
    return [metric for metric in METRICS.values() if metric.name in names]


def find_change(metric: Metric, found: Sequence[Values], copy: str) -> float:
    """How much worse a copy is than the real video, mean over the videos that have both values.

    In the metric's unit; PSNR, infinite for the real video, is its negative.
    """
    changes = [
        _worsen(metric, values[copy][metric.name], values["real"].get(metric.name, math.inf))
        for values in found
        if metric.name in values[copy]
        and (metric.name in values["real"] or metric.name.startswith("psnr"))
    ]
    return float(np.mean(changes)) if changes else math.nan


def _worsen(metric: Metric, value: float, real: float) -> float:
    if metric.name.startswith("psnr"):
        return -value
    if metric.better == "near":
        return abs(value - real)
    return value - real if metric.better == "lower" else real - value


def find_not_monotone(found: Sequence[Values]) -> dict[str, list[str]]:
    """What is done -> metrics that it should worsen, and that do not at each further strength."""
    return {
        change: [
            metric.name
            for metric in list_measured(found)
            if should_worsen(metric.name, change) and not _is_monotone(metric, found, change)
        ]
        for change in STRENGTHS
    }


def _is_monotone(metric: Metric, found: Sequence[Values], change: str) -> bool:
    steps = [find_change(metric, found, f"{change} {k}") for k in range(3)]
    first = -math.inf if metric.name.startswith("psnr") else 0.0
    return all(b > a for a, b in zip([first, *steps], steps, strict=False))


def write_moves(found: Sequence[Values]) -> str:
    """Three changes a cell, "†" where the metric should worsen and does not at each step."""
    bad = find_not_monotone(found)
    rows = [
        {"metric": f"`{metric.name}`"}
        | {change: _write_cell(metric, found, change, bad) for change in STRENGTHS}
        for metric in list_measured(found)
    ]
    lines = [
        f"- {change}: {', '.join(f'`{name}`' for name in names) or 'none'}"
        for change, names in bad.items()
    ]
    text = "Metrics that should worsen and do not at each step:"
    return _write_rows(rows) + f"\n\n{text}\n\n" + "\n".join(lines)


def _write_cell(
    metric: Metric, found: Sequence[Values], change: str, bad: Mapping[str, Sequence[str]]
) -> str:
    steps = [find_change(metric, found, f"{change} {k}") for k in range(3)]
    text = " · ".join(write_number(abs(s) if metric.name.startswith("psnr") else s) for s in steps)
    if metric.name in bad[change]:
        return f"{text} †"
    return f"**{text}**" if should_worsen(metric.name, change) else text


def write_kept(found: Sequence[Values]) -> str:
    """Changes by what should move nothing, beside the gap of a worse video."""
    rows = []
    for metric in list_measured(found):
        gap = find_gap(metric, found)
        row = {"metric": f"`{metric.name}`", "worse video": write_number(gap)}
        changes = {name: find_change(metric, found, name) for name in KEPT}
        if metric.name.startswith("psnr"):
            changes, row["worse video"] = {n: -v for n, v in changes.items()}, write_number(-gap)
        rows.append(row | {name: write_number(value) for name, value in changes.items()})
    return _write_rows(rows)


def find_gap(metric: Metric, found: Sequence[Values]) -> float:
    """Median change at the middle strength, over what should worsen the metric; NaN: nothing."""
    changes = [
        find_change(metric, found, f"{change} 1")
        for change in STRENGTHS
        if should_worsen(metric.name, change)
    ]
    return float(np.median(changes)) if changes else math.nan


def write_number(value: float) -> str:
    """Two or three digits."""
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞"
    if abs(value) < 5e-5:
        return "0"
    text = f"{value:.2g}" if abs(value) < 100 else f"{value:.0f}"
    return text.replace("-", "−")


def _write_rows(rows: Sequence[Mapping[str, Any]]) -> str:
    columns = list(rows[0])
    lines = [columns, ["---"] * len(columns), *([row[name] for name in columns] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
