"""Who was taken for whom: a confusion matrix, and its picture."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from toolkit.fonts import use_fonts, write_plot_label
from toolkit.storage import write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, eq=False)
class Confusion:
    """Counts of classified windows.

    Attributes:
        names: of the N identities.
        counts: (N, N) int64: of row's identity, taken for column's.
    """

    names: tuple[str, ...]
    counts: npt.NDArray[np.int64]

    @property
    def accuracy(self) -> float:
        """Share of all windows that were taken for whom they are of."""
        return float(self.counts.trace() / self.counts.sum())


def count_confusion(
    names: tuple[str, ...], target: npt.NDArray[np.int64], pred: npt.NDArray[np.int64]
) -> Confusion:
    """Confusion of labels (w,), numbers of `names`.

    Raises:
        ValueError: no labels.
    """
    if not len(target):
        raise ValueError("nothing was classified")
    counts = np.bincount(target * len(names) + pred, minlength=len(names) ** 2)
    return Confusion(names, counts.reshape(len(names), -1).astype(np.int64))


def plot_confusion(confusions: Mapping[str, Confusion], path: Path) -> None:
    """Draw confusion matrices side by side, each row in per cent of its identity's windows.

    Args:
        confusions: title -> matrix.
        path: picture to write; its suffix decides the format.

    Raises:
        ValueError: nothing to draw, or a suffix that matplotlib does not know.
        StorageError: the disk refuses.
    """
    if not confusions:
        raise ValueError("no confusion matrix to draw")
    with use_fonts(), write_whole(path) as temporary:
        _draw(confusions).savefig(temporary, dpi=120, format=path.suffix[1:] or "png")


def _draw(confusions: Mapping[str, Confusion]) -> "Figure":
    from matplotlib.figure import Figure

    figure = Figure(figsize=(4.2 * len(confusions), 4.2), layout="constrained")
    row = figure.subplots(1, len(confusions), squeeze=False)[0]
    for axes, (title, confusion) in zip(row, confusions.items(), strict=True):
        shares = confusion.counts / np.maximum(confusion.counts.sum(axis=1, keepdims=True), 1)
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for (i, j), share in np.ndenumerate(shares):
            color = "white" if share > 0.5 else "black"
            axes.text(j, i, f"{100 * share:.0f}", ha="center", va="center", color=color, size=9)
        axes.set_title(f"{title}: {confusion.accuracy:.2f}", fontsize=11)
        ticks, names = range(len(confusion.names)), list(map(write_plot_label, confusion.names))
        axes.set_xticks(ticks, names, rotation=45, ha="right", fontsize=9)
        axes.set_yticks(ticks, names, fontsize=9)
        axes.set_xlabel("taken for")
        axes.set_ylabel("is")
    return figure
