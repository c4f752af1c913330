"""How often and how long people blink, from the manifest, beside what the papers state."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

STRETCH = 4.0
"""Seconds: FACIAL's Fig. 9 counts blinks in test clips of about this length."""

HUMAN_RATE = (0.28, 0.45)
"""Blinks a second of people who talk, as FACIAL quotes it."""

HUMAN_INTERVAL = 0.41
"""Seconds: what FACIAL calls the average human inter-blink duration.

Onsets 0.41 s apart would be 2.4 blinks a second, which contradicts `HUMAN_RATE`: it stands beside
both the duration of a blink and the interval.
"""


@dataclass(frozen=True, kw_only=True)
class BlinkStats:
    """Blinks of one group of clips; None where there is nothing to average.

    Attributes:
        name: of the group.
        num_blinks: in clips that have AU45.
        valid_seconds: of these clips: duration times share of valid frames.
        rate: blinks per valid second, pooled.
        duration: mean time from onset to offset, s.
        interval: mean time between successive onsets of a clip, s.
        stretches: how many 4 s stretches have 0, 1, 2 … blinks.
        durations: how many blinks last 0, 1, 2 … frames.
        fps: frames a second.
    """

    name: str
    num_blinks: int
    valid_seconds: float
    rate: float | None
    duration: float | None
    interval: float | None
    stretches: tuple[int, ...]
    durations: tuple[int, ...]
    fps: int


def describe_blinks(name: str, clips: pd.DataFrame) -> BlinkStats:
    """Blinks of some rows of the clips table; clips without AU45 are left out."""
    known = clips[clips["num_blinks"].notna()]
    onsets = [np.asarray(values, np.float64) for values in known["blink_onsets"]]
    offsets = [np.asarray(values, np.float64) for values in known["blink_offsets"]]
    fps = int(known["fps"].iloc[0]) if len(known) else 30
    durations = _join([end - start for start, end in zip(onsets, offsets, strict=True)])
    intervals = _join([np.diff(start) for start in onsets])
    counts = _count_stretches(onsets, known["duration"].to_numpy(np.float64))
    seconds = float((known["duration"] * known["valid_share"]).sum())
    num_blinks = int(known["num_blinks"].sum())
    return BlinkStats(
        name=name,
        num_blinks=num_blinks,
        valid_seconds=seconds,
        rate=num_blinks / seconds if seconds else None,
        duration=float(durations.mean()) if len(durations) else None,
        interval=float(intervals.mean()) if len(intervals) else None,
        stretches=_histogram(counts),
        durations=_histogram(durations * fps),
        fps=fps,
    )


def count_stretches(onsets: npt.NDArray[np.float64], duration: float) -> npt.NDArray[np.float64]:
    """Blinks that begin in each whole 4 s stretch of a clip; the rest of the clip is left out.

    Args:
        onsets: (b,) s from the clip's start.
        duration: of the clip, s.

    Returns:
        (duration // 4,) counts.
    """
    return _count_stretches([onsets], np.array([duration], np.float64))


def _count_stretches(
    onsets: list[npt.NDArray[np.float64]], durations: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """The same of many clips, one behind the other; in one go, for there may be a million."""
    numbers = ((durations + 1e-6) // STRETCH).astype(np.int64)
    firsts = np.cumsum(numbers) - numbers
    clip = np.repeat(np.arange(len(onsets)), [len(each) for each in onsets])
    stretch = ((_join(onsets) + 1e-6) // STRETCH).astype(np.int64)
    is_whole = (stretch >= 0) & (stretch < numbers[clip])
    places = (firsts[clip] + stretch)[is_whole]
    return np.bincount(places, minlength=int(numbers.sum())).astype(np.float64)


def _join(parts: list[npt.NDArray[np.float64]]) -> npt.NDArray[np.float64]:
    return np.concatenate([np.empty(0), *parts])


def _histogram(values: npt.NDArray[np.float64]) -> tuple[int, ...]:
    return tuple(np.bincount(np.rint(values).astype(np.int64)).tolist())
