"""Progress of a run: a bar on a terminal, plain lines otherwise, always on stderr."""

import sys
import time
from pathlib import Path
from typing import Any

from toolkit.jobs import Plan
from toolkit.workers import Progress

_LINE_EVERY = 10.0


class IngestProgress:
    """What `ttk ingest` shows while it runs: sources, frames a second, time left."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._task: Any = None
        self._num_sources = self._num_done = self._num_frames = self._num_seen = 0
        self._total_seconds = self._done_seconds = 0.0
        self._durations: dict[str, float] = {}
        self._began = self._last_line = time.monotonic()

    def __enter__(self) -> "IngestProgress":
        return self

    def __exit__(self, *args: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def look_at(self, path: Path) -> None:
        """A source is being looked at while the plan is made."""
        self._num_seen += 1
        self._say_sometimes(f"planning: {self._num_seen} sources seen, now {path.name}")

    def start(self, plan: Plan) -> None:
        """The plan is made."""
        sources = [source for job in plan.jobs for source in job.sources]
        self._durations = {source.path: source.duration for source in sources}
        self._total_seconds = sum(self._durations.values())
        self._num_sources = len(sources)
        self._began = time.monotonic()
        self._say(
            f"{len(sources)} sources in {len(plan.jobs)} jobs, {self._total_seconds / 60:.1f} min "
            f"of video; {plan.num_done} sources done before"
        )
        if sys.stderr.isatty() and sources:
            self._open_bar()

    def advance(self, progress: Progress) -> None:
        """One step of the run."""
        if progress.kind == "frames":
            self._num_frames += progress.count
        elif progress.kind == "done" and progress.source in self._durations:
            self._num_done += 1
            self._done_seconds += self._durations.pop(progress.source)  # once, though jobs restart
        elif progress.kind == "busy":
            self._say(f"job {progress.job} is left to the process that runs it")
        if self._bar is not None:
            self._bar.update(self._task, completed=self._num_done, text=self._describe())
        else:
            self._say_sometimes(f"{self._num_done}/{self._num_sources} sources, {self._describe()}")

    def _describe(self) -> str:
        elapsed = max(time.monotonic() - self._began, 1e-3)
        text = f"{self._num_frames / elapsed:.0f} frames/s"
        if self._done_seconds:
            left = elapsed * (self._total_seconds / self._done_seconds - 1)
            text += f", {_write_time(left)} left"
        return text

    def _open_bar(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
        from rich.progress import Progress as Bar

        self._bar = Bar(
            TextColumn("ingest"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("videos, {task.fields[text]}"),
            console=Console(stderr=True),
        )
        self._task = self._bar.add_task("ingest", total=self._num_sources, text="starting")
        self._bar.start()

    def _say_sometimes(self, text: str) -> None:
        if time.monotonic() - self._last_line >= _LINE_EVERY:
            self._say(text)

    def _say(self, text: str) -> None:
        self._last_line = time.monotonic()
        print(text, file=sys.stderr, flush=True)


def _write_time(seconds: float) -> str:
    minutes, rest = divmod(max(0, round(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
