"""A store in memory, and a cache of its own, for one test."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

from toolkit.store.address import FOLDER, LIMIT


@contextlib.contextmanager
def open_memory(cache: Path) -> Iterator[Any]:
    """Fsspec's file system in memory, empty at first and behind it."""
    files = fsspec.filesystem("memory")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(FOLDER, str(cache))
        patch.delenv(LIMIT, raising=False)
        _empty(files)
        yield files
    _empty(files)


def _empty(files: Any) -> None:
    files.store.clear()
    files.pseudo_dirs[:] = [""]


def put_folder(files: Any, folder: Path, root: str) -> None:
    """Every file of a folder of this disk, below a key of the store."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            files.pipe_file(f"{root}/{path.relative_to(folder)}", path.read_bytes())
