"""Temporary folders that a killed run cannot leave behind for good.

Every running job owns `shards/.tmp-<job>/` and holds a lock on it; the kernel drops the lock when
the process dies, and the next run removes every such folder without a lock.
"""

import contextlib
import fcntl
import multiprocessing
import os
import shutil
import socket
import time
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from toolkit.dataset.manifest import PARTS
from toolkit.dataset.paths import check_id, check_inside
from toolkit.dataset.writer import Written
from toolkit.storage import hold_folder, publish

_PREFIX, _DEAD = ".tmp-", ".dead"
_OWNER, _PLANNER = "owner.txt", ".plan.tmp"
"""Files that name the process at work: on a job, in its folder; on the plan, in `manifests/`."""

_UNKNOWN = "another process"
_STARTED = time.strftime("%Y-%m-%d %H:%M")
_PATIENCE = 200
"""Tries, 10 ms apart, to lock a folder: others hold one for a moment to see whether it is dead.

That moment is long where their process has to wait for a processor.
"""


@contextlib.contextmanager
def open_workspace(dataset: Path, job_id: str) -> Iterator[Path | None]:
    """A job's temporary folder, removed at the end; None while another process runs the job."""
    folder = check_inside(dataset / "shards" / f"{_PREFIX}{check_id(job_id, dataset)}", dataset)
    lock = _create_locked(folder)
    if lock is None:
        yield None
        return
    try:
        _write_owner(folder / _OWNER)
        yield folder
    finally:
        _remove(folder, lock)


def set_aside(written: Written, dataset: Path) -> Written:
    """Move a job's shard out of its temporary folder, which ends, to where a sweep would find it.

    Its name is of its content: made twice, it is the same file.
    """
    if written.shard is None:
        return written
    digest = written.rows["clips"][0]["shard_sha256"]
    aside = dataset / "shards" / f"{_PREFIX}{written.job.id}-{digest[:16]}.h5"
    publish(written.shard, aside)
    return replace(written, shard=aside)


def sweep_workspaces(dataset: Path) -> int:
    """Remove the temporary files of runs that are dead; returns how many folders there were."""
    count = 0
    for path in (dataset / "shards").glob(f"{_PREFIX}*"):
        if path.is_file() and not path.is_symlink():  # of actors, whose run is alone here
            path.unlink(missing_ok=True)
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


def describe_owner(dataset: Path, job_id: str) -> str:
    """Which process has a job's workspace open, and since when; it may have ended meanwhile."""
    return _read_owner(dataset / "shards" / f"{_PREFIX}{job_id}" / _OWNER)


def _write_owner(path: Path) -> None:
    parent = multiprocessing.parent_process()
    pid = os.getpid() if parent is None else parent.pid
    path.unlink(missing_ok=True)  # a link would lead to another file
    path.write_text(f"process {pid} on {socket.gethostname()}, since {_STARTED}")


def _read_owner(path: Path) -> str:
    with contextlib.suppress(OSError):
        if not path.is_symlink():
            return path.read_text() or _UNKNOWN
    return _UNKNOWN


@contextlib.contextmanager
def hold_dataset(dataset: Path, *, alone: bool) -> Iterator[None]:
    """One run at a time, or several that share a plan (not `alone`).

    Raises:
        BusyError: another is at work here; says which process, and since when.
    """

    def describe() -> str:
        owner = _find_owner(dataset)
        return f"work is still under way: {owner}: wait until it ends, then run the same again"

    with hold_folder(dataset, describe, alone=alone):
        yield


def _find_owner(dataset: Path) -> str:
    """The process that makes a plan or runs a job."""
    folders = (dataset / "shards").glob(f"{_PREFIX}*")
    files = [dataset / "manifests" / _PLANNER, *(folder / _OWNER for folder in folders)]
    owners = sorted(path for path in files if path.is_file())
    return _read_owner(owners[0]) if owners else _UNKNOWN


@contextlib.contextmanager
def lock_dataset(dataset: Path) -> Iterator[None]:
    """One planner at a time: holds a lock on `manifests/` while a plan is made and written.

    Warns where it has to wait for another. Where the block fails, folders in which there is
    nothing yet are removed again.
    """
    names = ("manifests", "shards", *(f"manifests/{table}" for table in ("jobs", *PARTS)))
    for name in names:
        check_inside(dataset / name, dataset).mkdir(parents=True, exist_ok=True)
    handle = os.open(dataset / "manifests", os.O_RDONLY)
    planner = dataset / "manifests" / _PLANNER
    try:
        _wait_for_lock(handle, planner)
        try:
            _write_owner(planner)
            yield
        finally:
            planner.unlink(missing_ok=True)
    except BaseException:
        for name in reversed(names):
            with contextlib.suppress(OSError):
                (dataset / name).rmdir()
        raise
    finally:
        os.close(handle)


def _wait_for_lock(handle: int, planner: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        text = f"{planner.parent.parent}: {_read_owner(planner)}, makes a plan here: waiting for it"
        warnings.warn(text, stacklevel=5)
        fcntl.flock(handle, fcntl.LOCK_EX)


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
