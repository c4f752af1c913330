"""An object store: list, read, write whole, claim. The only code that knows fsspec.

Nothing is locked. A file is uploaded under a key in `.tmp/` and then copied to its name by the
store, which does that whole or not at all; keys that begin with a dot are no part of a dataset.
"""

import contextlib
import errno
import hashlib
import itertools
import secrets
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fsspec

from toolkit.errors import SetupError, StorageError, ToolkitError

TEMPORARY = ".tmp"
"""Where files are uploaded to, from a dataset's address, before they have their names."""

_EXTRA = {"s3": "s3", "gs": "gs"}
"""Scheme -> the extra that installs its file system."""

_DAY = 86400.0
_BATCH = 200
"""Objects read at once at most."""


@dataclass(frozen=True)
class Entry:
    """An object: bytes, and a stamp in nanoseconds that changes when its content does.

    Its seconds are the store's time of change; what is below them comes from the ETag.
    """

    size: int
    stamp: int


class Remote:
    """What lies below one address; keys stand from there.

    Args:
        address: as `find_address` gives it.
        owner: under whose name files are uploaded before they have their own.

    Raises:
        SetupError: what reads such stores is not installed.
        StorageError: in any method: the store refuses, or cannot be reached.
    """

    def __init__(self, address: str, owner: str = "others") -> None:
        self.address, self._owner = address, owner
        scheme, _, self._root = address.partition("://")
        try:
            self._files: Any = fsspec.filesystem(scheme, use_listings_cache=False)
        except ImportError as error:
            extra = _EXTRA.get(scheme, scheme)
            raise SetupError(f'{address}: pip install "ttk[{extra}]" ({error})') from error
        if scheme == "memory":
            self._root = f"/{self._root}"

    def list(self, folder: str = "") -> dict[str, Entry]:
        """Every object below a folder: key from there -> entry; "" for an object itself."""
        with self._guard(folder):
            root = self._find(folder)
            found = self._files.find(root, detail=True)
            return {
                name.removeprefix(root).lstrip("/"): _describe(info)
                for name, info in found.items()
                if info["type"] == "file" and (name == root or name.startswith(f"{root}/"))
            }

    def look_at(self, key: str = "") -> Entry | None:
        """One object; None where there is none."""
        with self._guard(key):
            try:
                info = self._files.info(self._find(key))
            except FileNotFoundError:
                return None
            return None if info["type"] == "directory" else _describe(info)

    def list_files(self) -> dict[str, Entry]:
        """The objects that lie in this very folder: name -> entry."""
        with self._guard(""):
            try:
                found = self._files.ls(self._root, detail=True)
            except FileNotFoundError:
                return {}
            files = (info for info in found if info["type"] == "file")
            return {str(info["name"]).rpartition("/")[2]: _describe(info) for info in files}

    def read(self, keys: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """Contents of small objects."""
        names = {self._find(key): key for key in keys}
        rest = iter(names)
        while batch := list(itertools.islice(rest, _BATCH)):
            with self._guard(names[batch[0]]):
                contents = self._files.cat(batch)
            yield from ((names[name], content) for name, content in contents.items())

    def download(self, key: str, file: Path) -> None:
        """One object into a file."""
        with self._guard(key):
            self._files.get_file(self._find(key), str(file))

    def upload(self, files: Mapping[str, Path]) -> None:
        """Write files under their keys, each whole or not at all, in this order."""
        if files:
            folder = f"{TEMPORARY}/{self._owner}/{secrets.token_hex(8)}"
            temporary = [f"{folder}/{number}" for number in range(len(files))]
            self.stage(dict(zip(temporary, files.values(), strict=True)))
            self.take(dict(zip(temporary, files, strict=True)))

    def stage(self, files: Mapping[str, Path]) -> None:
        """Upload files under temporary keys."""
        with self._guard(next(iter(files))):
            local = [str(file) for file in files.values()]
            self._files.put(local, [self._find(key) for key in files])

    def take(self, names: Mapping[str, str]) -> None:
        """Copy what was staged to its names, in this order, and delete it where it was."""
        for temporary, key in names.items():
            with self._guard(key):
                self._files.cp_file(self._find(temporary), self._find(key))
        self.delete(names)

    def delete(self, keys: Iterable[str]) -> None:
        """Delete objects; those that are gone already are none."""
        for key in keys:
            with self._guard(key), contextlib.suppress(FileNotFoundError):
                self._files.rm_file(self._find(key))

    def sweep(self) -> None:
        """Delete what uploads that were killed left: this owner's, and others' of a day ago."""
        for key, entry in self.list(TEMPORARY).items():
            if key.startswith(f"{self._owner}/") or time.time() - entry.stamp / 1e9 > _DAY:
                self.delete([f"{TEMPORARY}/{key}"])

    def write(self, key: str, content: bytes) -> None:
        """Write a small object, by one request."""
        with self._guard(key):
            self._files.pipe_file(self._find(key), content)

    def create(self, key: str, content: bytes) -> bool:
        """Write a small object if there is none (`If-None-Match: *`); whether it was written.

        A store that knows no such condition, and says so (501), is asked beforehand whether it has
        the object: of two that ask at the same time, both may write it.
        """
        with self._guard(key):
            try:
                self._files.pipe_file(self._find(key), content, mode="create")
            except OSError as error:
                # s3fs raises EINVAL, not FileExistsError, where the condition fails
                if self.look_at(key) is not None:
                    return False
                if error.errno != errno.ENOSYS:
                    raise
                self._files.pipe_file(self._find(key), content)
            return True

    def _find(self, key: str) -> str:
        return f"{self._root}/{key}" if key else self._root

    @contextlib.contextmanager
    def _guard(self, key: str) -> Iterator[None]:
        try:
            yield
        except ToolkitError:
            raise
        except Exception as error:  # each store has errors of its own
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise  # of this disk
            where = f"{self.address}/{key}" if key else self.address
            text = " ".join(str(error).split()) or type(error).__name__
            raise StorageError(f"{where}: {_explain(error)}{text}") from error


def _explain(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "not there: "
    if isinstance(error, PermissionError):
        return "the store refuses: "
    if "redentials" in f"{type(error).__name__}{error}":
        return "no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the like: "
    return "the store cannot be reached, or refuses: "


def _describe(info: Mapping[str, Any]) -> Entry:
    when = next((info[name] for name in _TIMES if info.get(name)), None)
    if isinstance(when, str):
        when = datetime.fromisoformat(when)
    if isinstance(when, datetime):
        when = (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()
    seconds = int(when or 0)
    version = next((info[name] for name in _VERSIONS if info.get(name)), when)
    digest = hashlib.sha256(str(version).encode()).digest()
    return Entry(
        size=int(info["size"] or 0),
        stamp=seconds * 10**9 + int.from_bytes(digest[:4], "big") % 10**9,
    )


_TIMES: Sequence[str] = ("LastModified", "updated", "mtime", "created")
_VERSIONS: Sequence[str] = ("ETag", "etag", "generation", "md5Hash")
