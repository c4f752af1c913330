"""Records of jobs, `manifests/jobs/<id>.json`: what each was to do; which are done; moved sources.

A record is written before its job starts, and is whole or not there.
"""

import dataclasses
import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from toolkit.dataset.manifest import (
    FOLDER,
    PARTS,
    find_part,
    list_parts,
    read_part,
    write_part,
)
from toolkit.dataset.paths import check_id, check_inside, check_shard, decode_path, list_files
from toolkit.errors import ManifestError
from toolkit.schema import Job, Source
from toolkit.storage import write_whole


def write_job(dataset: Path, job: Job) -> Path:
    """Record what a job is to do, before it starts; StorageError if the disk refuses."""
    path = _find_record(dataset, job.id)
    text = json.dumps(dataclasses.asdict(job), indent=1, sort_keys=True, ensure_ascii=False)
    with write_whole(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
    return path


def has_job(dataset: Path, job_id: str) -> bool:
    """Whether a job has been recorded."""
    return _find_record(dataset, job_id).is_file()


def _find_record(dataset: Path, job_id: str) -> Path:
    path = dataset / FOLDER / "jobs" / f"{check_id(job_id, dataset)}.json"
    return check_inside(path, dataset)


def read_jobs(dataset: Path) -> list[Job]:
    """Every recorded job, sorted by id; none where nothing was recorded.

    Raises:
        ManifestError: a damaged record.
    """
    return [_read_job(path) for path in list_files(dataset / FOLDER / "jobs", ".json", dataset)]


def _read_job(path: Path) -> Job:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        record["sources"] = tuple(Source(**source) for source in record["sources"])
        if record["id"] != path.stem:
            raise ValueError(f"it is of another job, {record['id']!r}")
        for source in record["sources"]:
            decode_path(source.path)
        return Job(**record)
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ManifestError(
            f"{path}: damaged ({error}): delete it and run ttk ingest again"
        ) from error


def move_sources(dataset: Path, moves: Iterable[tuple[str, Source]]) -> None:
    """Write into every record and table where sources lie now; shards keep the path at ingest.

    The parts of `sources` come last: where this is killed, they still have the former path.

    Args:
        dataset: the dataset's folder.
        moves: former path and source now: of the content that its `sha256` names, the path, size
            and time are written.
    """
    moved = {(former, source.sha256): source for former, source in moves}
    jobs = read_jobs(dataset) if moved else []
    twins: dict[str, set[str]] = {}  # digest of packets -> those of the files that hold them
    for source in (source for job in jobs for source in job.sources if source.packets_sha256):
        twins.setdefault(source.packets_sha256, set()).add(source.sha256)
    for job in jobs:
        sources = tuple(_move_source(source, moved, twins) for source in job.sources)
        if sources != job.sources:
            write_job(dataset, dataclasses.replace(job, sources=sources))
    now = datetime.now(UTC)
    for table in PARTS if moved else ():
        for path in list_parts(dataset, table):
            _move_rows(dataset, table, path.stem, moved, now)


def _move_source(
    source: Source, moved: Mapping[tuple[str, str], Source], twins: Mapping[str, set[str]]
) -> Source:
    first = source.duplicate_of or ""
    same = {source.sha256, *twins.get(source.packets_sha256, ())}
    firsts = [moved[first, digest].path for digest in sorted(same) if (first, digest) in moved]
    if firsts:
        source = dataclasses.replace(source, duplicate_of=firsts[0])
    if (now := moved.get((source.path, source.sha256))) is None:
        return source
    return dataclasses.replace(source, path=now.path, size=now.size, mtime_ns=now.mtime_ns)


def _move_rows(
    dataset: Path,
    table: str,
    job_id: str,
    moved: Mapping[tuple[str, str], Source],
    when: datetime,
) -> None:
    rows = read_part(dataset, table, job_id)
    digest = "sha256" if table == "sources" else "source_sha256"
    places = [moved.get((row["source"], row[digest])) for row in rows]
    if not any(places):
        return
    changed = [_move_row(*pair, when) for pair in zip(rows, places, strict=True)]
    write_part(dataset, table, job_id, changed)


def _move_row(row: dict[str, object], now: Source | None, when: datetime) -> dict[str, object]:
    if now is None:
        return row
    state = {"size": now.size, "mtime_ns": now.mtime_ns, "moved_at": when}
    return row | {"source": now.path} | {k: state[k] for k in state.keys() & row.keys()}


def read_done_jobs(dataset: Path) -> frozenset[str]:
    """Ids of the jobs that are done: those whose part of `sources` is there."""
    return frozenset(path.stem for path in list_parts(dataset, "sources"))


def delete_job(dataset: Path, job_id: str) -> None:
    """Forget a job that never ended: its record, and what it may have published."""
    for table in ("clips", "rejected"):
        find_part(dataset, table, job_id).unlink(missing_ok=True)
    check_shard(f"shards/{job_id}.h5", dataset, dataset).unlink(missing_ok=True)
    _find_record(dataset, job_id).unlink(missing_ok=True)
