"""Plan: which sources are new, and which of them make one shard together.

A plan is a function of the sources' contents and names, the options and what is done already:
the order in which sources are given and the number of workers change nothing.
"""

import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from toolkit.dataset.manifest import delete_job, read_done_jobs, read_jobs, read_table, write_job
from toolkit.errors import OptionsError, ToolkitError
from toolkit.ingest.sources import (
    check_readable,
    encode_path,
    find_sources,
    is_unchanged,
    name_identities,
)
from toolkit.ingest.workspace import is_running
from toolkit.media.video import read_duration
from toolkit.schema import Job, Source
from toolkit.storage import digest_record, hash_file

_UNKNOWN_SECONDS = 60.0
_MIN_JOBS = 16
_MIN_SECONDS = 20.0


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be done.

    Attributes:
        jobs: to run, in order; those recorded by an earlier run come first.
        num_done: sources given that are done already.
    """

    jobs: tuple[Job, ...]
    num_done: int


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
    names = name_identities(find_sources(inputs), identity)
    pending = [job for job in recorded if job.id not in done.jobs]
    stale = [job for job in pending if not all(is_unchanged(s, dataset) for s in job.sources)]
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
        made_with = job.options.get(name, value)  # an option is younger than the dataset
        if made_with != value:
            flag = "--" + name.replace("_", "-")
            raise OptionsError(
                f"this dataset was made with {flag} {made_with}, not {value}: give the same "
                "options again, or another folder with --out"
            )


def _describe(path: Path, encoded: str, identity: str, before: Source | None) -> Source:
    stat = check_readable(path)
    same = before is not None and (before.size, before.mtime_ns) == (stat.st_size, stat.st_mtime_ns)
    if before is not None and same:
        sha256, duration = before.sha256, before.duration
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

    `waiting` s of video lie in jobs before before: counted in, so that a plan that was killed
    while it was before goes on with jobs of the same size.
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
    return Job(
        id=digest_record(key), sources=tuple(sources), options=dict(options), attempt=attempt
    )
