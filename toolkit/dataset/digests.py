"""Digests of a table's columns, kept in its file: they find every value that has changed since."""

import hashlib
import json
from typing import Any

import numpy as np
import pyarrow as pa

KEY = b"digests"
"""Of a file's metadata."""
_NOTE = "note "
"""Stands before the names of what else the metadata holds."""


def add_digests(content: Any) -> Any:
    """A pyarrow table whose metadata holds a digest of every column, and of its other notes."""
    notes = {k: v for k, v in (content.schema.metadata or {}).items() if k != KEY}
    digests = json.dumps(_digest_all(content, notes), sort_keys=True)
    return content.replace_schema_metadata(notes | {KEY: digests.encode()})


def find_changed(content: Any) -> list[str]:
    """Columns whose values are not those that were written; none in a file without digests."""
    notes = dict(content.schema.metadata or {})
    noted = notes.pop(KEY, None)
    if noted is None:
        return []
    try:
        known: dict[str, str] = dict(json.loads(noted))
    except (ValueError, TypeError):
        return ["digests"]
    found = _digest_all(content, {k: v for k, v in notes.items() if _NOTE + k.decode() in known})
    lost = [name for name in known if name.startswith(_NOTE) and name not in found]
    return lost + [name for name in found if found[name] != known.get(name)]


def _digest_all(content: Any, notes: dict[bytes, bytes]) -> dict[str, str]:
    columns = {name: _digest_column(content[name]) for name in content.schema.names}
    texts = {_NOTE + k.decode(): hashlib.sha256(v).hexdigest()[:16] for k, v in notes.items()}
    return columns | texts


def _digest_column(column: Any) -> str:
    """Sixteen hexadecimal digits of a column's values, however a file stores them."""
    digest, chunks = hashlib.sha256(), column.chunks or [pa.array([], column.type)]
    _hash_values(digest, chunks[0] if len(chunks) == 1 else pa.concat_arrays(chunks))
    return digest.hexdigest()[:16]


def _hash_values(digest: Any, values: Any) -> None:
    """Add an array of texts, of lists, or of anything of eight bytes."""
    if values.null_count:
        digest.update(values.is_null().to_numpy(zero_copy_only=False))
        values = values.drop_null()
    count = len(values)
    digest.update(count.to_bytes(8, "little"))
    if not count:
        return
    if pa.types.is_list(values.type):
        digest.update(np.diff(values.offsets.to_numpy()))
        _hash_values(digest, values.flatten())
        return
    _, places, *data = values.buffers()
    if pa.types.is_string(values.type):
        ends = np.frombuffer(places, np.int32, count + 1, 4 * values.offset)
        digest.update(np.diff(ends))
        digest.update(memoryview(data[0] or b"")[ends[0] : ends[-1]])
    else:
        digest.update(np.frombuffer(places, np.int64, count, 8 * values.offset))
