"""A store in memory and a cache of its own for each test."""

from collections.abc import Iterator
from pathlib import Path

import fsspec
import pytest

from toolkit.store.address import FOLDER, LIMIT


@pytest.fixture(autouse=True)
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[fsspec.AbstractFileSystem]:
    """What lies in the store, empty at first."""
    monkeypatch.setenv(FOLDER, str(tmp_path / "cache"))
    monkeypatch.delenv(LIMIT, raising=False)
    files = fsspec.filesystem("memory")
    files.store.clear()
    files.pseudo_dirs[:] = [""]
    yield files
    files.store.clear()
