"""What a runner is: it takes jobs, wherever it carries them out, and yields progress."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from toolkit.schema import Job

Crashes = Mapping[str, str]
"""Path of a source -> how it killed its worker."""


@dataclass(frozen=True)
class Progress:
    """One step of a run.

    Attributes:
        kind: `source` is begun; it is `slow`: see `toolkit.clock.suits_25`; `count` more `frames`
            of about `total` were seen; `count` more were `stored`, with all their features;
            source `done`, with `count` clips; `job_done`; `busy`, another process runs or ran that
            job; `ready`, a worker has been restarted; `warning`, of which `text` tells.
        job: id of the job.
        source: path of the source.
        count: see `kind`.
        total: see `kind`; 0 where the file does not say it.
        text: see `kind`.
    """

    kind: str
    job: str = ""
    source: str = ""
    count: int = 0
    total: int = 0
    text: str = ""


RunJob = Callable[[Job, Path, Crashes, Callable[[Progress], None]], None]
"""Runs one job: (job, dataset, sources that crashed, what to call with its progress)."""

Run = Callable[[Iterable[Job], Path, Callable[[Progress], None]], None]
"""A runner: runs all jobs of the dataset in this folder, calling the last with their progress."""
