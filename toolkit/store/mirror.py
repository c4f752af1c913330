"""A dataset, or a folder of videos, of a store as a folder of the cache.

Tables are read whole each time, for a store's listing alone says what is there; shards and videos
are holes until they are opened. What a command wrote into the mirror's tables is uploaded when it
has ended well.
"""

import contextlib
import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from toolkit.errors import StorageError
from toolkit.storage import hold_folder, write_whole
from toolkit.store.address import find_address, is_safe, join, split_folder
from toolkit.store.cache import Cache, open_cache
from toolkit.store.remote import Entry, Remote

TABLES, SHARDS = "manifests", "shards"
LAST = f"{TABLES}/sources/"
"""What says that a job is done comes last."""

READ, WRITE, INGEST = "data", "write", "ingest"
"""Areas of the cache: of those that read, of one command that writes tables, of ingest."""

Snapshot = dict[str, tuple[int, int, int]]
"""Key of a file -> inode, size and time on this disk."""


def read_mirror(address: str) -> Path:
    """The mirror of a dataset, for reading.

    Raises:
        StorageError: the store refuses or cannot be reached.
    """
    cache = open_cache()
    with cache.lock():
        return pull(cache, READ, address)


@contextlib.contextmanager
def open_dataset(path: Path | str, *, writes: bool = False) -> Iterator[Path]:
    """A dataset's folder, or the mirror of one on a store; what is written is uploaded at the end.

    Args:
        path: folder or address.
        writes: whether tables may be written; a block that raises uploads nothing.

    Raises:
        BusyError: another command of this machine writes to the same tables.
        StorageError: the store refuses or cannot be reached.
    """
    address = find_address(path)
    if address is None:
        yield Path(path)
    elif not writes:
        yield read_mirror(address)
    else:
        cache = open_cache()
        with hold_address(cache, WRITE, address):
            with cache.lock():
                folder = pull(cache, WRITE, address)
            before = take_snapshot(folder)
            yield folder
            push(Remote(address), folder, before)


@contextlib.contextmanager
def hold_address(cache: Cache, area: str, address: str) -> Iterator[None]:
    """One process of this machine at a time writes through a mirror; BusyError for another."""
    digest = hashlib.sha256(address.encode()).hexdigest()[:16]

    def describe() -> str:
        return f"another command of this machine is at work on {address}: wait until it ends"

    with hold_folder(cache.root / area / ".locks" / digest, describe, patience=2.0):
        yield


def pull(cache: Cache, area: str, address: str) -> Path:
    """Make a mirror what the store has: tables as files, shards as holes; within the cache's lock.

    Tables that the store does not have are removed, those of other jobs that ended here included.
    """
    remote, folder = Remote(address), cache.locate(area, address)
    tables = _keep_safe(remote.list(TABLES), TABLES)
    for path in list_files(folder / TABLES):
        key = path.relative_to(folder).as_posix()
        if key in tables and is_same(path, tables[key]):
            del tables[key]
        elif key not in tables:
            path.unlink()
    for key, content in remote.read(tables):
        with write_whole(folder / key) as temporary:
            temporary.write_bytes(content)
            os.utime(temporary, ns=(tables[key].stamp, tables[key].stamp))
    shards = _keep_safe(remote.list(SHARDS), SHARDS)
    _place(cache, folder, shards, SHARDS)
    return folder


def mirror_videos(cache: Cache, area: str, address: str, apart: str | None = None) -> Path:
    """Let the objects below an address stand in the cache, as holes; within the cache's lock.

    Args:
        cache: where.
        area: of the cache.
        address: of a folder or of one object.
        apart: address of a dataset that may lie in the folder and is left as it is.

    Returns:
        The folder or the file; it is not there where the store has nothing.
    """
    remote, path = Remote(address), cache.locate(area, address)
    entries = remote.list()
    if "" in entries:
        cache.place(path, entries[""])
        return path
    inner = None if apart is None else f"{apart}/".removeprefix(f"{address}/")
    entries = {
        key: entry
        for key, entry in entries.items()
        if is_safe(key) and (inner is None or not key.startswith(inner))
    }
    kept = [] if apart is None else [cache.locate(area, apart)]
    for file in list_files(path):
        key = file.relative_to(path).as_posix()
        if key not in entries and not any(file.is_relative_to(folder) for folder in kept):
            file.unlink()
    _place(cache, path, entries)
    return path


def mirror_missing(cache: Cache, paths: Iterable[Path]) -> None:
    """Let objects stand at their paths in the cache, as holes, if they do not; within its lock."""
    for path in paths:
        address = cache.name(path)
        if address is not None and not os.path.lexists(path):
            entry = Remote(address).look_at()
            if entry is not None:
                cache.place(path, entry)


def take_snapshot(folder: Path, below: str = TABLES) -> Snapshot:
    """The files of a mirror's tables, or below another of its folders, as they are now."""
    return {
        path.relative_to(folder).as_posix(): (s.st_ino, s.st_size, s.st_mtime_ns)
        for path in list_files(folder / below)
        for s in [path.stat()]
    }


def push(remote: Remote, folder: Path, before: Snapshot) -> None:
    """Upload the tables that are other than they were, and delete those that are gone."""
    now = take_snapshot(folder)
    changed = sorted(key for key in now if before.get(key) != now[key])
    changed.sort(key=lambda key: key.startswith(LAST))
    remote.upload({key: folder / key for key in changed})
    remote.delete(sorted(before.keys() - now.keys(), key=lambda key: not key.startswith(LAST)))


def _place(cache: Cache, folder: Path, entries: dict[str, Entry], below: str = "") -> None:
    """Holes for what is there, nothing for what is not."""
    for path in list_files(folder / below) if below else ():
        if path.relative_to(folder).as_posix() not in entries:
            path.unlink()
    for key, entry in sorted(entries.items()):
        path = folder / key
        if path.is_dir() or any(parent.is_file() for parent in _parents(path, folder)):
            raise StorageError(
                f"{path}: an object of the store and a folder of others have one name: rename it"
            )
        cache.place(path, entry)


def _parents(path: Path, folder: Path) -> Iterator[Path]:
    yield from (parent for parent in path.parents if parent.is_relative_to(folder))


def list_files(folder: Path) -> list[Path]:
    """Files that are not hidden, nor lie in hidden folders."""
    found = []
    for inside, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(inside, name) for name in sorted(names) if not name.startswith(".")]
    return found


def _keep_safe(entries: dict[str, Entry], below: str) -> dict[str, Entry]:
    return {join(below, key): entry for key, entry in entries.items() if key and is_safe(key)}


def is_same(path: Path, entry: Entry) -> bool:
    """Whether a file has the store's size and stamp."""
    state = path.stat()
    return (state.st_size, state.st_mtime_ns) == (entry.size, entry.stamp)


def mirror_sources(cache: Cache, paths: Iterable[Path]) -> None:
    """Let objects stand at their paths in the cache, as holes, or be gone; within its lock.

    Paths elsewhere are left alone. Each folder of the store is listed once.
    """
    folders: dict[str, dict[str, Path]] = {}
    for path in paths:
        if address := cache.name(path):
            folder, name = split_folder(address)
            folders.setdefault(folder, {})[name] = Path(os.path.normpath(path))
    for folder, names in folders.items():
        entries = Remote(folder).list_files()
        for name, path in names.items():
            if name in entries:
                cache.place(path, entries[name])
            else:
                path.unlink(missing_ok=True)
