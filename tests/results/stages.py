"""How long the stages of a run took, noted beside it, so that what was killed can still tell."""

import csv
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NAME = "stages.csv"

BEGAN, DONE = "began", "done"


@dataclass(frozen=True)
class StageLog:
    """Stages in a folder's `stages.csv`: a row where one begins, a row with its time at its end.

    Attributes:
        folder: of the run.
    """

    folder: Path

    def run(self, stage: str, work: Callable[[], object]) -> None:
        """Do the work and note how long it took; nothing where it came to its end before."""
        if any(row[:2] == (stage, DONE) for row in self._read()):
            return
        self._append(stage, BEGAN, 0.0)
        began = time.monotonic()
        work()
        self._append(stage, DONE, time.monotonic() - began)

    def tabulate(self) -> list[dict[str, Any]]:
        """A row per stage that is done: minutes since its last start, and how many starts."""
        rows = list(self._read())
        return [
            {
                "stage": stage,
                "minutes": seconds / 60,
                "starts": sum((name, event) == (stage, BEGAN) for name, event, _ in rows),
            }
            for stage, done, seconds in rows
            if done == DONE
        ]

    def _read(self) -> Iterator[tuple[str, str, float]]:
        path = self.folder / NAME
        if path.is_file():
            with path.open(newline="", encoding="utf-8") as file:
                for stage, event, seconds in csv.reader(file):
                    yield stage, event, float(seconds)

    def _append(self, stage: str, event: str, seconds: float) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / NAME).open("a", newline="", encoding="utf-8") as file:
            csv.writer(file).writerow([stage, event, f"{seconds:.3f}"])
