"""Temporary folders that a killed run cannot leave behind for good.

Every running job owns `shards/.tmp-<job>/` and holds a lock on it; the kernel drops the lock when
the process dies, and the next run removes every such folder without a lock.
"""

import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from toolkit.dataset.manifest import PARTS
from toolkit.dataset.paths import check_id, check_inside

_PREFIX, _DEAD = ".tmp-", ".dead"
_PATIENCE = 20
"""Tries, 10 ms apart, to lock a folder: others hold one for a moment to see whether it is dead."""


@contextlib.contextmanager
def open_workspace(dataset: Path, job_id: str) -> Iterator[Path | None]:
    """A job's temporary folder, removed at the end; None while another process runs the job."""
    folder = check_inside(dataset / "shards" / f"{_PREFIX}{check_id(job_id, dataset)}", dataset)
    lock = _create_locked(folder)
    if lock is None:
        yield None
        return
    try:
        yield folder
    finally:
        _remove(folder, lock)


def sweep_workspaces(dataset: Path) -> int:
    """Remove the temporary files of runs that are dead; returns how many folders there were."""
    count = 0
    for folder in sorted((dataset / "shards").glob(f"{_PREFIX}*"), reverse=True):
        lock = _try_lock(folder)
        if lock is not None:
            # under another name first, so that a process that takes the job now need not wait
            dead = folder.rename(folder.with_name(f"{folder.name.removesuffix(_DEAD)}{_DEAD}"))
            _remove(dead, lock)
            count += 1
    for folder in sorted((dataset / "manifests").glob("*/")):
        for path in check_inside(folder, dataset).glob(".*.tmp"):
            if not is_running(dataset, path.name[1:].partition(".")[0]):
                path.unlink(missing_ok=True)
    return count


def _remove(folder: Path, lock: int) -> None:
    try:
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(lock)


def is_running(dataset: Path, job_id: str) -> bool:
    """Whether a process, this one or another, has the job's workspace open."""
    folder = dataset / "shards" / f"{_PREFIX}{job_id}"
    lock = _try_lock(folder)
    if lock is not None:
        os.close(lock)
    return lock is None and folder.is_dir() and not folder.is_symlink()


@contextlib.contextmanager
def lock_dataset(dataset: Path) -> Iterator[None]:
    """One planner at a time: holds a lock on `manifests/` while a plan is made and written.

    Where that fails, folders in which there is nothing yet are removed again.
    """
    names = ("manifests", "shards", *(f"manifests/{table}" for table in ("jobs", *PARTS)))
    for name in names:
        check_inside(dataset / name, dataset).mkdir(parents=True, exist_ok=True)
    handle = os.open(dataset / "manifests", os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    except BaseException:
        for name in reversed(names):
            with contextlib.suppress(OSError):
                (dataset / name).rmdir()
        raise
    finally:
        os.close(handle)


def _create_locked(folder: Path) -> int | None:
    """Make the folder and lock it; again if a sweep removed it in between."""
    for _ in range(_PATIENCE):
        folder.mkdir(parents=True, exist_ok=True)
        lock = _try_lock(folder)
        if lock is not None and _is_at(folder, lock):
            return lock
        if lock is not None:
            os.close(lock)
        time.sleep(0.01)
    return None


def _is_at(folder: Path, handle: int) -> bool:
    try:
        return folder.stat().st_ino == os.fstat(handle).st_ino
    except FileNotFoundError:
        return False


def _try_lock(folder: Path) -> int | None:
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except (FileNotFoundError, NotADirectoryError):  # gone, or a link that no run has made
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle
