"""Work on files one after the other, or in several processes that may die."""

import concurrent.futures
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import TypeVar

import cv2

from toolkit.ingest.rejected import explain_failure

Item = TypeVar("Item")
Result = TypeVar("Result")

KILLED = "measuring it killed the process"


def run_each(
    work: Callable[[Item], Result],
    items: Sequence[Item],
    workers: int,
    fail: Callable[[Item], Result],
) -> Iterator[Result]:
    """What `work` makes of each item, as it is done.

    Where a process dies, the items that were under way are done again one by one, and the one that
    kills its process gets what `fail` makes of it.

    Args:
        work: may be pickled, as items and results may.
        items: each once.
        workers: processes; with 1, or of one item, this process.
        fail: see above.
    """
    if workers == 1 or len(items) == 1:
        yield from map(work, items)
        return
    left = dict(enumerate(items))
    try:
        for number, result in _run_pool(work, left, min(workers, len(items))):
            del left[number]
            yield result
    except BrokenProcessPool:
        for number, item in list(left.items()):
            try:
                yield from (result for _, result in _run_pool(work, {number: item}, 1))
            except BrokenProcessPool:
                yield fail(item)


def _run_pool(
    work: Callable[[Item], Result], items: dict[int, Item], workers: int
) -> Iterator[tuple[int, Result]]:
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(
        workers, mp_context=context, initializer=_use_one_thread
    ) as pool:
        running = {pool.submit(work, item): number for number, item in list(items.items())}
        try:
            for done in concurrent.futures.as_completed(running):
                yield running[done], done.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _use_one_thread() -> None:
    import torch

    cv2.setNumThreads(1)
    torch.set_num_threads(1)


def explain_error(error: Exception, path: Path) -> str:
    """Why a video was not measured; raises again what is not the video's fault."""
    return str(error) if isinstance(error, ValueError) else explain_failure(error, str(path))[1]
