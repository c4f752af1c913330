"""How a long run shows that it lives: a bar on a terminal, plain lines otherwise, on stderr."""

import contextlib
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from typing import Any, Self, TypeVar

from toolkit.names import write_name

Item = TypeVar("Item")

LINE_EVERY = 10.0
"""Seconds between two plain lines."""

BEAT = 30.0
"""Seconds after which the last line is said again where nothing new has happened."""


class Bar:
    """Says lines, and how far a run is; use it in a `with` block."""

    def __init__(self, label: str, unit: str) -> None:
        """`label` stands in front of the bar, `unit` behind its numbers."""
        self._label, self._unit = label, unit
        self._bar: Any = None
        self._task: Any = None
        self._last_line = time.monotonic()
        self._last_text = ""
        self._counted_from: tuple[float, int] | None = None
        self._over = threading.Event()

    def __enter__(self) -> Self:
        threading.Thread(target=self._beat, daemon=True).start()
        return self

    def __exit__(self, *args: object) -> None:
        self._over.set()
        if self._bar is not None:
            self._bar.stop()

    def open(self, total: int) -> None:
        """Draw the bar, if stderr is a terminal and there is anything to do."""
        if not (sys.stderr.isatty() and total):
            return
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn
        from rich.table import Column

        self._bar = Progress(
            TextColumn(self._label),
            BarColumn(bar_width=None),  # what the texts leave of the line
            TextColumn("{task.fields[text]}", table_column=Column(no_wrap=True)),
            console=Console(stderr=True),
            expand=True,
        )
        self._task = self._bar.add_task(self._label, total=1.0, text="starting")
        self._bar.start()

    def show(self, done: int, total: int, text: str, share: float | None = None) -> None:
        """So much is done; without a bar, a line now and then.

        `share`, 0 to 1, is what the bar shows, by default that of `done` in `total`.
        """
        line = f"{done}/{total} {self._unit}, {text}"
        if self._bar is not None:
            share = done / max(total, 1) if share is None else share
            self._bar.update(self._task, completed=share, text=line)
        else:
            self.say_sometimes(line)

    def count(self, done: int, total: int) -> None:
        """So many of so many are done, with the time left: what calls back reports by this."""
        if self._counted_from is None:
            # the first one waits for what happens only once
            self._counted_from = time.monotonic(), done
            self.open(total)
        began, before = self._counted_from
        self.show(done, total, write_left(time.monotonic() - began, done - before, total - done))

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
        self._last_text = text
        if time.monotonic() - self._last_line >= LINE_EVERY:
            self.say(text)

    def say(self, text: str) -> None:
        """A line, above the bar if there is one."""
        self._last_line, self._last_text = time.monotonic(), text
        print(write_name(text), file=sys.stderr, flush=True)

    def _beat(self) -> None:
        """Say the last line again when nothing was said for long: a log shows that work goes on."""
        while not self._over.wait(1.0):
            is_late = time.monotonic() - self._last_line >= BEAT
            if is_late and self._bar is None and self._last_text:
                with contextlib.suppress(OSError, ValueError):  # stderr is closed
                    self.say(self._last_text)


def write_left(seconds: float, num_done: int, num_left: int) -> str:
    """How long the rest takes, at the pace of what was done in some seconds."""
    return f"{write_time(seconds / num_done * num_left)} left" if num_done else "time left unknown"


def write_time(seconds: float) -> str:
    """Hours, minutes and seconds as `1:02:03` or `2:03`."""
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
