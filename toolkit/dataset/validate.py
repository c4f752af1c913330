"""Are shards, manifest and split whole and consistent? Looks only; changes nothing."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from toolkit.dataset.job_records import read_done_jobs, read_jobs
from toolkit.dataset.manifest import (
    FOLDER,
    find_part,
    has_split,
    list_parts,
    read_history,
    read_split_where,
    read_table,
)
from toolkit.dataset.options import GROUPS, PARTS
from toolkit.dataset.paths import check_inside, decode_path
from toolkit.dataset.ranges import find_outside, find_rows_outside
from toolkit.dataset.shard import ShardReader, verify_shard
from toolkit.dataset.where import filter_rows
from toolkit.errors import ManifestError, ShardError
from toolkit.schema import SCHEMA_VERSION
from toolkit.storage import hash_file
from toolkit.store.cache import hold

SHARDS = "shards"
"""Where shards lie, from the dataset's folder."""

RESPLIT = "run ttk split"
RESTART = "run ttk split --reassign"


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing that is wrong: which file, what, and what to do. A note is no fault."""

    path: Path
    message: str
    is_note: bool = False

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


def validate_dataset(
    dataset: Path,
    deep: bool = True,
    progress: Callable[[Path], None] | None = None,
    *,
    recompute: bool = False,
    shards: bool = True,
) -> list[Problem]:
    """Everything that is wrong with a dataset.

    Args:
        dataset: the dataset's folder.
        deep: read every shard whole and compare its digest; else open it only.
        progress: called with every shard before it is read.
        recompute: compare, too, every column of `clips` that follows from the shard with what the
            shard gives; takes seconds for a minute of video.
        shards: open them; else they need not be there.

    Raises:
        ManifestError: no dataset here, or a damaged manifest file, without which nothing else can
            be said.
    """
    for name in (SHARDS, FOLDER):
        check_inside(dataset / name, dataset)
    clips, sources = read_table(dataset, "clips"), read_table(dataset, "sources")
    history, rejected = read_history(dataset), read_table(dataset, "rejected")
    problems = [*_check_rows(dataset, clips), *_check_sources(dataset, clips, history)]
    for table, rows in (("clips", clips), ("sources", sources), ("rejected", rejected)):
        problems += _check_ranges(dataset, table, rows)
    for shard, rows in clips.groupby("shard", sort=True) if shards else ():
        if progress is not None:
            progress(dataset / str(shard))
        problems += _check_shard(dataset, str(shard), rows, deep, recompute)
    problems += _check_files(dataset, clips)
    problems += [*_find_gone(dataset, sources), *_find_replaced(dataset, history)]
    problems += _check_jobs(dataset)
    if has_split(dataset):
        problems += _check_split(dataset, clips)
    return problems


# --- manifest -----------------------------------------------------------------------------------


def _check_rows(dataset: Path, clips: pd.DataFrame) -> Iterator[Problem]:
    """Clips twice, rows of another schema, rows made with differing options."""
    for clip_id, rows in clips[clips["clip_id"].duplicated(keep=False)].groupby("clip_id"):
        job = str(rows["job"].iloc[-1])
        yield Problem(
            path=find_part(dataset, "clips", job),
            message=f"clip {clip_id} stands in the manifest {len(rows)} times: delete every file "
            f"of job {job} (shards/{job}.h5, manifests/*/{job}.*)",
        )
    for name, rows in clips[clips["schema_version"] != SCHEMA_VERSION].groupby("job"):
        yield Problem(
            path=find_part(dataset, "clips", str(name)),
            message=f"schema version {rows['schema_version'].iloc[0]}, not {SCHEMA_VERSION}: "
            "ingest again into a new folder with this version of ttk",
        )
    if clips["options_digest"].nunique() > 1:
        yield Problem(
            path=dataset / FOLDER / "clips",
            message=f"clips made with {clips['options_digest'].nunique()} different sets of "
            "options: one dataset has one; ingest again into a new folder",
        )


def _check_ranges(dataset: Path, table: str, rows: pd.DataFrame) -> Iterator[Problem]:
    """Values that cannot be."""
    for row in find_rows_outside(rows).to_dict("records"):
        if wrong := find_outside({str(name): value for name, value in row.items()}):
            what = row.get("clip_id", row["source"])
            yield Problem(
                path=find_part(dataset, table, str(row["job"])),
                message=f"{what}: {', '.join(wrong)} cannot be so: {_redo(str(row['job']))}",
            )


def _check_sources(dataset: Path, clips: pd.DataFrame, history: pd.DataFrame) -> Iterator[Problem]:
    """Clips of contents that no source had, and sources with another number of clips than rows."""
    found: dict[Any, int] = clips.groupby(["job", "source", "source_sha256"]).size().to_dict()
    known = set(map(tuple, history[["job", "source", "sha256"]].to_numpy().tolist()))
    unknown = {(job, source) for job, source, digest in found.keys() - known}
    for job, source in sorted(unknown):
        yield Problem(
            path=find_part(dataset, "clips", job),
            message=f"source_sha256 of {source} is not what manifests/sources has: {_redo(job)}",
        )
    for row in history.drop_duplicates("source", keep="last").itertuples():
        if (row.job, row.source) in unknown:
            continue
        number = found.get((row.job, row.source, row.sha256), 0)
        if number != row.num_clips:
            yield Problem(
                path=find_part(dataset, "clips", str(row.job)),
                message=f"{row.source} gave {row.num_clips} clips, {number} are listed: "
                f"{_redo(str(row.job))}",
            )


def _find_gone(dataset: Path, sources: pd.DataFrame) -> Iterator[Problem]:
    """Sources whose files are gone or are others now: notes, the clips need them no more."""
    files = sources[sources["mtime_ns"] != 0]  # of generated clips there never was one
    for row in files.sort_values("source").itertuples():
        path = dataset / decode_path(str(row.source))
        if not path.exists():
            message = "the source is gone: if it lies elsewhere, run ttk ingest on it there"
            yield Problem(path=path, message=message, is_note=True)
        elif path.stat().st_size != row.size:
            message = "another file than was ingested: run ttk ingest on it"
            yield Problem(path=path, message=message, is_note=True)


def _find_replaced(dataset: Path, history: pd.DataFrame) -> Iterator[Problem]:
    """Paths that hold other content than clips that name them were cut from: notes."""
    sources = history.drop_duplicates("source", keep="last")
    last = set(zip(sources["source"].tolist(), sources["sha256"].tolist(), strict=True))
    rows = history.drop_duplicates(["source", "sha256"], keep="last")
    counts = Counter[str]()
    for row in rows[rows["mtime_ns"] > 0].to_dict("records"):
        if (row["source"], row["sha256"]) not in last:
            counts[row["source"]] += row["num_clips"]
    for source, count in sorted((+counts).items()):
        message = f"another video lies there now: {count} clips of what was there before stay"
        yield Problem(path=dataset / decode_path(source), message=message, is_note=True)


def _check_jobs(dataset: Path) -> Iterator[Problem]:
    """Jobs that were recorded and not finished: a note, ingest may be at work."""
    done, recorded, folder = read_done_jobs(dataset), read_jobs(dataset), dataset / FOLDER
    there = {path for table in ("clips", "rejected") for path in list_parts(dataset, table)}
    there |= {folder / "jobs" / f"{job.id}.json" for job in recorded}
    for job_id in sorted(done):
        parts = [folder / table / f"{job_id}.parquet" for table in ("clips", "rejected")]
        for path in (*parts, folder / "jobs" / f"{job_id}.json"):
            if path not in there:
                yield Problem(path=path, message=f"missing: put it back, or {_redo(job_id)}")
    for job in recorded:
        if job.id not in done:
            message = f"recorded, not done ({len(job.sources)} sources): run ttk ingest again"
            yield Problem(path=folder / "jobs" / f"{job.id}.json", message=message, is_note=True)


def _redo(job: str) -> str:
    return f"delete manifests/sources/{job}.parquet and run ttk ingest on its videos again"


# --- shards -------------------------------------------------------------------------------------


def _check_shard(
    dataset: Path, shard: str, rows: pd.DataFrame, deep: bool, recompute: bool
) -> Iterator[Problem]:
    path, job = dataset / shard, str(rows["job"].iloc[0])
    if not path.is_file():
        yield Problem(path=path, message=f"missing: put it back, or {_redo(job)}")
        return
    if deep and {_hash_shard(path)} != set(rows["shard_sha256"]):
        yield Problem(
            path=path,
            message="damaged: its digest is not the manifest's: put back a copy, or delete it, "
            f"{_redo(job)}",
        )
        return
    try:
        reader = ShardReader(path)
        if deep:
            verify_shard(path)
    except ShardError as error:
        yield Problem(path=path, message=str(error).removeprefix(f"{path}: "))
        return
    yield from _compare_clips(dataset, reader, rows)
    yield from _compare_values(dataset, reader, rows)
    if recompute:
        yield from _compare_measured(dataset, reader, rows)


def _hash_shard(path: Path) -> str:
    with hold(path):
        return hash_file(path)


def _compare_values(dataset: Path, reader: ShardReader, rows: pd.DataFrame) -> Iterator[Problem]:
    """Columns that the shard holds as well, or that follow from others."""
    by_id = {clip.id: (index, clip) for index, clip in enumerate(reader.clips)}
    for row in rows.to_dict("records"):
        clip_id, onsets = str(row["clip_id"]), row["blink_onsets"]
        if clip_id not in by_id:
            continue  # reported already
        index, clip = by_id[clip_id]
        valid = float(np.mean(reader.read("face/valid", index)))
        expected = {
            "identity": clip.identity,
            "fps": reader.fps,
            "source_start": clip.start_frame / reader.fps,
            "duration": clip.num_frames / reader.fps,
            "valid_share": valid,
        }
        wrong = [n for n, value in expected.items() if not _is_equal(row[n], value)]
        if onsets is not None and row["num_blinks"] != len(onsets):
            wrong.append("num_blinks")
        if wrong:
            job = str(row["job"])
            yield Problem(
                path=find_part(dataset, "clips", job),
                message=f"clip {clip_id}: {', '.join(wrong)} is not what "
                f"{reader.path.name} holds: {_redo(job)}",
            )


def _compare_measured(dataset: Path, reader: ShardReader, rows: pd.DataFrame) -> Iterator[Problem]:
    """Measured columns against what the shard's own arrays and pictures give."""
    from toolkit.dataset.recompute import find_differing  # loads what reads sound

    index = {clip.id: index for index, clip in enumerate(reader.clips)}
    for row in rows.to_dict("records"):
        clip_id, job = str(row["clip_id"]), str(row["job"])
        if clip_id not in index:
            continue  # reported already
        try:
            differ = find_differing(reader, index[clip_id], {str(n): v for n, v in row.items()})
        except ShardError as error:
            yield Problem(path=reader.path, message=str(error).removeprefix(f"{reader.path}: "))
            continue
        if differ:
            listed = ", ".join(
                f"{name} {_show(row[name])} (not {_show(given)})" for name, given in differ.items()
            )
            yield Problem(
                path=find_part(dataset, "clips", job),
                message=f"clip {clip_id}: {listed}: {reader.path.name} gives other values: "
                f"{_redo(job)}",
            )


def _show(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _is_equal(found: object, expected: object) -> bool:
    if isinstance(expected, float):
        return isinstance(found, float) and abs(found - expected) < 1e-6
    return found == expected


def _compare_clips(dataset: Path, reader: ShardReader, rows: pd.DataFrame) -> Iterator[Problem]:
    """Clips of a shard against the rows that speak of it, by position."""
    stored = {
        index: [clip.id, clip.start_frame, clip.num_frames]
        for index, clip in enumerate(reader.clips)
    }
    names = ("index", "clip_id", "start_frame", "num_frames")
    columns = (rows[name].tolist() for name in names)
    listed = {index: key for index, *key in zip(*columns, strict=True)}
    job = str(rows["job"].iloc[0])
    part = find_part(dataset, "clips", job)
    for index in sorted(listed.keys() | stored.keys()):
        if index not in stored:
            message = f"clip {listed[index][0]} is not in {reader.path.name}: {_redo(job)}"
            yield Problem(path=part, message=message)
        elif index not in listed:
            message = f"clip {stored[index][0]} has no row in {part.name}: {_redo(job)}"
            yield Problem(path=reader.path, message=message)
        elif listed[index] != stored[index]:
            message = (
                f"clip {listed[index][0]} (position {index}) is {stored[index][0]} or of another "
                f"length in {reader.path.name}: {_redo(job)}"
            )
            yield Problem(path=part, message=message)


def _check_files(dataset: Path, clips: pd.DataFrame) -> Iterator[Problem]:
    """Files that nothing speaks of: temporary ones, shards without a row."""
    for folder in (dataset / SHARDS, dataset / FOLDER):
        hidden = folder.glob("**/.*")
        for path in sorted(p for p in hidden if p.match(".tmp-*") or p.match(".*.tmp")):
            yield Problem(
                path=path,
                message="temporary, of a run that was killed or is still at work: run ttk ingest "
                "again, or delete it once no ttk runs",
            )
    known, done = set(clips["shard"].unique()), read_done_jobs(dataset)
    for path in sorted((dataset / SHARDS).glob("[!.]*")):
        if f"{SHARDS}/{path.name}" not in known:
            is_pending = path.suffix == ".h5" and path.stem not in done
            advice = "run ttk ingest again" if is_pending else "delete it, nothing speaks of it"
            yield Problem(path=path, message=f"no clip of the manifest lies in it: {advice}")


# --- split --------------------------------------------------------------------------------------


def _check_split(dataset: Path, clips: pd.DataFrame) -> Iterator[Problem]:
    """A split that does not fit: unknown, twice or missing clips, parted groups, empty parts."""
    path = dataset / FOLDER / "split.parquet"
    try:
        split, where = read_table(dataset, "split"), read_split_where(dataset)
        chosen = clips if where is None else filter_rows(clips, where)
    except (ManifestError, ValueError) as error:
        yield Problem(path=path, message=str(error).removeprefix(f"{path}: "))
        return
    for message in (
        *_compare_split(split, chosen, clips),
        *_check_parts(split),
        *_find_parted(split, clips),
    ):
        yield Problem(path=path, message=message)


def _compare_split(
    split: pd.DataFrame, chosen: pd.DataFrame, everything: pd.DataFrame
) -> Iterator[str]:
    columns = [frame["clip_id"] for frame in (split, chosen, everything)]
    numbers, names = pd.factorize(pd.concat(columns, ignore_index=True))  # quicker than sets
    ids, needed, known = np.split(numbers, np.cumsum([len(column) for column in columns[:-1]]))
    if len(twice := ids[pd.Series(ids).duplicated()]):
        yield f"holds twice {_count(names[twice])}: {RESTART}"
    if len(unknown := np.setdiff1d(ids, known)):
        yield f"holds, but the manifest does not, {_count(names[unknown])}: {RESPLIT}"
    if len(missing := np.setdiff1d(needed, ids)):
        yield f"has no part yet for {_count(names[missing])}: {RESPLIT}"


def _check_parts(split: pd.DataFrame) -> Iterator[str]:
    found = set(split["split"].unique())
    if empty := [part for part in PARTS if part not in found]:
        yield f"no clip is in {' or '.join(empty)}: {RESTART}"
    if unknown := sorted(found - set(PARTS)):
        yield f"unknown parts {', '.join(map(repr, unknown))}: {RESTART}"


def _find_parted(split: pd.DataFrame, clips: pd.DataFrame) -> Iterator[str]:
    for by, rows in split.groupby("by"):
        column = GROUPS.get(str(by))
        if column is None:
            yield f"made by {by!r}, which is none of {', '.join(GROUPS)}: {RESTART}"
            continue
        groups = clips[[*dict.fromkeys(["clip_id", column, "source"])]].drop_duplicates("clip_id")
        joined = rows[["clip_id", "split"]].merge(groups, on="clip_id")
        sides = joined.groupby(column)["split"].nunique()
        for group in sides[sides > 1].index:
            names = joined.loc[joined[column] == group, "source" if by == "source" else column]
            yield f"clips of {by} {names.iloc[0]} stand in several parts: {RESTART}"


def _count(names: "pd.Index[str]") -> str:
    clips = set(names.tolist())
    first = min(clips)
    return f"clip {first}" if len(clips) == 1 else f"{len(clips)} clips ({first} …)"
