"""A table's many small files in one: a copy, read in their stead where they are what they were.

To open a file takes longer than to read its hundred rows. `manifests/compacted/<table>.parquet`
holds the rows of parts behind one another, and in its metadata of each part the SHA-256 of its
file and how many rows it has. A part whose file has this digest is read from the copy, any other by
itself. So the copy decides nothing: it may be old, damaged or missing, and may be deleted.
"""

import contextlib
import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from toolkit.dataset.digests import KEY
from toolkit.dataset.table_file import make_schema, read_rows, write_content
from toolkit.errors import ManifestError
from toolkit.storage import hash_file

MIN_PARTS = 100
"""Parts that the copy lacks, from which on it is written anew."""

_NOTE = b"parts"

Places = Mapping[str, tuple[str, int, int]]
"""Name of a part -> digest of its file, its first row in the copy and the one behind its last."""


def read_parts(
    dataset: Path, copy: Path, table: str, paths: Sequence[Path], left_out: frozenset[str]
) -> Any:
    """Rows of all parts, one part behind another, as a pyarrow table.

    Args:
        dataset: the dataset's folder.
        copy: the file that may hold a copy of some.
        table: name in `TABLES`.
        paths: the parts.
        left_out: columns.

    Raises:
        ManifestError: a damaged part.
    """
    with ThreadPoolExecutor(1) as pool:  # files are hashed while the copy is decoded
        hashing = pool.submit(_hash_all, paths if copy.is_file() else ())
        content, places = _open(dataset, copy, table, left_out)
        digests = hashing.result()
    pieces, begin, end = [], 0, 0  # rows of the copy that lie behind one another
    for path in paths:
        digest, first, after = places.get(path.stem, ("", 0, 0))
        is_copied = bool(digest) and digests.get(path) == digest
        if is_copied and first == end:
            end = after
            continue
        pieces.append(content.slice(begin, end - begin))
        if is_copied:
            begin, end = first, after
        else:
            begin = end
            pieces.append(read_rows(dataset, path, table, left_out))
    pieces.append(content.slice(begin, end - begin))
    pa.default_memory_pool().release_unused()  # reading takes twice as much as it keeps
    return pa.concat_tables(pieces)


def compact(dataset: Path, copy: Path, table: str, paths: Sequence[Path]) -> None:
    """Write the copy anew from all parts, if it lacks `MIN_PARTS` of them; arguments as above.

    Raises:
        ManifestError: a damaged part.
        StorageError: the disk refuses.
    """
    places, digests = _find_places(copy), _hash_all(paths)
    held = [path for path in paths if digests[path] == places.get(path.stem, ("",))[0]]
    if len(paths) - len(held) < MIN_PARTS:
        return
    pieces, notes = [], []
    for begin in range(0, len(paths), MIN_PARTS):
        some = [make_schema(table).empty_table()]
        for path in paths[begin : begin + MIN_PARTS]:
            rows = read_rows(dataset, path, table)
            if hash_file(path) == digests[path]:  # else it was written meanwhile, and is left out
                some.append(rows)
                notes.append((path.stem, digests[path], len(rows)))
        pieces.append(pa.concat_tables(some).combine_chunks())  # small arrays take up much more
    content = pa.concat_tables(pieces).replace_schema_metadata({_NOTE: json.dumps(notes)})
    write_content(copy, content)


def _open(dataset: Path, copy: Path, table: str, left_out: frozenset[str]) -> tuple[Any, Places]:
    """Rows and places of the copy; none where it is missing or damaged: the parts are read then."""
    if copy.is_file():
        with contextlib.suppress(ManifestError):
            content = read_rows(dataset, copy, table, left_out)
            places = _read_places(content.schema.metadata)
            if len(content) == max((end for _, _, end in places.values()), default=-1):
                return content, places
    return make_schema(table, left_out).empty_table(), {}


def _find_places(copy: Path) -> Places:
    try:
        return _read_places(pq.read_schema(copy).metadata)
    except (OSError, pa.ArrowException):
        return {}


def _read_places(metadata: Mapping[bytes, bytes] | None) -> Places:
    """From a file's metadata; of one without digests, by which notes are checked as well, none."""
    try:
        notes = [(str(n), str(d), int(k)) for n, d, k in json.loads((metadata or {})[_NOTE])]
    except (ValueError, KeyError, TypeError):
        return {}
    if KEY not in (metadata or {}) or any(count < 0 for _, _, count in notes):
        return {}
    ends = itertools.accumulate(count for _, _, count in notes)
    return {
        name: (digest, end - count, end)
        for (name, digest, count), end in zip(notes, ends, strict=True)
    }


def _hash_all(paths: Iterable[Path]) -> dict[Path, str]:
    """SHA-256 of files; "" of one that cannot be read, which the next to read it says."""
    digests = {}
    for path in paths:
        try:
            digests[path] = hash_file(path)
        except OSError:
            digests[path] = ""
    return digests
