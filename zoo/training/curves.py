"""The curves of a run as one picture, drawn from its log."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from toolkit.storage import write_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Floats = npt.NDArray[np.float64]

MOST_POINTS = 300
"""Of a curve; where a run has more steps, a point is the mean of several."""

COLUMNS = 3


def plot_curves(log: Path, picture: Path) -> None:
    """Draw every figure of a `log.csv` over the steps; nothing where it has no row yet.

    Raises:
        StorageError: the disk refuses.
    """
    from matplotlib.figure import Figure

    groups = pd.read_csv(log).groupby(["kind", "name"], sort=False)
    if not len(groups):
        return
    num_rows = -(-len(groups) // COLUMNS)
    figure = Figure(figsize=(4 * COLUMNS, 2.6 * num_rows), dpi=80, layout="constrained")
    grid = figure.subplots(num_rows, COLUMNS, squeeze=False).flat
    for ((kind, name), rows), axes in zip(groups, grid, strict=False):
        _draw(axes, f"{kind}: {name}", rows["total_steps"].to_numpy(), rows["value"].to_numpy())
    for axes in list(grid):
        axes.set_axis_off()
    with write_whole(picture) as temporary:
        figure.savefig(temporary, format="png")


def _draw(axes: "Axes", title: str, steps: Floats, values: Floats) -> None:
    steps, values = (thin_out(column) for column in (steps, values))
    axes.plot(steps, values, marker="o" if len(steps) <= 50 else "", markersize=3, linewidth=1)
    axes.set_title(title.replace("$", r"\$"), fontsize=9)  # no formula: a corpus may be named so
    axes.set_xlabel("steps", fontsize=8)
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.3)


def thin_out(values: Floats) -> Floats:
    """(m,) means of neighbours in (n,) values, m at most `MOST_POINTS`."""
    return np.array([part.mean() for part in np.array_split(values, min(len(values), MOST_POINTS))])
