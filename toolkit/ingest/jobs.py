"""Plan: which sources are new, and which of them make one shard together.

A plan is a function of the sources' contents and names, the options and what is done already:
the order in which sources are given and the number of workers change nothing.
"""

import re
import warnings
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from toolkit.dataset.job_records import (
    delete_job,
    move_sources,
    read_done_jobs,
    read_jobs,
    write_job,
)
from toolkit.dataset.paths import encode_path, source_path
from toolkit.errors import OptionsError, ToolkitError
from toolkit.ingest.copies import Copies, mark_duplicates
from toolkit.ingest.done import Done, Places, read_done
from toolkit.ingest.identities import find_doubts, find_near_equal, name_identities
from toolkit.ingest.options import YOUNGER
from toolkit.ingest.sources import Found, describe_source, find_sources, is_unchanged, locate
from toolkit.ingest.workspace import is_running
from toolkit.media.packets import hash_packets
from toolkit.schema import Job, Source
from toolkit.storage import digest_record
from toolkit.store.cache import hold

_UNKNOWN_SECONDS = 60.0
_MIN_JOBS = 16
_MIN_SECONDS = 20.0


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be done.

    Attributes:
        jobs: to run, in order; those recorded by an earlier run come first.
        num_done: sources given that are done already.
        moved: of each source that is done and was moved, or is known by another name of its
            content: the path at which it lay, and the source where it lies now, with the digest
            that its clips name. Path and digest say which row it is.
        left: ids of recorded jobs that stay as they are: see `_may_run`.
    """

    jobs: tuple[Job, ...]
    num_done: int
    moved: tuple[tuple[str, Source], ...] = ()
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
    recorded = _read_recorded(dataset, options)
    done = read_done(dataset, recorded)
    found = find_sources(inputs, exclude)
    names = name_identities(found.places, identity)
    pending = [job for job in recorded if job.id not in done.jobs]
    stale = [job for job in pending if not _still_applies(job, found, dataset)]
    pending = [job for job in pending if job not in stale]
    here = {encode_path(path, dataset) for path in (*names, *found.problems)}
    left = [job for job in pending if not _may_run(job, here, dataset)]
    pending = [job for job in pending if job not in left]
    planned = {source.path: source for job in pending for source in job.sources}
    cache = {s.path: s for job in recorded for s in job.sources} | done.sources
    given: dict[Path, Source] = {}
    for path in sorted({*names, *found.problems}):
        encoded = encode_path(path, dataset)
        if encoded in planned:
            continue
        on_source(path)
        name, problem = names.get(path, ""), found.problems.get(path, "")
        source = describe_source(path, encoded, name, cache.get(encoded), problem)
        is_new = source.sha256 not in done.digests
        given[path] = _add_packets(source, path, done, options) if is_new else source
    places = Places(done, planned | {source.path: source for source in given.values()}, dataset)
    state = _sort_out(given, done, places, options, retry_rejected)
    doubts = _find_doubts(found, names, identity, done) if state.fresh else []
    told = (*_describe_left(left), *_describe_renamed(state.renamed), *_describe_shut(state.shut))
    for text in (*told, *doubts, *found.describe_passed()):
        warnings.warn(text, stacklevel=2)
    attempts = _count_attempts(recorded)
    for former, to in state.moved:
        attempts[to.path] = max(attempts.get(to.path, 0), attempts.get(former, 0))
    waiting = sum(_guess_seconds(source) for job in pending for source in job.sources)
    copies = {(s.path, s.sha256) for job in recorded for s in job.sources if s.duplicate_of}
    taken = _list_taken(done, pending, state.moved)
    marked = mark_duplicates(state.fresh, taken, done.without_clips - copies)
    jobs = _group(marked, options, shard_minutes, attempts, waiting)
    return Plan(
        jobs=(*pending, *jobs),
        num_done=state.num_done,
        moved=tuple(state.moved),
        left=tuple(job.id for job in left),
    )


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


@dataclass
class _Sorted:
    """Sources given: those to run, those done as (row, source), moves, those done and shut now."""

    fresh: list[Source] = field(default_factory=list)
    done: list[tuple[Source, Source]] = field(default_factory=list)
    moved: list[tuple[str, Source]] = field(default_factory=list)
    shut: list[Source] = field(default_factory=list)

    @property
    def num_done(self) -> int:
        return len(self.done) + len(self.shut)

    @property
    def renamed(self) -> list[tuple[Source, Source]]:
        """Those done whose person has another name now."""
        return [(row, source) for row, source in self.done if row.identity != source.identity]


def _sort_out(
    given: Mapping[Path, Source],
    done: Done,
    places: Places,
    options: Mapping[str, object],
    retry_rejected: bool,
) -> _Sorted:
    """Which sources are done: by their bytes, and of the rest by their packets."""
    state = _Sorted()
    rows = {path: places.find(source) for path, source in given.items()}
    for path, source in given.items():
        last = done.sources.get(source.path)
        if source.problem and last is not None and last.sha256:
            state.shut.append(source)
            continue
        row, full = rows[path], source
        if row is None:
            full = _add_packets(source, path, done, options)
        elif places.is_empty(row):  # a copy's perhaps, whose first is gone now
            full = replace(source, packets_sha256=done.packets.get(source.sha256, ""))
        if row is None or places.is_empty(row):
            row = places.find_twin(full) or row
        if row is None:
            state.fresh.append(full)
            continue
        if row != last or row.sha256 != source.sha256:
            state.moved.append((row.path, replace(source, sha256=row.sha256)))
        if retry_rejected and places.is_empty(row):
            state.fresh.append(_add_packets(source, path, done, options))
        else:
            state.done.append((row, source))
    return state


def _find_doubts(found: Found, names: Mapping[Path, str], identity: str, done: Done) -> list[str]:
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


def _read_recorded(dataset: Path, options: Mapping[str, object]) -> list[Job]:
    recorded = read_jobs(dataset)
    for job in recorded:
        _compare_options(job, options)
    return recorded


def _compare_options(job: Job, options: Mapping[str, object]) -> None:
    recorded = YOUNGER | job.options
    for name, value in (YOUNGER | dict(options)).items():
        made_with = recorded.get(name, value)  # an option is younger than the dataset
        if made_with != value:
            flag = "--" + name.replace("_", "-")
            raise OptionsError(
                f"this dataset was made with {flag} {made_with}, not {value}: give the same "
                "options again, or another folder with --out"
            )


def _add_packets(source: Source, path: Path, done: Done, options: Mapping[str, object]) -> Source:
    """With the digest of its packets, which are read once for each content."""
    if source.problem or source.packets_sha256:
        return source
    known = done.packets.get(source.sha256)
    track = options.get("audio_track")
    track = track if isinstance(track, int) else None
    with hold(path):
        return replace(source, packets_sha256=known or hash_packets(path, track))


def _list_taken(done: Done, pending: list[Job], moved: list[tuple[str, Source]]) -> Copies:
    """What has its clips, or will have, by the path of its source."""
    now = {(former, to.sha256): to.path for former, to in moved}
    taken = Copies()
    for digest, path in done.contents.items():
        taken.add(digest, done.packets.get(digest, ""), now.get((path, digest), path))
    for source in (s for job in pending for s in job.sources if not s.duplicate_of):
        taken.add(source.sha256, source.packets_sha256, source.path)
    return taken


def _group(
    sources: Iterable[Source],
    options: Mapping[str, object],
    shard_minutes: float,
    attempts: Mapping[str, int],
    waiting: float,
) -> Iterator[Job]:
    """Jobs of about `shard_minutes`; smaller ones where there is little, for all workers' sake.

    Copies are in the job of what they are copies of, behind it. `waiting` s of video lie in jobs
    recorded before: counted in, so that a plan that was killed while it was recorded goes on with
    jobs of the same size.
    """
    sources = _put_copies_behind(list(sources))
    total = waiting + sum(map(_guess_seconds, sources))
    longest = min(60 * shard_minutes, max(_MIN_SECONDS, total / _MIN_JOBS))
    batch: list[Source] = []
    seconds, first = 0.0, ""
    for source in sources:
        is_copy = first and source.duplicate_of == first
        if batch and not is_copy and seconds + _guess_seconds(source) > longest:
            yield _make_job(batch, options, attempts)
            batch, seconds = [], 0.0
        batch.append(source)
        first = first if is_copy else source.path
        seconds += _guess_seconds(source)
    if batch:
        yield _make_job(batch, options, attempts)


def _put_copies_behind(sources: list[Source]) -> list[Source]:
    """In the same order, but each copy behind what it is a copy of."""
    place = {source.path: number for number, source in enumerate(sources)}

    def rank(source: Source) -> tuple[int, bool]:
        first = place.get(source.duplicate_of or "")
        return (place[source.path], False) if first is None else (first, True)

    return sorted(sources, key=rank)


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
