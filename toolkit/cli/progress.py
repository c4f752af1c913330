"""What `ttk ingest` shows while it runs."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.cli.bar import Bar, write_time

if TYPE_CHECKING:
    from toolkit.ingest.jobs import Plan
    from toolkit.ingest.runners.base import Progress


class IngestProgress(Bar):
    """Sources, frames a second, time left."""

    def __init__(self) -> None:
        super().__init__("ingest", "sources")
        self._num_sources = self._num_done = self._num_frames = self._num_seen = 0
        self._total_seconds = self._done_seconds = 0.0
        self._durations: dict[str, float] = {}
        self._began = time.monotonic()

    def look_at(self, path: Path) -> None:
        """A source is being looked at while the plan is made."""
        self._num_seen += 1
        self.say_sometimes(f"planning: {self._num_seen} sources seen, now {path.name}")

    def start(self, plan: "Plan") -> None:
        """The plan is made."""
        sources = [source for job in plan.jobs for source in job.sources]
        self._durations = {source.path: source.duration for source in sources}
        self._total_seconds = sum(self._durations.values())
        self._num_sources = len(sources)
        self._began = time.monotonic()
        moved = f", {len(plan.moved)} of them moved since" if plan.moved else ""
        self.say(
            f"{len(sources)} sources in {len(plan.jobs)} jobs, {self._total_seconds / 60:.1f} min "
            f"of video; {plan.num_done} sources done before{moved}"
        )
        self.open(self._num_sources)

    def advance(self, progress: "Progress") -> None:
        """One step of the run."""
        if progress.kind == "frames":
            self._num_frames += progress.count
        elif progress.kind == "done" and progress.source in self._durations:
            self._num_done += 1
            self._done_seconds += self._durations.pop(progress.source)  # once, though jobs restart
        elif progress.kind == "busy":
            self.say(f"job {progress.job} is left to the process that runs it")
        self.show(self._num_done, self._num_sources, self._describe())

    def _describe(self) -> str:
        elapsed = max(time.monotonic() - self._began, 1e-3)
        text = f"{self._num_frames / elapsed:.0f} frames/s"
        if self._done_seconds:
            left = elapsed * (self._total_seconds / self._done_seconds - 1)
            text += f", {write_time(left)} left"
        return text
