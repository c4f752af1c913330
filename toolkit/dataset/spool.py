"""Columns that grow on disk while a shard is being made, so that memory does not."""

import contextlib
from collections.abc import KeysView
from pathlib import Path
from typing import IO

from toolkit.storage import guard_storage


class ColumnSpool:
    """One plain binary file per column.

    Args:
        folder: for this spool alone; made if missing.

    Raises:
        StorageError: in any method but `remove`: the disk is full or not writable.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._streams: dict[str, IO[bytes]] = {}
        with guard_storage(folder):
            folder.mkdir(parents=True, exist_ok=True)

    @property
    def names(self) -> KeysView[str]:
        """Columns begun so far."""
        return self._streams.keys()

    def path(self, name: str) -> Path:
        """File of a column."""
        return self._folder / (name.replace("/", "_") + ".bin")

    def append(self, name: str, data: bytes) -> None:
        """Write at the end of a column."""
        with guard_storage(self.path(name)):
            if name not in self._streams:
                self._streams[name] = self.path(name).open("wb")
            self._streams[name].write(data)

    def cut(self, name: str, size: int) -> None:
        """Shorten a column to so many bytes."""
        if name in self._streams:
            with guard_storage(self.path(name)):
                self._streams[name].seek(size)
                self._streams[name].truncate()

    def close(self) -> None:
        """Complete the files; they may be read afterwards."""
        for name, stream in self._streams.items():
            with guard_storage(self.path(name)):
                stream.close()

    def remove(self) -> None:
        """Delete the files, and the folder if nothing else is in it."""
        for name, stream in self._streams.items():
            with contextlib.suppress(OSError):
                stream.close()
            with contextlib.suppress(OSError):
                self.path(name).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            self._folder.rmdir()
