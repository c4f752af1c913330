"""How values lie over videos, and blinks over stretches and durations, as pictures of a report."""

import io
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from toolkit.names import write_name
from zoo.evaluation.measure import Blinks
from zoo.evaluation.summary import write_unit
from zoo.evaluation.systems import VideoRow
from zoo.metrics.series import average_finite
from zoo.metrics.table import Metric

MAX_COUNT = 5
"""Blinks of a stretch from which on they count together."""

EDGES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, math.inf)
"""Of the bins of a blink's duration, s."""

DEFINITIONS = {"half": "peaks of AU45, at half height", "das": "drops of the eye aspect ratio"}


def draw_distributions(
    rows: Sequence[VideoRow], systems: Sequence[str], metrics: Sequence[Metric]
) -> bytes:
    """Every video's value as a dot, a line of dots for each system: a PNG, empty without values."""
    shown = []
    for metric in metrics:
        values = [
            [row.measured.values.get(metric.name, math.nan) for row in rows if row.system == system]
            for system in systems
        ]
        if any(math.isfinite(value) for row in values for value in row):
            shown.append((metric, values))
    if not shown:
        return b""
    columns = 4
    num = -(-len(shown) // columns)
    size = (13, (0.9 + 0.22 * len(systems)) * num)
    figure = Figure(figsize=size, dpi=80, layout="constrained")
    places = figure.subplots(num, columns, squeeze=False).ravel()
    for axes in places[len(shown) :]:
        axes.set_axis_off()
    for axes, (metric, values) in zip(places, shown, strict=False):
        for place, row in enumerate(values):
            known = [value for value in row if math.isfinite(value)]
            axes.plot(known, [place] * len(known), "o", markersize=4, alpha=0.5)
            if known:
                axes.plot(
                    [average_finite(known)] * 2, [place - 0.35, place + 0.35], "k", linewidth=1.5
                )
        axes.set_yticks(range(len(systems)), [shorten(name) for name in systems], fontsize=7)
        axes.set_ylim(len(systems) - 0.5, -0.5)
        axes.tick_params(axis="x", labelsize=7)
        axes.locator_params(axis="x", nbins=5)
        axes.grid(axis="x", alpha=0.3)
        title = ", ".join(filter(None, (metric.name, write_unit(metric))))
        axes.set_title(title, fontsize=8, loc="left")
    return _save(figure)


def draw_blinks(rows: Sequence[VideoRow], systems: Sequence[str]) -> bytes:
    """FACIAL's Fig. 9 (ICCV 2021), by every definition of a blink that was measured: a PNG.

    Left, shares of the stretches of 4 s that have 0, 1, 2 … blinks; right, shares of the blinks
    that last so long. Empty where no video has a whole stretch or a blink.
    """
    places = [
        (name, part)
        for name in DEFINITIONS
        for part in (_pool_counts, _pool_durations)
        if any(sum(part(rows, system, name)) for system in systems)
    ]
    if not places:
        return b""
    figure = Figure(figsize=(11, 2.8 * -(-len(places) // 2)), dpi=80, layout="constrained")
    shown = figure.subplots(-(-len(places) // 2), 2, squeeze=False).ravel()
    for axes in shown[len(places) :]:
        axes.set_axis_off()
    for axes, (name, part) in zip(shown, places, strict=False):
        _draw_bars(axes, {system: part(rows, system, name) for system in systems})
        labels, text = _LABELS[part]
        axes.set_xticks(range(len(labels)), labels, fontsize=8)
        axes.set_xlabel(text, fontsize=8)
        axes.set_title(f"{name}: {DEFINITIONS[name]}", fontsize=9, loc="left")
    return _save(figure)


def _draw_bars(axes: Any, histograms: dict[str, list[int]]) -> None:
    """Shares of each histogram, side by side; its sum stands in the legend."""
    known = {name: counts for name, counts in histograms.items() if sum(counts)}
    width = 0.8 / len(known)
    for k, (name, counts) in enumerate(known.items()):
        where = np.arange(len(counts)) - 0.4 + width * (k + 0.5)
        label = f"{shorten(name)} ({sum(counts)})"
        axes.bar(where, np.array(counts) / sum(counts), width, label=label)
    axes.tick_params(axis="y", labelsize=8)
    axes.grid(axis="y", alpha=0.3)
    axes.legend(fontsize=8)


def _pool_counts(rows: Sequence[VideoRow], system: str, name: str) -> list[int]:
    """Stretches of a system's videos with 0, 1, 2 … blinks."""
    counts = [min(n, MAX_COUNT) for blinks in _list(rows, system, name) for n in blinks.counts]
    return [counts.count(number) for number in range(MAX_COUNT + 1)]


def _pool_durations(rows: Sequence[VideoRow], system: str, name: str) -> list[int]:
    """Blinks of a system's videos in each bin of durations."""
    known = [s + 1e-6 for blinks in _list(rows, system, name) for s in blinks.durations]
    return [int(n) for n in np.histogram(known, EDGES)[0]]


def _list(rows: Sequence[VideoRow], system: str, name: str) -> list[Blinks]:
    return [
        row.measured.blinks[name]
        for row in rows
        if row.system == system and name in row.measured.blinks
    ]


_LABELS: dict[Callable[..., list[int]], tuple[list[str], str]] = {
    _pool_counts: (
        [*map(str, range(MAX_COUNT)), f"{MAX_COUNT} or more"], "blinks in a stretch of 4 s"
    ),
    _pool_durations: (
        [*(f"{a:g} to {b:g}" for a, b in itertools.pairwise(EDGES[:-1])),
         f"{EDGES[-2]:g} or more"],
        "duration of a blink, s",
    ),
}  # fmt: skip


def shorten(name: str) -> str:
    """A name of 16 characters at most."""
    name = write_name(name)
    return name if len(name) <= 16 else f"{name[:15]}…"


def _save(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
