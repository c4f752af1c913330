"""A store in memory and a cache of its own for each test."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.stores import open_memory


@pytest.fixture(autouse=True)
def memory(tmp_path: Path) -> Iterator[Any]:
    """What lies in the store, empty at first."""
    with open_memory(tmp_path / "cache") as files:
        yield files
