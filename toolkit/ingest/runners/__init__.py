"""Where jobs run: in this process, or in worker processes."""

import contextlib
import functools
from collections.abc import Callable, Iterator

from toolkit.ingest.runners.base import Run, RunJob
from toolkit.ingest.runners.here import run_here
from toolkit.ingest.runners.processes import WorkerPool


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
        yield pool.run
