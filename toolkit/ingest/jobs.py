"""Plan: which sources are new, and which of them make one shard together.

A plan is a function of the sources' contents and names, the options and what is done already:
the order in which sources are given and the number of workers change nothing.
"""

import re
import warnings
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from toolkit.dataset.manifest import (
    delete_job,
    move_sources,
    read_done_jobs,
    read_jobs,
    read_table,
    write_job,
)
from toolkit.dataset.paths import encode_path, source_path
from toolkit.errors import OptionsError, ToolkitError
from toolkit.ingest.identities import find_doubts, find_near_equal, name_identities
from toolkit.ingest.sources import Found, describe_source, find_sources, is_unchanged, locate
from toolkit.ingest.workspace import is_running
from toolkit.media.packets import hash_packets
from toolkit.schema import Job, Source
from toolkit.storage import digest_record

_UNKNOWN_SECONDS = 60.0
_MIN_JOBS = 16
_MIN_SECONDS = 20.0


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be done.

    Attributes:
        jobs: to run, in order; those recorded by an earlier run come first.
        num_done: sources given that are done already.
        moved: path at which a source that is done lay -> the source where it lies now.
        left: ids of recorded jobs that stay as they are: see `_may_run`.
    """

    jobs: tuple[Job, ...]
    num_done: int
    moved: Mapping[str, Source] = field(default_factory=dict)
    left: tuple[str, ...] = ()


def make_plan(
    inputs: Iterable[Path],
    dataset: Path,
    options: Mapping[str, object],
    *,
    identity: str,
    shard_minutes: float,
    retry_rejected: bool = False,
    exclude: Iterable[str] = (),
    on_source: Callable[[Path], None] = lambda path: None,
) -> Plan:
    """Decide what to run; reads the manifest, writes nothing.

    Args:
        inputs: files, folders, lists.
        dataset: the dataset's folder.
        options: those that decide what the arrays hold; one dataset has one set.
        identity: which rule names people: see `name_identities`.
        shard_minutes: minutes of video in a job.
        retry_rejected: run sources again that gave no clip.
        exclude: patterns of files and folders to leave out: see `find_sources`.
        on_source: called before each source is looked at, with its path.

    Raises:
        OptionsError: the dataset was made with other options.
    """
    recorded, done = _read_recorded(dataset, options), _read_done(dataset)
    found = find_sources(inputs, exclude)
    names = name_identities(found.places, identity)
    pending = [job for job in recorded if job.id not in done.jobs]
    stale = [job for job in pending if not _still_applies(job, found, dataset)]
    pending = [job for job in pending if job not in stale]
    given = {encode_path(path, dataset) for path in names} if pending else set[str]()
    left = [job for job in pending if not _may_run(job, given, dataset)]
    pending = [job for job in pending if job not in left]
    planned = {source.path for job in pending for source in job.sources}
    cache = {s.path: s for job in recorded for s in job.sources} | done.sources
    packets = {s.sha256: s.packets_sha256 for job in recorded for s in job.sources}
    gone = _Gone(done, dataset)
    fresh: list[Source] = []
    renamed: list[tuple[Source, Source]] = []
    moved: dict[str, Source] = {}
    shut: list[Source] = []
    num_done = 0
    for path in sorted({*names, *found.problems}):
        encoded = encode_path(path, dataset)
        if encoded in planned:
            continue
        on_source(path)
        name, problem = names.get(path, ""), found.problems.get(path, "")
        source = describe_source(path, encoded, name, cache.get(encoded), problem)
        row = done.sources.get(encoded) or gone.take(source)
        if source.problem and row is not None and row.sha256:
            shut.append(source)
            num_done += 1
            continue
        if row is None or row.sha256 != source.sha256:
            fresh.append(_add_packets(source, path, packets))
            continue
        if row.path != encoded:
            moved[row.path] = source
        if retry_rejected and row.path in done.without_clips:
            fresh.append(_add_packets(source, path, packets))
        else:
            num_done += 1
            renamed += [(row, source)] if source.identity != row.identity else []
    doubts = _find_doubts(found, names, identity, done) if fresh else []
    told = [*_describe_left(left), *_describe_renamed(renamed), *_describe_shut(shut), *doubts]
    told += found.describe_passed()
    for text in told:
        warnings.warn(text, stacklevel=2)
    taken = _list_taken(done, pending, recorded, moved)
    attempts = _count_attempts(recorded)
    attempts |= {to.path: attempts.get(path, 0) for path, to in moved.items()}
    waiting = sum(_guess_seconds(source) for job in pending for source in job.sources)
    copies = {s.path for job in recorded for s in job.sources if s.duplicate_of}
    marked = _mark_duplicates(fresh, taken, done.without_clips - copies)
    jobs = _group(marked, options, shard_minutes, attempts, waiting)
    left_ids = tuple(job.id for job in left)
    return Plan(jobs=(*pending, *jobs), num_done=num_done, moved=moved, left=left_ids)


def _may_run(job: Job, given: Container[str], dataset: Path) -> bool:
    """Whether a record that may be another's names only files that are given, or the dataset's."""
    root = dataset.resolve()
    return re.fullmatch("[0-9a-f]{12}", job.id) is not None and all(
        source.path in given or source_path(source, dataset).resolve().is_relative_to(root)
        for source in job.sources
    )


def _describe_left(left: list[Job]) -> Iterator[str]:
    if left:
        yield (
            f"{len(left)} jobs that did not end are left alone, as {left[0].id}: their videos, as "
            f"{left[0].sources[0].path if left[0].sources else 'none'}, are not given: give them, "
            "or delete manifests/jobs/ID.json"
        )


def _find_doubts(
    found: Found, names: Mapping[Path, str], identity: str, done: "_Done"
) -> list[str]:
    people = {*names.values(), *(source.identity for source in done.sources.values())}
    return [*find_doubts(found.places, names, identity), *find_near_equal(people)]


def _describe_renamed(renamed: list[tuple[Source, Source]]) -> Iterator[str]:
    if renamed:
        row, source = renamed[0]
        yield (
            f"{len(renamed)} sources that are done keep their identity, as {source.path}: "
            f"{row.identity}, not {source.identity}; another --out takes all of them anew"
        )


def _describe_shut(shut: list[Source]) -> Iterator[str]:
    if shut:
        yield (
            f"{len(shut)} sources that are done cannot be read now, as {shut[0].path} "
            f"({shut[0].problem}): their clips stay as they are"
        )


def _still_applies(job: Job, found: Found, dataset: Path) -> bool:
    """Whether a job that was recorded can run as it stands: its files unchanged, none left out."""
    return all(
        is_unchanged(source, dataset) and not found.excludes(locate(source_path(source, dataset)))
        for source in job.sources
    )


def record_plan(plan: Plan, dataset: Path) -> None:
    """Write every job of a plan before the first one starts; drop those that no longer apply.

    Raises:
        ToolkitError: one that no longer applies is being run by another process.
    """
    keep = {job.id for job in plan.jobs} | {*plan.left} | read_done_jobs(dataset)
    stale = [job.id for job in read_jobs(dataset) if job.id not in keep]
    for job_id in stale:
        if is_running(dataset, job_id):
            raise ToolkitError(
                f"{dataset}: another process runs job {job_id}, whose sources have changed since: "
                "wait until it ends, then run again"
            )
    for job_id in stale:
        delete_job(dataset, job_id)
    move_sources(dataset, plan.moved)
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


def _read_recorded(dataset: Path, options: Mapping[str, object]) -> list[Job]:
    recorded = read_jobs(dataset)
    for job in recorded:
        _compare_options(job, options)
    return recorded


def _compare_options(job: Job, options: Mapping[str, object]) -> None:
    for name, value in options.items():
        made_with = job.options.get(name, value)  # an option is younger than the dataset
        if made_with != value:
            flag = "--" + name.replace("_", "-")
            raise OptionsError(
                f"this dataset was made with {flag} {made_with}, not {value}: give the same "
                "options again, or another folder with --out"
            )


class _Gone:
    """Sources that are done and whose files are gone, by content: each may lie elsewhere now."""

    def __init__(self, done: _Done, dataset: Path) -> None:
        self._done, self._dataset = done, dataset
        self._rows: dict[str, list[Source]] = {}
        for row in (row for row in done.sources.values() if row.sha256):
            self._rows.setdefault(row.sha256, []).append(row)

    def take(self, source: Source) -> Source | None:
        """The row of the same content whose file is gone, each once: of the same name if any is."""
        rows = self._rows.get(source.sha256, [])
        gone = [row for row in rows if not source_path(row, self._dataset).exists()]
        name = Path(source.path).name

        def rank(row: Source) -> tuple[bool, bool, str]:
            return Path(row.path).name != name, row.path in self._done.without_clips, row.path

        row = min(gone, key=rank, default=None)
        if row is not None:
            rows.remove(row)
        return row


def _add_packets(source: Source, path: Path, known: Mapping[str, str]) -> Source:
    """With the digest of its packets, which are read once for each content."""
    if source.problem:
        return source
    return replace(source, packets_sha256=known.get(source.sha256) or hash_packets(path))


def _list_taken(
    done: _Done, pending: list[Job], recorded: list[Job], moved: Mapping[str, Source]
) -> dict[str, str]:
    """Digest of content or packets that has its clips, or will have -> the path of its source."""
    taken = dict(done.contents)
    for source in (s for job in recorded for s in job.sources):
        if source.sha256 in done.contents and source.packets_sha256:
            taken[source.packets_sha256] = done.contents[source.sha256]
    for source in (s for job in pending for s in job.sources if not s.duplicate_of):
        taken |= dict.fromkeys(_list_digests(source), source.path)
    return {digest: moved[path].path if path in moved else path for digest, path in taken.items()}


def _list_digests(source: Source) -> list[str]:
    return [digest for digest in (source.sha256, source.packets_sha256) if digest]


def _mark_duplicates(
    sources: list[Source], taken: Mapping[str, str], failed: frozenset[str]
) -> Iterator[Source]:
    """Each with the path of the one that holds the same.

    That is not one of `failed`, if it can be helped: another container may be read where it failed.
    """
    first: dict[str, str] = {}
    for source in sorted(sources, key=lambda source: source.path in failed):
        for digest in _list_digests(source):
            first.setdefault(digest, source.path)
    for source in sources:
        digests = _list_digests(source)
        same = [taken[digest] for digest in digests if digest in taken]
        same += [first[digest] for digest in digests if first[digest] != source.path]
        yield replace(source, duplicate_of=same[0] if same else None)


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
    return 0.0 if source.problem else source.duration or _UNKNOWN_SECONDS


def _make_job(
    sources: list[Source], options: Mapping[str, object], attempts: Mapping[str, int]
) -> Job:
    attempt = 1 + max((attempts.get(source.path, 0) for source in sources), default=0)
    key = [[(s.path, s.sha256, s.identity, s.duplicate_of) for s in sources], options, attempt]
    return Job(
        id=digest_record(key), sources=tuple(sources), options=dict(options), attempt=attempt
    )
