"""Plan: which sources are new, and which of them make one shard together.

A plan is a function of the sources' contents and names, the options and what is done already:
the order in which sources are given and the number of workers change nothing.
"""

import codecs
import csv
import hashlib
import json
import os
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

from toolkit.dataset.manifest import delete_job, read_done_jobs, read_jobs, read_table, write_job
from toolkit.errors import ManifestError, OptionsError, ToolkitError
from toolkit.ingest.workspace import is_running
from toolkit.media.video import SUFFIXES, read_duration
from toolkit.schema import Job, Source
from toolkit.storage import hash_file

_LISTS = frozenset({".txt", ".lst", ".list"})
_UNKNOWN_SECONDS = 60.0
_MIN_JOBS = 16
_MIN_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be done.

    Attributes:
        jobs: to run, in order; those recorded by an earlier run come first.
        num_done: sources given that are done already.
    """

    jobs: tuple[Job, ...]
    num_done: int


def find_sources(inputs: Iterable[Path]) -> dict[Path, str]:
    """Absolute path of every source given, and the name of the folder it lies in ("" if none).

    Folders are searched through for the suffixes ffmpeg's containers have; a file is taken as it
    is; a `.txt`, `.lst` or `.list` file is a list of paths, one a line, relative to the list.
    """
    found: dict[Path, str] = {}
    inputs = sorted(inputs)
    for given in inputs:
        for path, folder in _expand(given):
            found[path.parent.resolve() / path.name] = folder  # a linked file keeps its name
    if not found:
        names = ", ".join(str(given) for given in inputs) or "nothing"
        raise ToolkitError(f"no videos in {names}: give video files, folders of them or lists")
    return dict(sorted(found.items()))


def check_inputs(inputs: Iterable[Path]) -> None:
    """ToolkitError for the first input that does not exist: before anything is written."""
    for given in inputs:
        if not given.exists():
            raise ToolkitError(f"{given}: no such file or folder")


def _expand(given: Path) -> Iterator[tuple[Path, str]]:
    if given.is_dir():
        seen: set[Path] = set()
        for folder, inner, names in os.walk(given, onerror=_refuse_folder, followlinks=True):
            real = Path(folder).resolve()
            if real in seen:  # links may lead in a circle
                inner.clear()
                continue
            seen.add(real)
            inner[:] = sorted(name for name in inner if not name.startswith("."))
            inside = Path(folder).relative_to(given).name
            for path in (Path(folder, name) for name in names if not name.startswith(".")):
                if path.suffix.lower() in SUFFIXES and path.is_file():
                    yield path, inside
    elif not given.is_file():
        raise ToolkitError(f"{given}: no such file or folder")
    elif given.suffix.lower() in _LISTS:
        yield from _expand_list(given)
    else:
        yield given, given.parent.name


def _expand_list(given: Path) -> Iterator[tuple[Path, str]]:
    _check_readable(given)
    lines = os.fsdecode(given.read_bytes().removeprefix(codecs.BOM_UTF8)).split("\n")
    for number, line in enumerate(lines, 1):
        if line.strip():
            path = given.parent / line.removesuffix("\r")
            if not path.exists():
                raise ToolkitError(f"{given}, line {number}: {path}: no such file or folder")
            if path.is_file() and path.suffix.lower() in _LISTS:
                raise ToolkitError(f"{given}, line {number}: a list cannot hold a list, as {path}")
            yield from _expand(path)


def _refuse_folder(error: OSError) -> NoReturn:
    raise ToolkitError(
        f"{error.filename}: cannot be searched ({error.strerror}): make it readable or leave it out"
    ) from error


def encode_path(path: Path, dataset: Path) -> str:
    """A source's path as the manifest writes it: from the dataset's folder, always UTF-8."""
    return _encode(os.path.relpath(path, dataset.resolve()))


def _encode(text: str) -> str:
    r"""UTF-8 whatever the bytes: those that are not stand as `\xNN`, a backslash as two."""
    return os.fsencode(text.replace("\\", "\\\\")).decode("utf-8", "backslashreplace")


def decode_path(text: str) -> str:
    """From the manifest's words to the path from the dataset's folder: inverse of `encode_path`."""

    def restore(match: re.Match[str]) -> str:
        return "\\" if match[1] is None else os.fsdecode(bytes.fromhex(match[1]))

    return re.sub(r"\\(?:\\|x([0-9a-f]{2}))", restore, text)


def make_plan(
    inputs: Iterable[Path],
    dataset: Path,
    options: Mapping[str, object],
    *,
    identity: str,
    shard_minutes: float,
    retry_rejected: bool = False,
    on_source: Callable[[Path], None] = lambda path: None,
) -> Plan:
    """Decide what to run; reads the manifest, writes nothing.

    Args:
        inputs: files, folders, lists.
        dataset: the dataset's folder.
        options: those that decide what the arrays hold; one dataset has one set.
        identity: `parent`, `stem` or the path of a CSV with columns source, identity.
        shard_minutes: minutes of video in a job.
        retry_rejected: run sources again that gave no clip.
        on_source: called before each source is looked at, with its path.

    Raises:
        OptionsError: the dataset was made with other options.
    """
    recorded = read_jobs(dataset)
    done = _read_done(dataset)
    for job in recorded:
        _compare_options(job, options)
    names = _name_identities(find_sources(inputs), identity)
    pending = [job for job in recorded if job.id not in done.jobs]
    stale = [job for job in pending if not all(_is_unchanged(s, dataset) for s in job.sources)]
    pending = [job for job in pending if job not in stale]
    planned = {source.path for job in pending for source in job.sources}
    cache = {s.path: s for job in recorded for s in job.sources} | done.sources
    fresh: list[Source] = []
    renamed: list[Source] = []
    num_done = 0
    for path, name in names.items():
        encoded = encode_path(path, dataset)
        if encoded in planned:
            continue
        on_source(path)
        source = _describe(path, encoded, name, cache.get(encoded))
        if _is_done(source, done.sources.get(encoded)) and not (
            retry_rejected and encoded in done.without_clips
        ):
            num_done += 1
            renamed += [source] if source.identity != done.sources[encoded].identity else []
        else:
            fresh.append(source)
    _warn_of_renamed(renamed, done)
    taken = done.contents | {
        s.sha256: s.path for job in pending for s in job.sources if not s.duplicate_of
    }
    attempts = _count_attempts(recorded)
    waiting = sum(_guess_seconds(source) for job in pending for source in job.sources)
    jobs = _group(_mark_duplicates(fresh, taken), options, shard_minutes, attempts, waiting)
    return Plan(jobs=(*pending, *jobs), num_done=num_done)


def _warn_of_renamed(renamed: list[Source], done: "_Done") -> None:
    if renamed:
        first = renamed[0]
        warnings.warn(
            f"{len(renamed)} sources that are done keep their identity, as {first.path}: "
            f"{done.sources[first.path].identity}, not {first.identity}; another --out takes all "
            "of them anew",
            stacklevel=3,
        )


def record_plan(plan: Plan, dataset: Path) -> None:
    """Write every job of a plan before the first one starts; drop those that no longer apply.

    Raises:
        ToolkitError: one that no longer applies is being run by another process.
    """
    keep = {job.id for job in plan.jobs} | read_done_jobs(dataset)
    stale = [job.id for job in read_jobs(dataset) if job.id not in keep]
    for job_id in stale:
        if is_running(dataset, job_id):
            raise ToolkitError(
                f"{dataset}: another process runs job {job_id}, whose sources have changed since: "
                "wait until it ends, then run again"
            )
    for job_id in stale:
        delete_job(dataset, job_id)
    for job in plan.jobs:
        write_job(dataset, job)


def _count_attempts(recorded: Iterable[Job]) -> dict[str, int]:
    attempts: dict[str, int] = {}
    for job in sorted(recorded, key=lambda job: job.attempt):
        attempts |= {source.path: job.attempt for source in job.sources}
    return attempts


def digest_options(options: Mapping[str, object]) -> str:
    """Twelve hexadecimal digits that stand for a set of options."""
    return _digest(options)[:12]


def _digest(value: object) -> str:
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class _Done:
    """Jobs that are done; the last row of every source by path; paths that gave no clip.

    `contents` has the digest of every content that clips were cut from, and by which path: a
    source may have changed since, its clips are still there.
    """

    jobs: frozenset[str]
    sources: dict[str, Source]
    without_clips: frozenset[str]
    contents: dict[str, str]


def _read_done(dataset: Path) -> _Done:
    jobs = read_done_jobs(dataset)
    if not jobs:
        return _Done(jobs, {}, frozenset(), {})
    rows = read_table(dataset, "sources").to_dict("records")
    sources = {
        row["source"]: Source(
            path=row["source"],
            size=row["size"],
            mtime_ns=row["mtime_ns"],
            sha256=row["sha256"],
            identity=row["identity"],
            duration=row["duration"],
        )
        for row in rows
    }
    clips = read_table(dataset, "clips")
    clips = clips[clips["job"].isin(list(jobs))]
    contents = dict(zip(clips["source_sha256"].tolist(), clips["source"].tolist(), strict=True))
    without_clips = frozenset(row["source"] for row in rows if not row["num_clips"])
    return _Done(jobs, sources, without_clips, contents)


def _compare_options(job: Job, options: Mapping[str, object]) -> None:
    for name, value in options.items():
        made_with = job.options.get(name)
        if made_with != value:
            flag = "--" + name.replace("_", "-")
            raise OptionsError(
                f"this dataset was made with {flag} {made_with}, not {value}: give the same "
                "options again, or another folder with --out"
            )


def _is_unchanged(source: Source, dataset: Path) -> bool:
    try:
        stat = source_path(source, dataset).stat()
    except OSError:
        return False
    return (stat.st_size, stat.st_mtime_ns) == (source.size, source.mtime_ns)


def source_path(source: Source, dataset: Path) -> Path:
    """Where a source lies: the inverse of `encode_path`."""
    return dataset / decode_path(source.path)


def _describe(path: Path, encoded: str, identity: str, known: Source | None) -> Source:
    stat = _check_readable(path)
    same = known is not None and (known.size, known.mtime_ns) == (stat.st_size, stat.st_mtime_ns)
    if known is not None and same:
        sha256, duration = known.sha256, known.duration
    else:
        sha256, duration = hash_file(path), read_duration(path)
    return Source(
        path=encoded,
        size=stat.st_size,
        mtime_ns=stat.st_mtime_ns,
        sha256=sha256,
        identity=identity,
        duration=duration,
    )


def _check_readable(path: Path) -> os.stat_result:
    try:
        with path.open("rb") as file:
            return os.fstat(file.fileno())
    except OSError as error:
        text = f"{path}: cannot be read ({error.strerror}): make it readable or leave it out"
        raise ToolkitError(text) from error


def _is_done(source: Source, row: Source | None) -> bool:
    return row is not None and row.sha256 == source.sha256


def _mark_duplicates(sources: list[Source], taken: Mapping[str, str]) -> Iterator[Source]:
    first = dict(taken)
    for source in sources:
        yield replace(source, duplicate_of=first.get(source.sha256))
        first.setdefault(source.sha256, source.path)


def _group(
    sources: Iterable[Source],
    options: Mapping[str, object],
    shard_minutes: float,
    attempts: Mapping[str, int],
    waiting: float,
) -> Iterator[Job]:
    """Jobs of about `shard_minutes`; smaller ones where there is little, for all workers' sake.

    `waiting` s of video lie in jobs recorded before: counted in, so that a plan that was killed
    while it was recorded goes on with jobs of the same size.
    """
    sources = list(sources)
    total = waiting + sum(map(_guess_seconds, sources))
    longest = min(60 * shard_minutes, max(_MIN_SECONDS, total / _MIN_JOBS))
    batch: list[Source] = []
    seconds = 0.0
    for source in sources:
        if batch and seconds + _guess_seconds(source) > longest:
            yield _make_job(batch, options, attempts)
            batch, seconds = [], 0.0
        batch.append(source)
        seconds += _guess_seconds(source)
    if batch:
        yield _make_job(batch, options, attempts)


def _guess_seconds(source: Source) -> float:
    """Length for the plan's sake, where the container does not say it."""
    return source.duration or _UNKNOWN_SECONDS


def _make_job(
    sources: list[Source], options: Mapping[str, object], attempts: Mapping[str, int]
) -> Job:
    attempt = 1 + max((attempts.get(source.path, 0) for source in sources), default=0)
    key = [[(s.path, s.sha256, s.identity, s.duplicate_of) for s in sources], options, attempt]
    return Job(id=_digest(key)[:12], sources=tuple(sources), options=dict(options), attempt=attempt)


def _name_identities(found: Mapping[Path, str], rule: str) -> dict[Path, str]:
    if rule == "parent":
        return {path: _encode(folder or path.stem) for path, folder in found.items()}
    if rule == "stem":
        return {path: _encode(path.stem) for path in found}
    table = _read_identities(Path(rule))
    return {path: _look_up(path, table, rule) for path in found}


def _read_identities(path: Path) -> dict[str, str]:
    if not path.is_file():
        raise ToolkitError(f"{path}: no such file (--identity wants columns source, identity)")
    _check_readable(path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ManifestError(f"{path}: no table in UTF-8 ({error}): save it as CSV UTF-8") from error
    if not rows or not {"source", "identity"} <= set(rows[0]):
        raise ManifestError(f"{path}: needs a header line with the columns source and identity")
    for row in rows:
        if not row["source"] or not row["identity"]:
            raise ManifestError(f"{path}: a row without source or identity: {row}")
    return {row["source"]: row["identity"] for row in rows}


def _look_up(path: Path, table: Mapping[str, str], rule: str) -> str:
    """By the longest tail of the path that the table names, or by the stem."""
    tails = ["/".join(path.parts[k:]).replace("//", "/") for k in range(len(path.parts))]
    for key in (*tails, path.stem):
        if key in table:
            return table[key]
    raise ToolkitError(f"{path}: {rule} has no row for it: add one, by file name or by path")
