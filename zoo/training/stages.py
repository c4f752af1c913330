"""How long the stages of a run took, noted beside it, so that what was killed can still tell."""

import csv
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch

NAME = "stages.csv"

BEGAN, DONE = "began", "done"


class Event(NamedTuple):
    """A row: a stage began, or is done after so many seconds, with so many threads."""

    stage: str
    what: str
    seconds: float
    threads: int


@dataclass(frozen=True)
class StageLog:
    """Stages in a folder's `stages.csv`: a row where one begins, a row with its time at its end.

    Attributes:
        folder: of the run.
    """

    folder: Path

    def run(self, stage: str, work: Callable[[], object]) -> None:
        """Do the work and note how long it took; nothing where it came to its end before."""
        if any((event.stage, event.what) == (stage, DONE) for event in self._read()):
            return
        self._append(stage, BEGAN, 0.0)
        began = time.monotonic()
        work()
        self._append(stage, DONE, time.monotonic() - began)

    def tabulate(self) -> list[dict[str, Any]]:
        """A row per stage that is done: minutes since its last start, threads, and its starts."""
        events = list(self._read())
        return [
            {
                "stage": event.stage,
                "minutes": event.seconds / 60,
                "threads": event.threads,
                "starts": sum((e.stage, e.what) == (event.stage, BEGAN) for e in events),
            }
            for event in events
            if event.what == DONE
        ]

    def _read(self) -> Iterator[Event]:
        path = self.folder / NAME
        if path.is_file():
            with path.open(newline="", encoding="utf-8") as file:
                for stage, what, seconds, threads in csv.reader(file):
                    yield Event(stage, what, float(seconds), int(threads))

    def _append(self, stage: str, what: str, seconds: float) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / NAME).open("a", newline="", encoding="utf-8") as file:
            row = Event(stage, what, round(seconds, 3), torch.get_num_threads())
            csv.writer(file).writerow(row)
