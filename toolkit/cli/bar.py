"""How a long run shows that it lives: a bar on a terminal, plain lines otherwise, on stderr."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any, Self, TypeVar

from toolkit.names import write_name

Item = TypeVar("Item")

LINE_EVERY = 10.0
"""Seconds between two plain lines."""


class Bar:
    """Says lines, and how far a run is; use it in a `with` block."""

    def __init__(self, label: str, unit: str) -> None:
        """`label` stands in front of the bar, `unit` behind its numbers."""
        self._label, self._unit = label, unit
        self._bar: Any = None
        self._task: Any = None
        self._last_line = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def open(self, total: int) -> None:
        """Draw the bar, if stderr is a terminal and there is anything to do."""
        if not (sys.stderr.isatty() and total):
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        self._bar = Progress(
            TextColumn(self._label),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn(f"{self._unit}, {{task.fields[text]}}"),
            console=Console(stderr=True),
        )
        self._task = self._bar.add_task(self._label, total=total, text="starting")
        self._bar.start()

    def show(self, done: int, total: int, text: str) -> None:
        """So much is done; without a bar, a line now and then."""
        if self._bar is not None:
            self._bar.update(self._task, completed=done, total=total, text=text)
        else:
            self.say_sometimes(f"{done}/{total} {self._unit}, {text}")

    def watch(self, items: Iterable[Item], total: int) -> Iterator[Item]:
        """The items, each shown when it is asked for."""
        self.open(total)
        began = None
        for done, item in enumerate(items, 1):
            began = began or time.monotonic()  # the first one waits for what happens only once
            left = write_left(time.monotonic() - began, done - 1, total - done)
            self.show(done, total, left)
            yield item

    def say_sometimes(self, text: str) -> None:
        """A line, unless there was one a moment ago."""
        if time.monotonic() - self._last_line >= LINE_EVERY:
            self.say(text)

    def say(self, text: str) -> None:
        """A line, above the bar if there is one."""
        self._last_line = time.monotonic()
        print(write_name(text), file=sys.stderr, flush=True)


def write_left(seconds: float, num_done: int, num_left: int) -> str:
    """How long the rest takes, at the pace of what was done in some seconds."""
    return f"{write_time(seconds / num_done * num_left)} left" if num_done else "time left unknown"


def write_time(seconds: float) -> str:
    """Hours, minutes and seconds as `1:02:03` or `2:03`."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
