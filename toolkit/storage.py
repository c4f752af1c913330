"""Whole files or none: temporary name in the same folder, sync, rename; one error for the disk."""

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from toolkit.errors import BusyError, StorageError

_BLOCK = 1 << 22

ADVICE = {
    errno.ENOSPC: "the disk is full: free some space or choose another folder",
    errno.EDQUOT: "your disk quota is used up: free some space or choose another folder",
    errno.EFBIG: "the file would be larger than is allowed here: raise the limit (ulimit -f)",
    errno.EROFS: "the file system is read-only: choose another folder",
    errno.EACCES: "permission denied: make the folder writable or choose another",
    errno.EPERM: "permission denied: make the folder writable or choose another",
    errno.EIO: "the disk reports an error: check it or choose another folder",
    errno.ENOMEM: "memory is short: free some or use fewer --workers",
    errno.EMFILE: "too many open files: raise the limit (ulimit -n)",
    errno.ENFILE: "too many open files on this machine",
}
"""What to do about each error of the disk or the system."""


@contextlib.contextmanager
def guard_storage(path: Path) -> Iterator[None]:
    """Turn the disk's own failures inside the block into one clear error.

    Raises:
        StorageError: no space, no permission, read-only; names `path` and says what to do.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in ADVICE:
            raise
        raise StorageError(f"{path}: cannot be written: {ADVICE[error.errno]}") from error


def check_place(final: Path) -> None:
    """Refuse a file that could not be written, before the work that would go into it.

    Raises:
        StorageError: its name is a folder's, a part of its path is a file, or its folder, or the
            one in which that would have to be made, is not writable.
    """
    with guard_storage(final):
        if final.is_dir():
            raise StorageError(f"{final}: is a folder: choose another name")
        there = next(folder for folder in final.parents if folder.exists())
        if not there.is_dir():
            raise StorageError(f"{final}: cannot be written: {there} is a file: choose a folder")
        if not os.access(there, os.W_OK | os.X_OK):
            raise StorageError(f"{final}: cannot be written: {ADVICE[errno.EACCES]}")


def check_ending(final: Path, endings: Sequence[str]) -> None:
    """ValueError where a file's name does not end as the names of what is written into it do.

    Args:
        final: the file.
        endings: lower case, as `.png`, at least one.
    """
    if final.suffix.lower() not in endings:
        *others, last = endings
        known = f"{', '.join(others)} or {last}" if others else last
        raise ValueError(f"{final}: the name must end in {known}")


def hash_file(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def digest_record(value: object) -> str:
    """Twelve hexadecimal digits that stand for what JSON can hold, such as a set of options."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def sync_file(path: Path) -> None:
    """Wait until a file, or a folder's list of names, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def publish(temporary: Path, final: Path) -> None:
    """Give a finished file its final name: afterwards the whole file is there, or none.

    Args:
        temporary: the finished file, on the same file system as `final`.
        final: its name from now on; a file of that name is replaced.

    Raises:
        StorageError: the disk refuses.
    """
    with guard_storage(final):
        sync_file(temporary)
        temporary.replace(final)
        sync_file(final.parent)


@contextlib.contextmanager
def hold_folder(
    folder: Path, describe: Callable[[], str], *, alone: bool = True, patience: float = 0.0
) -> Iterator[None]:
    """Make a folder, and keep other processes that ask for it out, by the system's lock on it.

    Where the file system has no such locks, nothing is kept out.

    Args:
        folder: to hold.
        describe: what is said behind the folder's name where another holds it.
        alone: or together with all that ask not to be alone.
        patience: s to wait for another to leave it.

    Raises:
        BusyError: another process holds it.
        StorageError: the disk refuses.
    """
    with guard_storage(folder):
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY)
    until = time.monotonic() + patience
    try:
        while not _try_lock(handle, alone=alone):
            if time.monotonic() >= until:
                raise BusyError(f"{folder}: {describe()}")
            time.sleep(0.1)
        yield
    finally:
        os.close(handle)


def _try_lock(handle: int, *, alone: bool) -> bool:
    try:
        fcntl.flock(handle, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # network file systems have no locks on folders
        return True
    return True


def _remove_foreign(temporary: Path) -> None:
    """Remove what is no file of its own: a link would let the write go through to another file."""
    with contextlib.suppress(FileNotFoundError):
        state = temporary.lstat()
        if not stat.S_ISREG(state.st_mode) or state.st_nlink > 1:
            temporary.unlink()


@contextlib.contextmanager
def write_whole(final: Path) -> Iterator[Path]:
    """Give the block a temporary path `.<name>.tmp` beside `final`; publish it if it succeeds.

    Raises:
        StorageError: the disk refuses, or see `check_place`; nothing is left behind.
    """
    check_place(final)
    temporary = final.with_name(f".{final.name}.tmp")
    try:
        with guard_storage(final):
            final.parent.mkdir(parents=True, exist_ok=True)
            _remove_foreign(temporary)
            yield temporary
        publish(temporary, final)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
