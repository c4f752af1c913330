"""What `ttk ingest` shows while it runs."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.cli.bar import Bar, write_time

if TYPE_CHECKING:
    from toolkit.ingest.jobs import Plan
    from toolkit.ingest.runners.base import Progress

_FPS = 30
"""Frames a second of sources that have not been begun."""

_FEATURES = 0.13
"""Share of the time that comes after a source's frames were seen: crops and features."""

_MIN_SHARE = 0.005
"""Share of the work from which on the rest is guessed."""


@dataclass
class _Work:
    """One source: frames expected, seen so far, stored so far."""

    total: float
    seen: int = 0
    stored: int = 0
    is_done: bool = False

    @property
    def num_seen(self) -> float:
        return (
            self.total if self.is_done and self.total else min(self.seen, self.total or self.seen)
        )

    @property
    def share(self) -> float:
        if self.is_done or not self.total:
            return float(self.is_done)
        done = (1 - _FEATURES) * self.seen + _FEATURES * self.stored
        return min(1.0, done / self.total)


class IngestProgress(Bar):
    """Sources, frames within them, frames a second, time left."""

    def __init__(self) -> None:
        super().__init__("ingest", "sources")
        self._num_frames = self._num_looked = 0
        self._work: dict[str, _Work] = {}
        self._began = time.monotonic()

    def look_at(self, path: Path) -> None:
        """A source is being looked at while the plan is made."""
        self._num_looked += 1
        self.say_sometimes(f"planning: {self._num_looked} sources seen, now {path.name}")

    def start(self, plan: "Plan") -> None:
        """The plan is made."""
        sources = [source for job in plan.jobs for source in job.sources]
        self._work = {source.path: _Work(source.duration * _FPS) for source in sources}
        self._began = time.monotonic()
        minutes = sum(source.duration for source in sources) / 60
        num_moved = sum(former != source.path for former, source in plan.moved)
        moved = f", {num_moved} of them moved since" if num_moved else ""
        self.say(
            f"{len(sources)} sources in {len(plan.jobs)} jobs, {minutes:.1f} min "
            f"of video; {plan.num_done} sources done before{moved}"
        )
        self.open(len(sources))

    def advance(self, progress: "Progress") -> None:
        """One step of the run."""
        work = self._work.get(progress.source)
        if progress.kind == "busy":
            self.say(f"job {progress.job} is left to the process that runs it")
        if progress.kind == "frames":
            self._num_frames += progress.count
        if work is not None and not work.is_done:  # done once, though jobs restart
            self._note(work, progress)
        is_done = [work.is_done for work in self._work.values()]
        self.show(sum(is_done), len(is_done), self._describe(), self._find_share())

    def _note(self, work: _Work, progress: "Progress") -> None:
        if progress.kind == "source":
            work.seen = work.stored = 0
        elif progress.kind == "frames":
            work.seen += progress.count
            work.total = progress.total or work.total
        elif progress.kind == "stored":
            work.stored += progress.count
        elif progress.kind == "done":
            work.is_done = True

    def _find_share(self) -> float:
        """Of all work, by frames; where no length is known, by sources."""
        work = self._work.values()
        frames = sum(one.total for one in work)
        weights = [(one.total if frames else 1.0, one.share) for one in work]
        return sum(w * share for w, share in weights) / max(1.0, sum(w for w, _ in weights))

    def _describe(self) -> str:
        elapsed = max(time.monotonic() - self._began, 1e-3)
        work = self._work.values()
        seen, total = (
            round(sum(one.num_seen for one in work)),
            round(sum(one.total for one in work)),
        )
        text = f"{_count_frames(seen, total)}, {self._num_frames / elapsed:.0f}/s"
        share = self._find_share()
        return (
            f"{text}, {write_time(elapsed / share - elapsed)} left" if share > _MIN_SHARE else text
        )


def _count_frames(seen: int, total: int) -> str:
    """Short, so that a line fits into 80 columns."""
    if total >= 1e6:
        return f"{seen / 1e6:.1f} of {total / 1e6:.1f} M frames"
    return f"{seen} of {total} frames" if total else f"{seen} frames"
