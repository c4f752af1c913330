"""Manifest: parquet tables of sources, clips, rejections and the split (pyarrow's doorway).

`manifests/<table>/<job>.parquet` holds one part per job (a part without rows is a file without
rows); `manifests/split.parquet` is one file. Columns: `toolkit.schema.TABLES`. Every file is
written whole or not at all.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from toolkit.dataset.digests import add_digests, find_changed
from toolkit.dataset.paths import check_id, check_inside, check_shard
from toolkit.dataset.ranges import NEVER_NULL
from toolkit.dataset.where import filter_rows
from toolkit.errors import ManifestError
from toolkit.memory import require_memory
from toolkit.schema import TABLES, Reason
from toolkit.storage import write_whole

FOLDER = "manifests"
"""Where the manifest lies, from the dataset's folder."""

Numbers = npt.NDArray[np.int64]

PARTS = ("clips", "rejected", "sources")
"""Tables that have one part per job."""

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


def find_part(dataset: Path, table: str, job_id: str) -> Path:
    """File of a job's part of a table; it need not exist."""
    if table not in PARTS:
        raise ValueError(f"{table!r} has no parts: choose from {', '.join(PARTS)}")
    path = dataset / FOLDER / table / f"{check_id(job_id, dataset)}.parquet"
    return check_inside(path, dataset)


def write_part(
    dataset: Path, table: str, job_id: str, rows: Sequence[Mapping[str, object]]
) -> Path:
    """Write a job's part of `clips`, `rejected` or `sources`; a part of that job is replaced.

    Args:
        dataset: the dataset's folder.
        table: one of `PARTS`.
        job_id: names the part.
        rows: one mapping per row with every column of the table; None where nothing is known, as
            where a column of `LARGE` is missing.

    Returns:
        The file.

    Raises:
        ValueError: a row lacks a column, has one too many, or a value of another type.
        StorageError: the disk refuses.
    """
    path = find_part(dataset, table, job_id)
    _write(path, table, rows)
    return path


def read_part(dataset: Path, table: str, job_id: str) -> list[dict[str, Any]]:
    """Rows of a job's part, every column of them; ManifestError where it is missing or damaged."""
    rows: list[dict[str, Any]] = _read_part(
        dataset, find_part(dataset, table, job_id), table
    ).to_pylist()
    return rows


def list_parts(dataset: Path, table: str) -> list[Path]:
    """Files of a table's parts, sorted; none where there is no dataset."""
    paths = sorted(check_inside(dataset / FOLDER / table, dataset).glob("[!.]*.parquet"))
    for path in paths:
        check_id(path.stem, path)
    return [check_inside(path, dataset) for path in paths]


def write_split(
    dataset: Path, rows: Sequence[Mapping[str, object]], where: str | None = None
) -> Path:
    """Write `split.parquet`, with the expression that chose its clips; errors as `write_part`."""
    path = check_inside(dataset / FOLDER / "split.parquet", dataset)
    _write(path, "split", rows, {} if where is None else {"where": where})
    return path


def read_split_where(dataset: Path) -> str | None:
    """The expression that chose the clips of the split; None: all of them."""
    path = check_inside(dataset / FOLDER / "split.parquet", dataset)
    noted = (_read_file(path, "split").schema.metadata or {}).get(b"where")
    return None if noted is None else str(noted.decode())


def read_table(dataset: Path, table: str, where: str | None = None) -> pd.DataFrame:
    """Read a table whole.

    Of a path that several jobs took up, or that other content was moved to, what came there last
    counts: `sources` has its row alone, `rejected` its rows alone. Rejections of a job that has
    not ended are left out.

    Args:
        dataset: the dataset's folder.
        table: name in `TABLES`.
        where: keep the rows for which this expression over columns is true; see `filter_rows`.

    Returns:
        One row per entry, index from 0; lists of seconds as arrays, times in UTC. Without the
        columns of `LARGE`.

    Raises:
        ManifestError: no dataset or no split here, or a damaged file.
        ValueError: an unknown table, or an expression that cannot be evaluated.
    """
    if table not in TABLES:
        raise ValueError(f"unknown table {table!r}: choose from {', '.join(TABLES)}")
    if table == "split":
        frame = _read_split(dataset)
    elif table == "clips":
        frame = _read_parts(dataset, table)
    else:
        frame = _read_latest(dataset, table)
    return frame if where is None else filter_rows(frame, where)


def read_fingerprints(dataset: Path) -> tuple[list[str], Numbers, Numbers]:
    """Fingerprints of all clips, of no numbers where there is none.

    Returns:
        Ids of the c clips, (m,) int64 numbers one behind the other, (c + 1,) int64 where each
        clip's begin.

    Raises:
        ManifestError: no dataset here, or a damaged file.
    """
    columns = frozenset(column.name for column in TABLES["clips"])
    content = _concat_parts(dataset, "clips", columns - {"clip_id", "job", "shard", *LARGE})
    lists = content["fingerprint"].combine_chunks()
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy().astype(np.int64)
    numbers = np.asarray(lists.flatten().to_numpy(), np.int64)
    return content["clip_id"].to_pylist(), numbers, np.concatenate([[0], np.cumsum(lengths)])


def read_history(dataset: Path) -> pd.DataFrame:
    """Every row of `sources`, those too whose path holds other content now; the last come last."""
    sources = _read_parts(dataset, "sources")
    came = sources["moved_at"].where(sources["moved_at"] > sources["ingested_at"])
    sources["came"] = came.fillna(sources["ingested_at"])
    order = ["source", "came", "num_clips", "ingested_at", "job"]  # a copy may have its first's too
    return sources.sort_values(order, kind="stable").drop(columns="came").reset_index(drop=True)


def match_sources(rows: pd.DataFrame, sources: pd.DataFrame) -> "pd.Series[bool]":
    """Which rows the same job made of the same content, of the source that lies at their path."""
    sources = sources.set_index("source")
    same_job = rows["source"].map(sources["job"]) == rows["job"]
    return same_job & (rows["source"].map(sources["sha256"]) == rows["source_sha256"])


def has_split(dataset: Path) -> bool:
    """Whether a split has been made."""
    return (dataset / FOLDER / "split.parquet").is_file()


def make_schema(table: str) -> Any:
    """The pyarrow schema of a table."""
    return pa.schema([(column.name, _TYPES[column.type]) for column in TABLES[table]])


def _write(
    path: Path,
    table: str,
    rows: Sequence[Mapping[str, object]],
    notes: Mapping[str, str] | None = None,
) -> None:
    names = {column.name for column in TABLES[table]}
    for row in rows:
        if differing := (row.keys() ^ names) - LARGE:
            differ = ", ".join(sorted(differing))
            raise ValueError(f"a row of {table} has other columns than it must: {differ}")
    try:
        schema = make_schema(table).with_metadata(notes)
        content = pa.Table.from_pylist([dict(row) for row in rows], schema=schema)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise ValueError(f"a row of {table} holds a value of another type: {error}") from error
    with write_whole(path) as temporary:
        pq.write_table(add_digests(content), temporary)


def _read_split(dataset: Path) -> pd.DataFrame:
    path = check_inside(dataset / FOLDER / "split.parquet", dataset)
    if not path.is_file():
        raise ManifestError(f"{path}: no split has been made: run ttk split --data {dataset}")
    return _to_frame(_read_file(path, "split"))


def _read_parts(dataset: Path, table: str) -> pd.DataFrame:
    return _to_frame(_concat_parts(dataset, table, LARGE))


def _concat_parts(dataset: Path, table: str, left_out: frozenset[str]) -> Any:
    folder = dataset / FOLDER
    if not any((folder / name).is_dir() for name in PARTS):
        raise ManifestError(f"{dataset}: no dataset here: run ttk ingest VIDEOS --out {dataset}")
    parts = [_read_part(dataset, path, table, left_out) for path in list_parts(dataset, table)]
    return pa.concat_tables(parts) if parts else _keep(make_schema(table), left_out).empty_table()


def _keep(schema: Any, left_out: frozenset[str]) -> Any:
    return pa.schema([field for field in schema if field.name not in left_out])


def _read_part(
    dataset: Path, path: Path, table: str, left_out: frozenset[str] = frozenset()
) -> Any:
    content = _read_file(path, table, left_out)
    for job in content["job"].unique().to_pylist():
        check_id(job, path)
    for shard in content["shard"].unique().to_pylist() if table == "clips" else ():
        check_shard(shard, dataset, path)
    return content


def _read_file(path: Path, table: str, left_out: frozenset[str] = frozenset()) -> Any:
    schema = _keep(make_schema(table), left_out)
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


def _to_frame(content: Any) -> pd.DataFrame:
    frame: pd.DataFrame = content.to_pandas()
    return frame


def _read_latest(dataset: Path, table: str) -> pd.DataFrame:
    latest = read_history(dataset).drop_duplicates("source", keep="last")
    if table == "sources":
        return latest.reset_index(drop=True)
    rejected = _read_parts(dataset, "rejected")
    given = latest.loc[latest["num_clips"] > 0, "source"]
    is_former = (rejected["reason"] == Reason.DUPLICATE) & rejected["source"].isin(given)
    return rejected[match_sources(rejected, latest) & ~is_former].reset_index(drop=True)
