"""Run jobs in this process, one after another."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from toolkit.ingest.runners.base import Progress, RunJob
from toolkit.schema import Job


def run_here(run: RunJob, jobs: Iterable[Job], dataset: Path) -> Iterator[Progress]:
    """Run jobs one after another in this process; progress comes a job at a time."""
    for job in jobs:
        events: list[Progress] = []
        run(job, dataset, {}, events.append)
        yield from events
        yield Progress("job_done", job.id)
