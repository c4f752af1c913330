"""Files of a store on this disk: whole, or a name alone until they are opened.

A file of the cache lies at `CACHE/AREA/SCHEME/BUCKET/KEY`, with the store's size and time; its
sticky bit says that it is the cache's, and its owner's right to write that its content is here.
Without that, it is a hole of the same size. `hold` fetches it. Content of files that no process
holds is dropped, the longest unused first, where the cache would become larger than it may.
"""

import contextlib
import fcntl
import json
import os
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from toolkit.errors import StorageError
from toolkit.storage import guard_storage, hash_file, publish, write_whole
from toolkit.store.address import FOLDER, LIMIT, SCHEMES
from toolkit.store.remote import Entry, Remote

DEFAULT_GB = 50.0

_MARK, _LOCK, _DOWNLOAD, _HOLE = "ttk-cache.json", ".lock", ".download.tmp", ".hole.tmp"
_OWN = stat.S_ISVTX
_HERE = stat.S_IWUSR
_roots: set[Path] = set()
"""Caches that this process has opened."""


@dataclass(frozen=True)
class Cache:
    """A cache's folder, and how many bytes of content it may hold."""

    root: Path
    max_bytes: int

    def locate(self, area: str, address: str) -> Path:
        """Where the file or folder at an address lies."""
        scheme, _, rest = address.partition("://")
        return self.root / area / scheme / rest

    def name(self, path: Path) -> str | None:
        """The address of what lies at a path; None where that is not below a bucket's."""
        path = Path(os.path.abspath(path))  # noqa: PTH100  without following links
        if not path.is_relative_to(self.root) or len(path.relative_to(self.root).parts) < 4:
            return None
        _, scheme, *rest = path.relative_to(self.root).parts
        return f"{scheme}://{'/'.join(rest)}"

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """One process at a time changes what is here; not twice in one process."""
        with (self.root / _LOCK).open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def place(self, path: Path, entry: Entry) -> None:
        """Let a file of the store stand at a path, as a hole, unless it does already.

        Call it within `lock`.
        """
        with contextlib.suppress(OSError):
            state = path.lstat()
            is_same = (state.st_size, state.st_mtime_ns) == (entry.size, entry.stamp)
            if is_same and stat.S_ISREG(state.st_mode) and state.st_mode & _OWN:
                return
        self._make_hole(path, entry)

    def _make_hole(self, path: Path, entry: Entry) -> None:
        with guard_storage(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            hole = self.root / _HOLE
            hole.unlink(missing_ok=True)
            hole.touch()
            os.truncate(hole, entry.size)
            hole.chmod(_OWN | stat.S_IRUSR)
            os.utime(hole, ns=(entry.stamp, entry.stamp))
            hole.replace(path)

    def _fetch(self, path: Path, sha256: str) -> None:
        with self.lock(), guard_storage(path):
            state = path.lstat()
            if _is_here(state):
                return
            self._make_room(path, state.st_size)
            file = self.root / _DOWNLOAD
            file.unlink(missing_ok=True)
            try:
                Remote(str(self.name(path))).download("", file)
                if file.stat().st_size != state.st_size:
                    raise StorageError(f"{path}: it has changed on the store: run again")
                if sha256 and hash_file(file) != sha256:
                    raise StorageError(
                        f"{path}: damaged on the store, or replaced: its digest is not the "
                        "manifest's: run again, else see ttk validate"
                    )
                file.chmod(_OWN | stat.S_IRUSR | _HERE)
                os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))
                publish(file, path)
            finally:
                file.unlink(missing_ok=True)

    def _make_room(self, path: Path, size: int) -> None:
        """Drop what is longest unused until so many bytes fit."""
        files = sorted(self._list_content())
        total = sum(state[1] for state in files)
        for _, num_bytes, other in files:
            if total + size <= self.max_bytes:
                return
            if self._drop(other):
                total -= num_bytes
        if total + size > self.max_bytes:
            raise StorageError(
                f"{path}: {size / 1e9:.2f} GB do not fit into a cache of "
                f"{self.max_bytes / 1e9:g} GB, of which {total / 1e9:.2f} GB are in use: give more "
                f"(--cache-gb, {LIMIT})"
            )

    def _list_content(self) -> Iterator[tuple[int, int, Path]]:
        """Last use in ns, bytes and path of every file whose content is here."""
        for folder, _, names in os.walk(self.root):
            for name in names:
                path = Path(folder, name)
                with contextlib.suppress(FileNotFoundError):
                    state = path.lstat()
                    if state.st_mode & _OWN and _is_here(state):
                        yield state.st_atime_ns, state.st_size, path

    def _drop(self, path: Path) -> bool:
        """Make a hole of a file that no process holds; whether it is one now."""
        with path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            state = os.fstat(file.fileno())
            self._make_hole(path, Entry(state.st_size, state.st_mtime_ns))
        return True


def open_cache() -> Cache:
    """The cache that the environment names, made where it is not there yet.

    Raises:
        ValueError: a limit that is no number above 0.
        StorageError: the disk refuses.
    """
    root = Path(os.environ.get(FOLDER) or Path.home() / ".cache" / "ttk" / "stores").absolute()
    text = os.environ.get(LIMIT) or str(DEFAULT_GB)
    try:
        limit = float(text)
    except ValueError:
        limit = 0.0
    if not 0 < limit < 1e9:
        raise ValueError(f"--cache-gb, {LIMIT}: {text!r}: give GB, more than 0")
    return make_cache(root, int(limit * 1e9))


def make_cache(root: Path, max_bytes: int) -> Cache:
    """A cache in a folder; its limit stands in a file, for processes that open a file of it."""
    mark, text = root / _MARK, json.dumps({"max_bytes": max_bytes})
    with guard_storage(root):
        root.mkdir(parents=True, exist_ok=True)
        (root / _LOCK).touch()
        cache = Cache(root, max_bytes)
        with cache.lock():
            if not mark.is_file() or mark.read_text() != text:
                with write_whole(mark) as temporary:
                    temporary.write_text(text)
    _roots.add(root)
    return cache


@contextlib.contextmanager
def hold(path: Path, sha256: str = "") -> Iterator[None]:
    """While inside, the content of a file is on this disk; nothing is done for a local file.

    Args:
        path: any file.
        sha256: what its content must have, where it has to be fetched; "": anything.

    Raises:
        StorageError: the store refuses, the content is other than it was, or there is no room.
    """
    handle = acquire(path, sha256)
    try:
        yield
    finally:
        if handle is not None:
            os.close(handle)


def acquire(path: Path, sha256: str = "") -> int | None:
    """As `hold`: until the descriptor that is returned is closed; None for a local file."""
    path = Path(os.path.abspath(path))  # noqa: PTH100  without following links
    while True:
        try:
            state = path.lstat()
        except OSError:
            return None  # whoever opens it says why
        if not stat.S_ISREG(state.st_mode) or not state.st_mode & _OWN:
            return None
        cache = find_cache(path)
        if cache is None:
            return None
        if not _is_here(state):
            cache._fetch(path, sha256)
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            fcntl.flock(handle, fcntl.LOCK_SH)
            held = os.fstat(handle)
            if _is_here(held) and held.st_nlink:
                os.utime(path, ns=(time.time_ns(), held.st_mtime_ns))
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)  # dropped in between


def name_addresses(text: str) -> str:
    """A text, with addresses in place of the cache's paths."""
    for root in _roots:
        for area in sorted(path.name for path in root.glob("[a-z]*/")):
            for scheme in SCHEMES:
                text = text.replace(f"{root}/{area}/{scheme}/", f"{scheme}://")
    return text


def _is_here(state: os.stat_result) -> bool:
    return bool(state.st_mode & _HERE)


def find_cache(path: Path) -> Cache | None:
    """The cache that a file or folder lies in; None elsewhere."""
    for folder in path.absolute().parents:
        mark = folder / _MARK
        if mark.is_file():
            return Cache(folder, int(json.loads(mark.read_text())["max_bytes"]))
    return None
