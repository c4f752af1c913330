"""Blink events and AU45 against blinks read by eye, and against OpenFace."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from tests.accuracy.openface import read_rows
from tests.accuracy.real import RealClip, read_times
from toolkit.features.blink import find_blinks
from zoo.metrics.events import TOLERANCE, Tally, match_events

_FIRST_FRAMES = {"deerajnagothu_face2face-demo/obama.mp4": 600}
"""Videos whose blinks were read in their first frames only."""


def measure_blinks(clips: Iterable[RealClip], folder: Path) -> list[dict[str, Any]]:
    """One row per labelled video and method: counts, precision, recall; pooled rows last."""
    truth = json.loads((folder / "blinks.json").read_text("utf-8"))
    rows: list[dict[str, Any]] = []
    pooled: dict[str, Tally] = {}
    by_name = _group(clips)
    for name, label in sorted(truth.items()):
        if name not in by_name:
            continue
        for method, events in _find_events(by_name[name], folder).items():
            tally = _score(by_name[name], events, label)
            pooled.setdefault(method, Tally()).add(tally)
            rows.append(_row(name, method, tally))
    return rows + [_row("all", method, tally) for method, tally in pooled.items()]


def _group(clips: Iterable[RealClip]) -> dict[str, list[RealClip]]:
    groups: dict[str, list[RealClip]] = {}
    for clip in clips:
        groups.setdefault(clip.name, []).append(clip)
    return groups


def _find_events(clips: list[RealClip], folder: Path) -> dict[str, list[float]]:
    """Apex times (s) by each method, over all clips of a video."""
    events: dict[str, list[float]] = {"ttk": [], "EAR threshold": [], "OpenFace AU45_r > 1": []}
    for clip in clips:
        times = np.asarray(clip.read("video/source_time"), float)
        blinks = find_blinks(np.asarray(clip.read("face/au45"), np.float32), clip.fps)
        events["ttk"] += [float(times[blink.apex]) for blink in blinks]
        ear = np.asarray(clip.read("face/ear"), float).mean(1)
        level = _running_open_level(ear, clip.fps)
        events["EAR threshold"] += _runs(ear / level < 0.75, -ear / level, times, clip.fps)
        rows = read_rows(clip, folder)
        if rows is not None:
            au45 = rows["AU45_r"].to_numpy(float)[clip.source_index]
            events["OpenFace AU45_r > 1"] += _runs(au45 > 1, au45, times, clip.fps)
    if not any(read_rows(clip, folder) is not None for clip in clips):
        del events["OpenFace AU45_r > 1"]
    return events


def _running_open_level(ear: Any, fps: int) -> Any:
    from scipy.ndimage import percentile_filter

    return percentile_filter(ear, 80, size=3 * fps, mode="nearest")


def _runs(active: Any, height: Any, times: Any, fps: int) -> list[float]:
    """Times of the highest frame of every run no longer than 0.5 s."""
    edges = np.flatnonzero(np.diff(np.r_[False, active, False].astype(int)))
    spans = [(a, b) for a, b in edges.reshape(-1, 2) if (b - a) / fps <= 0.5]
    return [float(times[a + int(np.argmax(height[a:b]))]) for a, b in spans]


def _score(clips: list[RealClip], events: list[float], label: dict[str, Any]) -> Tally:
    times = read_times(clips[0].path)
    last = _FIRST_FRAMES.get(clips[0].name, len(times))
    covered = [np.asarray(clip.read("video/source_time"), float) for clip in clips]

    def seen(frames: list[int]) -> list[float]:
        moments = [float(times[frame]) for frame in frames if frame < len(times)]
        return [t for t in moments if any(c[0] - 1e-6 <= t <= c[-1] + 1e-6 for c in covered)]

    limit = times[min(last, len(times)) - 1]
    found = [t for t in events if t <= limit + 1e-6]
    return match_events(found, seen(label["blinks"]), TOLERANCE, seen(label["uncertain"]))


def _row(name: str, method: str, tally: Tally) -> dict[str, Any]:
    return {
        "video": name,
        "method": method,
        "true": tally.target,
        "found": tally.pred,
        "matched": tally.hits,
        "precision": tally.precision,
        "recall": tally.recall,
    }
