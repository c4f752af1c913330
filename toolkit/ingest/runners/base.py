"""What a runner is: it takes jobs, wherever it carries them out, and yields progress."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from toolkit.schema import Job

Crashes = Mapping[str, str]
"""Path of a source -> how it killed its worker."""


@dataclass(frozen=True)
class Progress:
    """One step of a run.

    Attributes:
        kind: `source` is begun; it is `slow`: see `toolkit.clock.suits_25`; `count` more `frames`;
            source `done`, with `count` clips; `job_done`; `busy`, another process runs or ran that
            job; `ready`, a worker has been restarted; `warning`, of which `text` tells.
        job: id of the job.
        source: path of the source.
        count: see `kind`.
        text: see `kind`.
    """

    kind: str
    job: str = ""
    source: str = ""
    count: int = 0
    text: str = ""


RunJob = Callable[[Job, Path, Crashes, Callable[[Progress], None]], None]
"""Runs one job: (job, dataset, sources that crashed, what to call with its progress)."""

Run = Callable[[Iterable[Job], Path], Iterator[Progress]]
"""A runner: runs jobs of the dataset in this folder, all of them before the iterator ends."""
