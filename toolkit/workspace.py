"""Temporary folders that a killed run cannot leave behind for good.

Every running job owns `shards/.tmp-<job>/` and holds a lock on it; the kernel drops the lock when
the process dies, and the next run removes every such folder that nobody holds.
"""

import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

_PREFIX = ".tmp-"


@contextlib.contextmanager
def open_workspace(dataset: Path, job_id: str) -> Iterator[Path | None]:
    """A job's temporary folder, removed at the end; None while another process runs the job."""
    folder = dataset / "shards" / f"{_PREFIX}{job_id}"
    lock = _create_locked(folder)
    if lock is None:
        yield None
        return
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def sweep_workspaces(dataset: Path) -> int:
    """Remove the temporary files of runs that are dead; returns how many folders there were."""
    count = 0
    for folder in (dataset / "shards").glob(f"{_PREFIX}*"):
        lock = _try_lock(folder)
        if lock is not None:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)
            count += 1
    return count


@contextlib.contextmanager
def lock_dataset(dataset: Path) -> Iterator[None]:
    """One planner at a time: holds a lock on `manifests/` while a plan is made and written."""
    folder = dataset / "manifests"
    folder.mkdir(parents=True, exist_ok=True)
    (dataset / "shards").mkdir(exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _create_locked(folder: Path) -> int | None:
    """Make the folder and lock it; again if a sweep removed it in between."""
    for _ in range(100):
        folder.mkdir(parents=True, exist_ok=True)
        lock = _try_lock(folder)
        if lock is None:
            return None
        if folder.exists() and folder.stat().st_ino == os.fstat(lock).st_ino:
            return lock
        os.close(lock)
        time.sleep(0.01)
    return None


def _try_lock(folder: Path) -> int | None:
    try:
        handle = os.open(folder, os.O_RDONLY)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle
