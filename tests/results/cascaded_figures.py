"""Lines with intervals and bars, of the cascaded system's figures."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from toolkit.storage import write_whole
from zoo.metrics.intervals import Interval

Panel = Mapping[str, Sequence[Interval]]
"""Name of a line -> its intervals, one at each place."""


def draw_lines(
    panels: Mapping[str, Panel], places: Sequence[object], across: str, target: Path
) -> None:
    """A panel for each figure, by its name; `places` along the x axis, which is named `across`."""
    figure = Figure(figsize=(4 * len(panels), 3.2), dpi=110, layout="constrained")
    row = figure.subplots(1, len(panels), squeeze=False)[0]
    for axes, (title, lines) in zip(row, panels.items(), strict=True):
        for name, intervals in lines.items():
            away = [
                [i.value - (i.value if i.low is None else i.low) for i in intervals],
                [(i.value if i.high is None else i.high) - i.value for i in intervals],
            ]
            values = [i.value for i in intervals]
            axes.errorbar(range(len(places)), values, np.abs(away), label=name, capsize=2, lw=1.2)
        axes.set_xticks(range(len(places)), [str(place) for place in places])
        axes.set_xlabel(across)
        axes.set_ylabel(title)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    _save(figure, target)


def draw_durations(durations: Mapping[str, Sequence[float]], target: Path) -> None:
    """How long blinks last, s: the share of each kind's in bins of 40 ms."""
    figure = Figure(figsize=(6, 3.2), dpi=110, layout="constrained")
    axes = figure.subplots()
    edges = np.arange(0.02, 1.04, 0.04)
    for name, values in durations.items():
        counts, _ = np.histogram(values, edges)
        share = 100 * counts / max(len(values), 1)
        axes.stairs(share, edges, label=f"{name} ({len(values)})", lw=1.4)
    axes.set_xlabel("duration, s")
    axes.set_ylabel("share of blinks, %")
    axes.legend(fontsize=8)
    axes.grid(alpha=0.3)
    _save(figure, target)


def _save(figure: Figure, target: Path) -> None:
    with write_whole(target) as temporary:
        figure.savefig(temporary, format=target.suffix[1:])
