"""Manifest: tables of sources, clips, rejections and the split, as rows and frames.

`manifests/<table>/<job>.parquet` holds one part per job (a part without rows is a file without
rows); `manifests/split.parquet` is one file; `manifests/compacted/<table>.parquet` is a copy of
many parts. Columns: `toolkit.schema.TABLES`. Every file is written whole or not at all.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow.compute as pc

from toolkit.dataset.compaction import compact, read_parts
from toolkit.dataset.paths import check_id, check_inside, list_files
from toolkit.dataset.table_file import LARGE, read_file, read_rows, write_rows
from toolkit.dataset.where import filter_rows
from toolkit.errors import ManifestError
from toolkit.schema import TABLES, Reason

FOLDER = "manifests"
"""Where the manifest lies, from the dataset's folder."""

Numbers = npt.NDArray[np.int64]

PARTS = ("clips", "rejected", "sources")
"""Tables that have one part per job."""


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
    write_rows(path, table, rows)
    return path


def read_part(dataset: Path, table: str, job_id: str) -> list[dict[str, Any]]:
    """Rows of a job's part, every column of them; ManifestError where it is missing or damaged."""
    rows: list[dict[str, Any]] = read_rows(
        dataset, find_part(dataset, table, job_id), table
    ).to_pylist()
    return rows


def list_parts(dataset: Path, table: str) -> list[Path]:
    """Files of a table's parts, sorted; none where there is no dataset."""
    return list_files(dataset / FOLDER / table, ".parquet", dataset)


def compact_tables(dataset: Path) -> None:
    """Keep a copy of tables of many parts in one file, from which they are read in a fraction of
    the time; see `toolkit.dataset.compaction`, whose errors it has.
    """
    for table in PARTS:
        compact(dataset, _find_copy(dataset, table), table, list_parts(dataset, table))


def write_split(
    dataset: Path, rows: Sequence[Mapping[str, object]] | pd.DataFrame, where: str | None = None
) -> Path:
    """Write `split.parquet`, with the expression that chose its clips; errors as `write_part`."""
    path = check_inside(dataset / FOLDER / "split.parquet", dataset)
    write_rows(path, "split", rows, {} if where is None else {"where": where})
    return path


def read_split_where(dataset: Path) -> str | None:
    """The expression that chose the clips of the split; None: all of them."""
    path = check_inside(dataset / FOLDER / "split.parquet", dataset)
    noted = (read_file(path, "split").schema.metadata or {}).get(b"where")
    return None if noted is None else str(noted.decode())


def read_table(
    dataset: Path, table: str, where: str | None = None, columns: Sequence[str] | None = None
) -> pd.DataFrame:
    """Read a table whole.

    Of a path that several jobs took up, or that other content was moved to, what came there last
    counts: `sources` has its row alone, `rejected` its rows alone. Rejections of a job that has
    not ended are left out.

    Args:
        dataset: the dataset's folder.
        table: name in `TABLES`.
        where: keep the rows for which this expression over columns is true; see `filter_rows`.
        columns: keep these alone; of `clips`, others are not even read unless there is `where`.

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
        frame = _read_parts(dataset, table, columns if where is None else None)
    else:
        frame = _read_latest(dataset, table)
    frame = frame if where is None else filter_rows(frame, where)
    return frame if columns is None else frame[list(columns)]


def read_fingerprints(dataset: Path) -> tuple[list[str], Numbers, Numbers]:
    """Fingerprints of all clips, of no numbers where there is none.

    Returns:
        Ids of the c clips, (m,) int64 numbers one behind the other, (c + 1,) int64 where each
        clip's begin.

    Raises:
        ManifestError: no dataset here, or a damaged file.
    """
    content = _concat_parts(dataset, "clips", _others("clips", {"clip_id", *LARGE}))
    lists = content["fingerprint"]
    lists = lists.chunk(0) if lists.num_chunks == 1 else lists.combine_chunks()  # which copies
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


def _read_split(dataset: Path) -> pd.DataFrame:
    path = check_inside(dataset / FOLDER / "split.parquet", dataset)
    if not path.is_file():
        raise ManifestError(f"{path}: no split has been made: run ttk split --data {dataset}")
    return _to_frame(read_file(path, "split"))


def _read_parts(dataset: Path, table: str, columns: Sequence[str] | None = None) -> pd.DataFrame:
    left_out = LARGE if columns is None else _others(table, columns)
    return _to_frame(_concat_parts(dataset, table, left_out))


def _others(table: str, columns: Iterable[str]) -> frozenset[str]:
    """Columns of a table that need not be read for these: ids and shards are always checked."""
    return frozenset(column.name for column in TABLES[table]) - {*columns, "job", "shard"}


def _concat_parts(dataset: Path, table: str, left_out: frozenset[str]) -> Any:
    folder = dataset / FOLDER
    if not any((folder / name).is_dir() for name in PARTS):
        raise ManifestError(f"{dataset}: no dataset here: run ttk ingest VIDEOS --out {dataset}")
    copy, paths = _find_copy(dataset, table), list_parts(dataset, table)
    return read_parts(dataset, copy, table, paths, left_out)


def _find_copy(dataset: Path, table: str) -> Path:
    return check_inside(dataset / FOLDER / "compacted" / f"{table}.parquet", dataset)


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
