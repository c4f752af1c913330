"""One parquet file of a table: written whole with digests, read with every check."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from toolkit.dataset.digests import add_digests, find_changed
from toolkit.dataset.paths import check_id, check_shards
from toolkit.dataset.ranges import NEVER_NULL
from toolkit.errors import ManifestError
from toolkit.memory import require_memory
from toolkit.schema import TABLES
from toolkit.storage import write_whole

LARGE = frozenset({"fingerprint"})
"""Columns of `clips` that are not read with the others: `read_fingerprints` does."""

_TYPES = {
    "string": pa.string(),
    "int64": pa.int64(),
    "double": pa.float64(),
    "list<double>": pa.list_(pa.float64()),
    "list<int64>": pa.list_(pa.int64()),
    "timestamp[us, tz=UTC]": pa.timestamp("us", tz="UTC"),
}


def make_schema(table: str, left_out: frozenset[str] = frozenset()) -> Any:
    """The pyarrow schema of a table, but for some columns."""
    columns = [column for column in TABLES[table] if column.name not in left_out]
    return pa.schema([(column.name, _TYPES[column.type]) for column in columns])


def write_rows(
    path: Path,
    table: str,
    rows: Sequence[Mapping[str, object]] | pd.DataFrame,
    notes: Mapping[str, str] | None = None,
) -> None:
    """Write a file of rows: mappings, or a frame with the table's columns.

    Args:
        path: the file; one of that name is replaced.
        table: name in `TABLES`.
        rows: with every column; None where nothing is known, as where one of `LARGE` is missing.
        notes: kept in the file's metadata.

    Raises:
        ValueError: a row lacks a column, has one too many, or a value of another type.
        StorageError: the disk refuses.
    """
    schema = make_schema(table)
    try:
        if isinstance(rows, pd.DataFrame):
            content = pa.Table.from_pandas(rows, schema=schema, preserve_index=False)
        else:
            _check_columns(table, rows)
            content = pa.Table.from_pylist([dict(row) for row in rows], schema=schema)
    except (pa.ArrowInvalid, pa.ArrowTypeError, KeyError) as error:
        raise ValueError(f"a row of {table} holds a value of another type: {error}") from error
    write_content(path, content.replace_schema_metadata(notes))


def _check_columns(table: str, rows: Sequence[Mapping[str, object]]) -> None:
    names = {column.name for column in TABLES[table]}
    for row in rows:
        if differing := (row.keys() ^ names) - LARGE:
            differ = ", ".join(sorted(differing))
            raise ValueError(f"a row of {table} has other columns than it must: {differ}")


def write_content(path: Path, content: Any) -> None:
    """Write a pyarrow table with digests; StorageError if the disk refuses."""
    with write_whole(path) as temporary:
        pq.write_table(add_digests(content), temporary)


def read_rows(dataset: Path, path: Path, table: str, left_out: frozenset[str] = frozenset()) -> Any:
    """`read_file` of rows of jobs: their ids and shards lead to no file outside the dataset."""
    content = read_file(path, table, left_out)
    for job in content["job"].unique().to_pylist():
        check_id(job, path)
    if table == "clips":
        check_shards(content["shard"].unique().to_pylist(), dataset, path)
    return content


def read_file(path: Path, table: str, left_out: frozenset[str] = frozenset()) -> Any:
    """A pyarrow table of a file's rows, without some columns.

    Raises:
        ManifestError: it is damaged, has changed, or is of another table or program.
    """
    schema = make_schema(table, left_out)
    require_memory()  # pyarrow starts threads, and aborts where it cannot
    try:
        file = pq.ParquetFile(path)
        content = file.read([name for name in file.schema_arrow.names if name not in left_out])
        content.validate(full=True)
        has_others = any(each not in schema for each in content.schema)
        if not has_others and (changed := find_changed(content)):
            raise ValueError(f"other values than were written: {', '.join(changed)}")
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as error:
        raise ManifestError(
            f"{path}: damaged ({' '.join(str(error).split())}): put back a copy, or "
            f"{_advise_redo(path, table)}"
        ) from error
    for column in TABLES[table]:
        if column.added and column.name in schema.names and column.name not in content.schema.names:
            nulls = pa.nulls(len(content), _TYPES[column.type])
            content = content.append_column(column.name, nulls)
    if set(content.schema.names) == set(schema.names):
        content = content.select(schema.names)
    if not content.schema.equals(schema):
        differ = sorted(set(content.schema.names) ^ set(schema.names))
        types = [f"{f.name} as {f.type}" for f in content.schema if f not in schema]
        raise ManifestError(
            f"{path}: columns of another version of ttk, or another program "
            f"({', '.join(differ or types)}): put back a copy, or ingest again"
        )
    always = [column.name for column in TABLES[table] if not column.added]
    for name in set(NEVER_NULL if table == "clips" else always) - left_out:
        if content[name].null_count:
            raise ManifestError(f"{path}: damaged ({name} is missing in a row): put back a copy")
    return content


def _advise_redo(path: Path, table: str) -> str:
    if table == "split":
        return "delete it and run ttk split again"
    done = "" if table == "sources" else f" and manifests/sources/{path.name}"
    return f"delete it{done} and run ttk ingest on its videos again"
