"""What a run leaves to look at: `log.csv`, its curves, sheets of pictures, TensorBoard's events."""

import csv
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from toolkit.storage import guard_storage, write_whole
from zoo.training.curves import plot_curves

LOG, CURVES, SHEETS = "log.csv", "curves.png", "sheets"

CURVES_SECONDS = 60
"""Least time between two drawings of the curves; the last epoch's are always drawn."""

_COLUMNS = ("kind", "epoch", "step", "total_steps", "name", "value")


class TrainingLog:
    """A row per figure; what a resumed run does again is cut off."""

    def __init__(self, out: Path, epoch: int, total_steps: int) -> None:
        """Of a run in the folder `out`, from this epoch on, after so many steps."""
        from torch.utils.tensorboard import SummaryWriter

        self._out, self._path = out, out / LOG
        self._drawn, self._has_news = 0.0, True
        kept = list[list[str]]()
        if self._path.is_file():
            with self._path.open(newline="") as file:
                rows = list(csv.reader(file))[1:]
            kept = [row for row in rows if len(row) == 6 and _is_done(row, epoch, total_steps)]
        with write_whole(self._path) as temporary, temporary.open("w", newline="") as file:
            csv.writer(file).writerows([_COLUMNS, *kept])
        self._file = self._path.open("a", newline="", buffering=1)
        self._rows = csv.writer(self._file)
        self._board: Any = SummaryWriter(str(out), purge_step=total_steps + 1)

    def write(
        self, kind: str, epoch: int, step: int, total_steps: int, metrics: Mapping[str, float]
    ) -> None:
        """Figures of a step (`train`) or an epoch (`validation`)."""
        self._has_news = True
        with guard_storage(self._path):
            for name, value in metrics.items():
                self._rows.writerow([kind, epoch, step, total_steps, name, f"{value:.6g}"])
                self._board.add_scalar(f"{kind}/{name}", value, total_steps)

    def show_sheet(self, epoch: int, total_steps: int, sheet: npt.NDArray[np.uint8]) -> None:
        """Pictures (height, width, 3) of an epoch: `sheets/epoch-0001.png` of the first."""
        from PIL import Image

        with write_whole(self._out / SHEETS / f"epoch-{epoch + 1:04d}.png") as temporary:
            Image.fromarray(sheet).save(temporary, format="PNG")
        self._board.add_image("validation/sheet", sheet, total_steps, dataformats="HWC")

    def draw_curves(self, *, at_once: bool = False) -> None:
        """Bring `curves.png` up to date, unless it is or was drawn a moment ago."""
        is_due = at_once or time.monotonic() - self._drawn > CURVES_SECONDS
        if is_due and self._has_news:
            plot_curves(self._path, self._out / CURVES)
            self._drawn, self._has_news = time.monotonic(), False

    def close(self) -> None:
        """Close the files."""
        with guard_storage(self._path):
            self._file.close()
            self._board.close()


def _is_done(row: list[str], epoch: int, total_steps: int) -> bool:
    """Whether a row's figures lie before a checkpoint in this epoch, after so many steps."""
    return int(row[1]) < epoch if row[0] == "validation" else int(row[3]) <= total_steps
