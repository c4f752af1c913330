"""Where jobs run: in this process, in worker processes, or (`ray.py`) on a cluster."""

import contextlib
import functools
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from toolkit.ingest.runners.base import Progress, Run, RunJob
from toolkit.ingest.runners.here import run_here
from toolkit.ingest.runners.processes import WorkerPool
from toolkit.schema import Job

ENGINES = ("local", "ray")


@contextlib.contextmanager
def open_runner(workers: int, prepare: Callable[[], object], run: RunJob) -> Iterator[Run]:
    """What runs jobs: so many worker processes, or this process where `workers` is 0.

    Models are loaded when the block is entered, so that what is missing is known before anything
    is written.
    """
    if not workers:
        prepare()
        yield functools.partial(run_here, run)
        return
    with WorkerPool(workers, prepare, run) as pool:
        yield functools.partial(_run_in, pool)


def _run_in(
    pool: WorkerPool, jobs: Iterable[Job], dataset: Path, report: Callable[[Progress], None]
) -> None:
    for progress in pool.run(jobs, dataset):
        report(progress)
