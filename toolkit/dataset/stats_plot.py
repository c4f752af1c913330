"""The distributions of a dataset as one figure: length, face, pose, speech, blinks (Fig. 9)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from toolkit.dataset.blink_stats import HUMAN_RATE, STRETCH, BlinkStats, describe_blinks
from toolkit.fonts import use_fonts, write_plot_label
from toolkit.storage import write_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    Grid = npt.NDArray[np.object_]

COLORS = ("#3b6ea5", "#d9822b", "#4b9460", "#a34a6e", "#7a6fb0", "#8a7a5c")
MAX_BARS = len(COLORS)
"""Up to so many groups have bars of their own colour; more stand as rows, shares as shades."""

NUM_BINS = 20
_PANEL_COLUMNS = 3
_ROW, _TALLEST = 0.16, 20.0
"""Inches of a row of shades, and of a panel at most: more groups than that are thinner rows."""

_MAX_NAMES = 120
_NAME = 24
"""Names written beside rows at most, and letters of one."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Distribution:
    """How a number is spread in each group.

    Attributes:
        title: what the number is, with its unit.
        edges: (bins + 1,) limits of the bins.
        counts: (groups, bins) how many values of a group lie in each.
        of: what is counted.
        human: range of the mean of people, where the papers state one.
    """

    title: str
    edges: Floats
    counts: Floats
    of: str
    human: tuple[float, float] | None = None

    @property
    def shares(self) -> Floats:
        """(groups, bins) share of a group's values in each bin, %; 0 where it has none."""
        totals = self.counts.sum(axis=1, keepdims=True)
        return np.asarray(100 * self.counts / np.maximum(totals, 1))


_COLUMNS = {
    "length of a clip (s)": ("duration", 1.0),
    "face height (px)": ("face_size", 1.0),
    "sharpness (variance of the Laplacian)": ("sharpness", 1.0),
    "pitch, range in a clip (°)": ("pitch", 180 / np.pi),
    "yaw, range in a clip (°)": ("yaw", 180 / np.pi),
    "roll, range in a clip (°)": ("roll", 180 / np.pi),
    "time with speech (%)": ("speech_share", 100.0),
    "mouth–audio correlation": ("mouth_audio_corr", 1.0),
}
"""Title -> column of the clips table (of an axis: `_max` less `_min`), and its scale."""


def measure_distributions(groups: Sequence[tuple[str, pd.DataFrame]]) -> list[Distribution]:
    """Every distribution of some groups of clips; those without any value are left out.

    Args:
        groups: name and rows of the clips table of each.
    """
    found = [
        _count(title, [scale * _read_column(rows, column) for _, rows in groups])
        for title, (column, scale) in _COLUMNS.items()
    ]
    found += count_blinks([describe_blinks(name, rows) for name, rows in groups])
    return [distribution for distribution in found if distribution.counts.any()]


def _read_column(rows: pd.DataFrame, column: str) -> Floats:
    if column in rows:
        return rows[column].to_numpy(np.float64)
    return (rows[f"{column}_max"] - rows[f"{column}_min"]).to_numpy(np.float64)


def _count(title: str, values: Sequence[Floats]) -> Distribution:
    finite = [group[np.isfinite(group)] for group in values]
    joined = np.concatenate([np.empty(0), *finite])
    edges = np.histogram_bin_edges(joined, NUM_BINS)
    counts = np.stack([np.histogram(group, edges)[0] for group in finite]).astype(np.float64)
    return Distribution(title=title, edges=edges, counts=counts, of="clips")


def count_blinks(groups: Sequence[BlinkStats]) -> Iterator[Distribution]:
    """How many blinks 4-second stretches have, and how long blinks last."""
    counts = _stack([group.stretches for group in groups])
    low, high = HUMAN_RATE
    yield Distribution(
        title=f"blinks in {STRETCH:g} s",
        edges=np.arange(counts.shape[1] + 1) - 0.5,
        counts=counts,
        of="stretches",
        human=(low * STRETCH, high * STRETCH),
    )
    counts = _stack([group.durations for group in groups])
    fps = max(group.fps for group in groups)
    edges = (np.arange(counts.shape[1] + 1) - 0.5) / fps
    yield Distribution(title="duration of a blink (s)", edges=edges, counts=counts, of="blinks")


def _stack(counts: Sequence[tuple[int, ...]]) -> Floats:
    """(groups, bins) from counts of different lengths."""
    width = max(1, *map(len, counts))
    return np.array([[*row, *[0] * (width - len(row))] for row in counts], np.float64)


def plot_stats(groups: Sequence[tuple[str, pd.DataFrame]], path: Path) -> None:
    """Draw every distribution that `ttk stats` has a number of, for any number of groups.

    Args:
        groups: name and rows of the clips table of each: up to six as bars, more as rows.
        path: picture to write; its suffix decides the format.

    Raises:
        ValueError: there is no clip, or a suffix that matplotlib does not know.
        StorageError: the disk refuses.
    """
    distributions = measure_distributions(groups) if groups else []
    if not distributions:
        raise ValueError("no clip to plot")
    plot_distributions(distributions, [_describe(*group) for group in groups], path)


def _describe(name: str, rows: pd.DataFrame) -> tuple[str, str]:
    rate = describe_blinks("", rows).rate
    blinks = "no blinks" if rate is None else f"{rate:.2f} blinks/s"
    return write_plot_label(name), f"{len(rows)} clips, {blinks}"


def plot_distributions(
    distributions: Sequence[Distribution], groups: Sequence[tuple[str, str]], path: Path
) -> None:
    """Draw distributions of the same groups, each of which has a name and a note; see `plot_stats`.

    Raises:
        ValueError: a suffix that matplotlib does not know.
        StorageError: the disk refuses.
    """
    names = [name for name, _ in groups]
    as_bars = len(names) <= MAX_BARS
    height = 2.6 if as_bars else min(max(2.6, _ROW * len(names) + 0.8), _TALLEST)
    with use_fonts():
        from matplotlib.figure import Figure

        num_rows = -(-(len(distributions) + as_bars) // _PANEL_COLUMNS)
        figure = Figure(figsize=(12, height * num_rows), layout="constrained")
        panels = figure.subplots(num_rows, _PANEL_COLUMNS, squeeze=False).ravel()
        for index, (axes, distribution) in enumerate(zip(panels, distributions, strict=False)):
            if as_bars:
                _draw_bars(axes, distribution)
            else:
                _draw_rows(axes, distribution, names if index % _PANEL_COLUMNS == 0 else None)
            _finish(axes, distribution, as_bars)
        _write_legend(panels[len(distributions) :], groups, as_bars)
        with write_whole(path) as temporary:
            figure.savefig(temporary, dpi=150, format=path.suffix[1:] or "png")


def _draw_bars(axes: "Axes", distribution: Distribution) -> None:
    edges, number = distribution.edges, len(distribution.counts)
    width = 0.8 * np.diff(edges) / number
    for index, shares in enumerate(distribution.shares):
        left = edges[:-1] + 0.1 * np.diff(edges) + index * width
        axes.bar(left, shares, width, align="edge", color=COLORS[index])
    axes.set_ylabel(f"share of {distribution.of} (%)")
    axes.grid(axis="y", color="0.9")


def _draw_rows(axes: "Axes", distribution: Distribution, names: list[str] | None) -> None:
    """A row of shades for each group, the first on top; the darkest is the largest share."""
    number = len(distribution.counts)
    axes.pcolormesh(
        distribution.edges, np.arange(number + 1) - 0.5, distribution.shares, cmap="Blues"
    )
    axes.set_ylim(number - 0.5, -0.5)
    step = -(-number // _MAX_NAMES)
    shown = [_cut(name) for name in names or ()][::step]
    axes.set_yticks(range(0, len(shown) * step, step), shown)
    axes.tick_params(axis="y", labelsize=7, length=0)


def _cut(name: str) -> str:
    return name if len(name) <= _NAME else f"{name[: _NAME - 8]}…{name[-7:]}"


def _finish(axes: "Axes", distribution: Distribution, as_bars: bool) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_xlabel(distribution.title)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_axisbelow(True)
    if distribution.of == "stretches":
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    if distribution.human is None:
        return
    if as_bars:
        axes.axvspan(*distribution.human, color="0.5", alpha=0.2, lw=0, zorder=0)
    text = f"mean of people: {HUMAN_RATE[0]}–{HUMAN_RATE[1]} blinks/s"
    axes.set_title(text if as_bars else "", fontsize=9, color="0.4")


def _write_legend(spare: "Grid", groups: Sequence[tuple[str, str]], as_bars: bool) -> None:
    """Colours, and what is noted of each group, in the first panel that is left over."""
    from matplotlib.patches import Patch

    for axes in spare:
        axes.set_axis_off()
    if not as_bars:
        if len(spare):
            text = "a row for each group; the darker, the\nlarger the share of its values"
            spare[0].text(0, 0.5, text, va="center")
        return
    labels = [f"{_cut(name)}: {note}" for name, note in groups]
    handles = [
        Patch(color=color, label=label) for color, label in zip(COLORS, labels, strict=False)
    ]
    spare[0].legend(handles=handles, loc="center left", frameon=False)
