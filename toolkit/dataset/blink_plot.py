"""The distribution of blinks as a figure: FACIAL's Fig. 9 for one's own dataset."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.dataset.blink_stats import HUMAN_RATE, STRETCH, BlinkStats
from toolkit.storage import write_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLORS = ("#3b6ea5", "#d9822b", "#4b9460", "#a34a6e", "#7a6fb0", "#8a7a5c")
MAX_GROUPS = len(COLORS)

_NONE = (0,)
"""One bar of no height: without any the legend would show another colour."""


def plot_blinks(groups: Sequence[BlinkStats], path: Path) -> None:
    """Draw blinks in 4 s stretches and durations of blinks, a colour for each group.

    Args:
        groups: at most `MAX_GROUPS` of them.
        path: picture to write; its suffix decides the format.

    Raises:
        ValueError: no group has a blink or a stretch to draw, too many groups, or a suffix that
            matplotlib does not know.
        StorageError: the disk refuses.
    """
    if not any(sum(group.stretches) or sum(group.durations) for group in groups):
        raise ValueError("no clip has blinks to plot")
    if len(groups) > MAX_GROUPS:
        raise ValueError(
            f"{len(groups)} groups are too many for one figure: narrow it with --where"
        )
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4.2), layout="constrained")
    left, right = figure.subplots(1, 2)
    for index, group in enumerate(groups):
        _draw_bars(left, group, (index, len(groups)))
    _draw_reference(left)
    for index, group in enumerate(groups):
        _draw_durations(right, group, (index, len(groups)))
    _label(left, f"blinks in {STRETCH:g} s", "share of stretches (%)")
    _label(right, "duration of a blink (s)", "share of blinks (%)")
    left.set_title(f"Blinks in {STRETCH:g}-second stretches", fontsize=11)
    right.set_title("Duration of blinks, onset to offset", fontsize=11)
    for axes in (left, right):
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), frameon=False, fontsize=9)
    with write_whole(path) as temporary:
        figure.savefig(temporary, dpi=150, format=path.suffix[1:] or "png")


def _draw_bars(axes: "Axes", group: BlinkStats, place: tuple[int, int]) -> None:
    index, number = place
    stretches, total = group.stretches or _NONE, sum(group.stretches)
    width = 0.8 / number
    shift = (index - (number - 1) / 2) * width
    rate = "no blinks" if group.rate is None else f"{group.rate:.2f} blinks/s"
    axes.bar(
        [count + shift for count in range(len(stretches))],
        [100 * count / max(1, total) for count in stretches],
        width,
        color=COLORS[index],
        label=f"{group.name}: {rate}, {total} stretches",
    )


def _draw_reference(axes: "Axes") -> None:
    from matplotlib.ticker import MaxNLocator

    low, high = (rate * STRETCH for rate in HUMAN_RATE)
    text = f"mean of people: {HUMAN_RATE[0]}–{HUMAN_RATE[1]} blinks/s"
    axes.axvspan(low, high, color="0.5", alpha=0.2, lw=0, zorder=0, label=text)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _draw_durations(axes: "Axes", group: BlinkStats, place: tuple[int, int]) -> None:
    index, number = place
    durations, total = group.durations or _NONE, sum(group.durations)
    width = 0.8 / number
    shift = (index - (number - 1) / 2) * width
    mean = "no blinks" if group.duration is None else f"mean {group.duration:.2f} s"
    axes.bar(
        [(frames + shift) / group.fps for frames in range(len(durations))],
        [100 * count / max(1, total) for count in durations],
        width / group.fps,
        color=COLORS[index],
        label=f"{group.name}: {mean}, {total} blinks",
    )
    axes.set_xlim(0, max(axes.get_xlim()[1], (len(durations) + 1) / group.fps))


def _label(axes: "Axes", x: str, y: str) -> None:
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="0.9")
    axes.set_axisbelow(True)
