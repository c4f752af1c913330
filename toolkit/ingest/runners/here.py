"""Run jobs in this process, one after another."""

from collections.abc import Callable, Iterable
from pathlib import Path

from toolkit.ingest.runners.base import Progress, RunJob
from toolkit.schema import Job


def run_here(
    run: RunJob, jobs: Iterable[Job], dataset: Path, report: Callable[[Progress], None]
) -> None:
    """Run jobs one after another in this process; `report` is called with every step."""
    for job in jobs:
        run(job, dataset, {}, report)
        report(Progress("job_done", job.id))
