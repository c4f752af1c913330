"""Rows of numbers, many for each utterance, in one file: computed once, read in stretches.

Legend: n rows of an utterance, C numbers of a row.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from toolkit.storage import write_whole

Rows = npt.NDArray[np.float16]


class RowStore:
    """Float16 rows of many utterances, numbered as they were stored."""

    def __init__(self, path: Path) -> None:
        """Open what `store_rows` wrote."""
        with np.load(path.with_suffix(".npz")) as index:
            self.offsets: npt.NDArray[np.int64] = index["offsets"]
            width, self.key = int(index["width"]), str(index["key"])
        self._rows = np.memmap(path, np.float16, "r").reshape(-1, width)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def read(self, number: int) -> Rows:
        """(n, C) rows of utterance `number`, a view of the file."""
        return self._rows[self.offsets[number] : self.offsets[number + 1]]


def store_rows(path: Path, key: str, parts: Iterable[Rows]) -> RowStore:
    """The store at `path`, made of the (n, C) parts unless it was made under this key before.

    Written whole or not at all; the parts are not asked for where nothing is to be written.
    """
    index = path.with_suffix(".npz")
    if not _matches(path, index, key):
        path.parent.mkdir(parents=True, exist_ok=True)
        index.unlink(missing_ok=True)
        offsets, width = [0], 1
        with write_whole(path) as temporary, temporary.open("wb") as file:
            for part in parts:
                file.write(np.ascontiguousarray(part, np.float16).data)
                offsets.append(offsets[-1] + len(part))
                width = part.shape[1]
        with write_whole(index) as temporary, temporary.open("wb") as file:
            np.savez(file, offsets=np.array(offsets, np.int64), width=width, key=key)
    return RowStore(path)


def _matches(path: Path, index: Path, key: str) -> bool:
    if not (path.is_file() and index.is_file()):
        return False
    with np.load(index) as content:
        size = 2 * int(content["offsets"][-1]) * int(content["width"])
        return str(content["key"]) == key and path.stat().st_size == size
