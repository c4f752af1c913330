"""Which values a row of a manifest's table may hold, whatever wrote it."""

import itertools
import math
from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from toolkit.schema import Reason

_MORE = math.inf
_TURN = (-2 * math.pi, 2 * math.pi)

RANGES: dict[str, tuple[float, float]] = {
    "start_frame": (0, _MORE), "num_frames": (1, _MORE), "fps": (1, _MORE), "index": (0, _MORE),
    "width": (1, _MORE), "height": (1, _MORE), "source_fps": (0, _MORE), "face_size": (0, _MORE),
    "sharpness": (0, _MORE), "outside_share": (0, 1), "valid_share": (0, 1),
    "num_pictures": (0, _MORE), "num_blinks": (0, _MORE), "pitch_min": _TURN, "pitch_max": _TURN,
    "yaw_min": _TURN, "yaw_max": _TURN, "roll_min": _TURN, "roll_max": _TURN,
    "speech_share": (0, 1),
    "loudness": (-120, 0), "mouth_audio_corr": (-1, 1), "mouth_audio_lag": (-1, 1),
    "start": (0, _MORE), "size": (0, _MORE), "mtime_ns": (-_MORE, _MORE), "num_clips": (0, _MORE),
}  # fmt: skip
"""Column -> least and greatest value; null, which pandas has as NaN, is always allowed."""

NEVER_NULL = (
    "clip_id", "identity", "source", "source_sha256", "start_frame", "num_frames", "source_start",
    "duration", "fps", "shard", "shard_sha256", "index", "options_digest", "schema_version", "job",
    "ingested_at",
)  # fmt: skip
"""Columns of `clips` that are never null; those of other tables never are."""

_ROUNDING = 1e-6


def find_rows_outside(rows: pd.DataFrame) -> pd.DataFrame:
    """Those rows of a table of which `find_outside` finds fault: a million of them in seconds."""
    wrong = np.zeros(len(rows), bool)
    spans = {name: span for name, span in RANGES.items() if name in rows}
    if "clip_id" not in rows:
        spans["duration"] = (0, _MORE)
    values = {name: rows[name].to_numpy(np.float64, na_value=np.nan) for name in spans}
    for name, (least, most) in spans.items():
        wrong |= (values[name] < least - _ROUNDING) | (values[name] > most + _ROUNDING)
        wrong |= values[name] == _MORE
    if "reason" in rows:
        wrong |= ~rows["reason"].isin([str(reason) for reason in Reason]).to_numpy()
    if "clip_id" in rows:
        wrong |= values["num_pictures"] > values["num_frames"] + _ROUNDING
        for name in ("pitch", "yaw", "roll"):
            wrong |= values[f"{name}_min"] > values[f"{name}_max"]
        wrong |= ~_fit_all_blinks(rows)
    return rows[wrong]


def _fit_all_blinks(rows: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """`_fit_blinks` of every row."""
    onsets, offsets = rows["blink_onsets"].tolist(), rows["blink_offsets"].tolist()
    numbers, others = (
        np.array([len(each) if hasattr(each, "__len__") else -1 for each in column], np.int64)
        for column in (onsets, offsets)
    )
    fit = np.asarray(numbers == others, bool)
    chosen = np.flatnonzero(fit & (numbers > 0))
    if not len(chosen):
        return fit
    ends = np.cumsum(numbers[chosen])
    edges = np.empty(2 * ends[-1])
    edges[::2] = np.concatenate([onsets[row] for row in chosen])
    edges[1::2] = np.concatenate([offsets[row] for row in chosen])
    falls = ~(edges[1:] >= edges[:-1] - _ROUNDING)
    falls[2 * ends[:-1] - 1] = False  # from one clip to the next
    of_row = np.repeat(np.arange(len(chosen)), 2 * numbers[chosen])
    bad = np.zeros(len(chosen), bool)
    bad[of_row[1:][falls]] = True
    bad |= ~(edges[2 * (ends - numbers[chosen])] >= -_ROUNDING)
    durations = rows["duration"].to_numpy(np.float64)[chosen]
    bad |= ~(edges[2 * ends - 1] <= durations + _ROUNDING)
    fit[chosen[bad]] = False
    return fit


def find_outside(row: Mapping[str, object]) -> list[str]:
    """Columns of a row of `clips`, `rejected` or `sources` that hold what cannot be."""
    wrong = [name for name, span in RANGES.items() if name in row and not _lies_in(row[name], span)]
    if row.get("reason", Reason.FAILED) not in {*Reason}:
        wrong.append("reason")
    if "clip_id" not in row:
        return wrong if _lies_in(row["duration"], (0, _MORE)) else [*wrong, "duration"]
    if not _lies_in(row["num_pictures"], (0, float(str(row["num_frames"])))):
        wrong.append("num_pictures")
    for name in ("pitch", "yaw", "roll"):
        low, high = row[f"{name}_min"], row[f"{name}_max"]
        if isinstance(low, float) and isinstance(high, float) and low > high:
            wrong.append(f"{name}_min")
    return wrong if _fit_blinks(row) else [*wrong, "blink_onsets"]


def _lies_in(value: object, span: tuple[float, float]) -> bool:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return True
    return span[0] - _ROUNDING <= float(str(value)) <= span[1] + _ROUNDING and value != _MORE


def _fit_blinks(row: Mapping[str, object]) -> bool:
    """Whether each blink ends after it begins, before the next one and within the clip."""
    onsets, offsets = (_list(row[name]) for name in ("blink_onsets", "blink_offsets"))
    if onsets is None or offsets is None:
        return onsets is offsets
    edges = [
        0.0,
        *itertools.chain(*zip(onsets, offsets, strict=False)),
        float(str(row["duration"])),
    ]
    return len(onsets) == len(offsets) and all(
        before <= after + _ROUNDING for before, after in itertools.pairwise(edges)
    )


def _list(values: object) -> list[float] | None:
    return [float(value) for value in values] if isinstance(values, Iterable) else None
