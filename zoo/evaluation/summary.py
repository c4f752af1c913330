"""Means over videos with their intervals, and which system is best."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from zoo.evaluation.pairing import REAL, STILL
from zoo.evaluation.systems import VideoRow, list_systems
from zoo.metrics.intervals import bootstrap_interval
from zoo.metrics.series import average_finite
from zoo.metrics.table import METRICS, Metric

_NOTHING = 1e-9
"""Below this a value is rounding and is shown as 0."""

UNEVEN = "Each system's means are over the videos it has: they are not the same videos."


@dataclass(frozen=True)
class Mean:
    """A system's mean of a metric over its videos.

    Attributes:
        value: of the videos with a finite value; infinite where all are.
        low, high: 95 % interval of the bootstrap over these videos; NaN below two.
        num_videos: so many.
    """

    value: float
    low: float
    high: float
    num_videos: int


Summary = dict[str, dict[str, Mean]]
"""Metric -> system -> mean, of systems that have a value."""


def summarise(
    rows: Sequence[VideoRow], metrics: Sequence[Metric], sets: "Summary | None" = None
) -> Summary:
    """Means of every metric and system over the videos that have a value.

    `sets`: metric -> system -> mean, of those that are of all videos together (`score_sets`).
    """
    found: Summary = {}
    for metric in metrics:
        if sets and metric.name in sets:
            found[metric.name] = dict(sets[metric.name])
        for system in list_systems(rows):
            values = [
                row.measured.values[metric.name]
                for row in rows
                if row.system == system and metric.name in row.measured.values
            ]
            if values:
                found.setdefault(metric.name, {})[system] = average(values)
    return found


def average(values: Sequence[float]) -> Mean:
    """Mean of videos' values, with its interval; see `Mean`."""
    known = np.asarray([value for value in values if math.isfinite(value)], np.float64)
    mean = average_finite(values)
    if not len(known):
        return Mean(mean, math.nan, math.nan, len(values))
    interval = bootstrap_interval(
        lambda videos: float(known[videos].mean()), [len(known)], block=1
    )  # a video a sample, drawn with repetition
    low, high = (math.nan if end is None else end for end in (interval.low, interval.high))
    return Mean(mean, low, high, len(known))


def find_best(metric: str, means: Mapping[str, Mean]) -> set[str]:
    """The systems whose mean is best, of at least two; none where all are equal.

    Where the nearer to the real video's value the better, that is the row of the real videos. That
    row and the still picture's are no systems.
    """
    systems = {name: mean.value for name, mean in means.items() if name not in (REAL, STILL)}
    better = METRICS[metric].better
    if len(systems) < 2 or (better == "near" and REAL not in means):
        return set()
    if better == "near":
        target = means[REAL].value
        systems = {name: -abs(value - target) for name, value in systems.items()}
    elif better == "lower":
        systems = {name: -value for name, value in systems.items()}
    best = max(systems.values())
    if best == min(systems.values()):
        return set()
    return {name for name, value in systems.items() if value == best}


def rank_worst(rows: Sequence[VideoRow], num: int) -> list[VideoRow]:
    """The systems' videos with the worst mean rank over the metrics that have a direction."""
    own = [row for row in rows if row.system not in (REAL, STILL) and not row.error]
    ranks: dict[int, list[float]] = {id(row): [] for row in own}
    for metric in METRICS.values():
        having = [row for row in own if metric.name in row.measured.values]
        if metric.better == "near" or len(having) < 2:
            continue
        sign = -1 if metric.better == "higher" else 1
        values = np.array([sign * row.measured.values[metric.name] for row in having])
        shares = (values[:, None] > values).mean(axis=1)
        for row, share in zip(having, shares.tolist(), strict=True):
            ranks[id(row)].append(share)
    own.sort(key=lambda row: -float(np.mean(ranks[id(row)] or [0.0])))
    return own[:num]


def write_value(value: float) -> str:
    """A number with four significant digits, as tables show it."""
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if abs(value) < _NOTHING:
        return "0"
    text = f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return text.replace("-", "−") if "e" not in text else f"{value:.1e}".replace("-", "−")


def write_unit(metric: Metric) -> str:
    """A metric's unit, as tables show it: nothing where it has none."""
    return "" if metric.unit == "none" else metric.unit


def write_mean(mean: Mean) -> str:
    """A mean with its interval, if it has one: `0.91 (0.88–0.93)`."""
    if math.isnan(mean.low):
        return write_value(mean.value)
    between = "–" if mean.low >= 0 else " to "  # a dash beside a minus cannot be read
    ends = f"{write_value(mean.low)}{between}{write_value(mean.high)}"
    return f"{write_value(mean.value)} ({ends})"
