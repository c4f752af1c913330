"""AU45 and head pose against OpenFace's rows for the same frames: one opinion, not the truth."""

import functools
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tests.accuracy.real import RealClip, read_times

AXES = {
    "pitch": ("pose_Rx", 0, 180 / np.pi, "°"),
    "yaw": ("pose_Ry", 1, 180 / np.pi, "°"),
    "roll": ("pose_Rz", 2, 180 / np.pi, "°"),
    "tx": ("pose_Tx", 3, 1.0, "mm"),
    "ty": ("pose_Ty", 4, 1.0, "mm"),
    "tz": ("pose_Tz", 5, 1.0, "mm"),
}
_MOVING = {"°": 1.0, "mm": 3.0}
"""Clips whose OpenFace value varies by more than this (standard deviation) have a correlation."""


def read_rows(clip: RealClip, folder: Path) -> "pd.DataFrame | None":
    """OpenFace's rows, one per decoded frame; None where there are none, or another number."""
    path = folder / "reference" / "openface" / (clip.name.replace("/", "__") + ".csv")
    if not path.is_file():
        return None
    rows = _read(path)
    return rows if len(rows) == len(read_times(clip.path)) else None


@functools.cache
def _read(path: Path) -> pd.DataFrame:
    rows = pd.read_csv(path)
    return rows.rename(columns=str.strip)


def compare_openface(clips: Iterable[RealClip], folder: Path) -> list[dict[str, Any]]:
    """Per axis: median over clips of correlation, absolute difference and offset."""
    samples: dict[str, list[tuple[float, ...]]] = {}
    for clip in clips:
        rows = read_rows(clip, folder)
        if rows is None:
            continue
        rows = rows.iloc[clip.source_index]
        good = ((rows["success"] == 1) & (rows["confidence"] >= 0.7)).to_numpy()
        good = good & np.asarray(clip.read("face/valid"), bool)
        if good.sum() < 30:
            continue
        pose = np.asarray(clip.read("face/pose"), float)
        for name, (column, axis, factor, unit) in AXES.items():
            theirs, ours = rows[column].to_numpy(float) * factor, pose[:, axis] * factor
            samples.setdefault(name, []).append(_compare(ours[good], theirs[good], _MOVING[unit]))
        au45 = np.asarray(clip.read("face/au45"), float)
        theirs = rows["AU45_r"].to_numpy(float)
        samples.setdefault("AU45", []).append(_compare(au45[good], theirs[good], 0.3))
    return [_summarise(name, values) for name, values in samples.items()]


def _compare(ours: Any, theirs: Any, moving: float) -> tuple[float, ...]:
    """Correlation and ratio of standard deviations (NaN without motion), difference, offset."""
    correlation = ratio = float("nan")
    if theirs.std() > moving and ours.std() > 0:
        correlation = float(np.corrcoef(ours, theirs)[0, 1])
        ratio = float(ours.std() / theirs.std())
    difference = float(np.abs(ours - theirs).mean())
    return correlation, ratio, difference, float(np.median(ours - theirs))


def _summarise(name: str, values: list[tuple[float, ...]]) -> dict[str, Any]:
    table = np.array(values)
    moving = np.isfinite(table[:, 0])
    unit = AXES[name][3] if name in AXES else "0–5"
    return {
        "axis": name,
        "unit": unit,
        "clips": len(table),
        "clips that move": int(moving.sum()),
        "median r": float(np.median(table[moving, 0])),
        "lower quartile r": float(np.quantile(table[moving, 0], 0.25)),
        "median ratio of sd": float(np.median(table[moving, 1])),
        "median abs. difference": float(np.median(table[:, 2])),
        "median offset": float(np.median(table[:, 3])),
    }
