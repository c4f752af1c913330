"""START HERE: raw talking-head videos become shards, a manifest and a report.

    ingest         plan what is new, run it job by job, say what came out
    run_job        one job: its sources, one after another, into one shard; publish it
    make_job       the same on another machine, which leaves publishing to this one

`shard_maker.py` leads a source through the stages.
"""

import contextlib
import functools
import warnings
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from toolkit.dataset.job_records import read_done_jobs
from toolkit.dataset.manifest import find_part
from toolkit.dataset.paths import source_path
from toolkit.dataset.writer import Written
from toolkit.errors import BusyError, ToolkitError
from toolkit.ingest.backends import load_backends, one_thread
from toolkit.ingest.jobs import Plan, make_plan, record_plan
from toolkit.ingest.on_store import open_folders
from toolkit.ingest.options import IngestOptions
from toolkit.ingest.runners import ENGINES, open_runner
from toolkit.ingest.runners.base import Crashes, Progress
from toolkit.ingest.runners.processes import check_guard
from toolkit.ingest.runners.ray import open_ray
from toolkit.ingest.shard_maker import Report, ShardMaker
from toolkit.ingest.sound import warn_of_recordings
from toolkit.ingest.sources import check_inputs
from toolkit.ingest.workspace import (
    describe_owner,
    hold_dataset,
    is_running,
    lock_dataset,
    open_workspace,
    set_aside,
    sweep_workspaces,
)
from toolkit.schema import Job
from toolkit.storage import guard_storage


def ingest(
    inputs: Iterable[Path | str] | Path | str,
    options: IngestOptions | None = None,
    *,
    out: Path | str = ".",
    workers: int = 0,
    engine: str = "local",
    address: str | None = None,
    job_slice: tuple[int, int] = (0, 1),
    retry_rejected: bool = False,
    exclude: Iterable[str] = (),
    on_source: Callable[[Path], None] = lambda path: None,
    on_plan: Callable[[Plan], None] = lambda plan: None,
    on_progress: Report = lambda progress: None,
) -> Plan:
    """Turn videos into shards and manifest rows; what is done already is left alone.

    Args:
        inputs: files, folders (searched through) and text lists of paths, or addresses.
        options: what to make; one dataset has one set of those that shape its arrays.
        out: the dataset's folder; `shards/` and `manifests/` are made in it. Or an address.
        workers: processes to run in; 0 runs in this one. With Ray, actors; 0: as many as cores.
        engine: `local`: on this machine; `ray`: as actors of a Ray cluster.
        address: of the cluster: see `open_ray`.
        job_slice: (i, n): only jobs whose id mod n is i, so that n machines share a plan.
        retry_rejected: run sources again that gave no clip.
        exclude: patterns of files and folders to leave out: see `find_sources`.
        on_source: called with the path of each source as the plan looks at it.
        on_plan: called with the plan before it runs.
        on_progress: called with every step.

    Returns:
        The plan that was carried out; `toolkit.dataset.stats.yield_funnel` says what came of it.

    Raises:
        ToolkitError: what is not one video's fault; everything published stays.
        BusyError: another run is at work on the dataset; or, where runs share a plan, on jobs of
            this slice when all others of it are done.
    """
    if workers < 0 or not 0 <= job_slice[0] < job_slice[1]:
        raise ValueError(f"workers={workers}, job_slice={job_slice}: 0 or more; (i, n) with i < n")
    _check_engine(engine, address, job_slice)
    options = options or IngestOptions()
    check_guard()
    given = [inputs] if isinstance(inputs, (str, Path)) else [*inputs]
    is_alone = job_slice[1] == 1
    with contextlib.ExitStack() as stack:
        folders = stack.enter_context(open_folders(out, given))
        dataset, sources = folders.dataset, folders.inputs
        check_inputs(sources)
        stack.enter_context(guard_storage(dataset))
        stack.enter_context(hold_dataset(dataset, alone=is_alone))
        with lock_dataset(dataset):
            sweep_workspaces(dataset)
            plan = plan_ingest(sources, options, dataset, retry_rejected, on_source, exclude)
            mine = take_slice(plan, job_slice)
            recorded = IngestOptions.from_arrays(options.of_arrays())  # as the jobs will ask for
            free = [job for job in mine.jobs if not is_running(dataset, job.id)]
            load = functools.partial(load_backends, recorded) if free else lambda: None
            if free and engine == "ray":
                ray = functools.partial(open_ray, workers=workers, address=address)
                run = stack.enter_context(ray(free, dataset, prepare=load, make=make_job))
            else:
                run = stack.enter_context(
                    open_runner(min(workers, len(free)), load, folders.wrap(run_job))
                )
            record_plan(plan, dataset)
            folders.record()
        on_plan(mine)
        warn_of_recordings(source_path(s, dataset) for job in mine.jobs for s in job.sources)
        warned: set[str] = set()

        def report(progress: Progress) -> None:
            folders.commit(progress)
            on_progress(progress)
            if progress.kind == "slow" and not warned:
                warned.add(progress.source)
                _warn_of_rate(progress.source)

        run(mine.jobs if free else (), dataset, report)
        folders.refresh(mine.jobs)
        check_finished(dataset, mine)
        if is_alone:
            folders.compact()
    return mine


def _check_engine(engine: str, address: str | None, job_slice: tuple[int, int]) -> None:
    if engine not in ENGINES:
        raise ValueError(f"--engine {engine}: choose from {', '.join(ENGINES)}")
    if engine == "local" and address is not None:
        raise ValueError("--address: only with --engine ray")
    if engine == "ray" and job_slice != (0, 1):
        raise ValueError("--job-slice: not with --engine ray, which shares out the jobs itself")


def check_finished(dataset: Path, plan: Plan) -> None:
    """Raise where jobs of a plan that was carried out are left, those that another process took.

    Raises:
        BusyError: it is still at work on them.
        ToolkitError: it ended without finishing them.
    """
    done = read_done_jobs(dataset)
    left = [job.id for job in plan.jobs if job.id not in done]
    if busy := [job_id for job_id in left if is_running(dataset, job_id)]:
        raise BusyError(
            f"{dataset}: work is still under way: {describe_owner(dataset, busy[0])}, has "
            f"{len(busy)} of {len(plan.jobs)} jobs in hand: wait until it ends, then run the same "
            "again to see what came out"
        )
    done = read_done_jobs(dataset)
    if left := [job_id for job_id in left if job_id not in done]:
        raise ToolkitError(
            f"{dataset}: another process began {len(left)} jobs and ended before they were done: "
            "run the same again"
        )


def _warn_of_rate(source: str) -> None:
    """Of the first such source, while there is time to stop; the report counts them."""
    warnings.warn(
        f"{source} has 25 pictures a second, or nearly: on a clock of 30, one frame in six shows "
        "the picture before it again; --fps 25, into another --out, avoids it",
        stacklevel=3,
    )


def plan_ingest(
    inputs: Iterable[Path | str] | Path | str,
    options: IngestOptions,
    dataset: Path,
    retry_rejected: bool = False,
    on_source: Callable[[Path], None] = lambda path: None,
    exclude: Iterable[str] = (),
) -> Plan:
    """What `ingest` would do; writes nothing."""
    inputs = [inputs] if isinstance(inputs, (str, Path)) else inputs
    return make_plan(
        [Path(given) for given in inputs],
        dataset,
        options.of_arrays(),
        identity=options.identity,
        shard_minutes=options.shard_minutes,
        retry_rejected=retry_rejected,
        exclude=exclude,
        on_source=on_source,
    )


def take_slice(plan: Plan, job_slice: tuple[int, int]) -> Plan:
    """Of a plan, the jobs whose id mod n is i, for a slice (i, n)."""
    index, count = job_slice
    return replace(plan, jobs=tuple(j for j in plan.jobs if int(j.id, 16) % count == index))


def run_job(job: Job, dataset: Path, crashes: Crashes, report: Report) -> None:
    """Run one job and publish what it gives: rejections, shard, clips, then its sources.

    A pure function of the job's record: it gives the same shard wherever and whenever it runs.
    """
    load_backends(IngestOptions.from_arrays(dict(job.options)))  # what one_thread is to limit
    with one_thread(), guard_storage(dataset), open_workspace(dataset, job.id) as spool:
        if spool is None or find_part(dataset, "sources", job.id).is_file():
            report(Progress("busy", job.id))
            return
        _add_sources(ShardMaker(job, dataset, spool, report), crashes)


def make_job(
    job: Job, dataset: Path, crashes: Crashes, report: Report, *, workspace: str
) -> Written:
    """`run_job` but for its end: the shard is finished under a temporary name, nothing published.

    Args:
        job: as for `run_job`, and so on.
        dataset: its folder.
        crashes: sources that are `failed`.
        report: called with every step.
        workspace: name of a temporary folder for this call alone: another process that was given
            the job as well, and is out of reach, may be at work still.

    Returns:
        What `publish_written` makes part of the dataset.
    """
    load_backends(IngestOptions.from_arrays(dict(job.options)))
    written: list[Written] = []
    with one_thread(), guard_storage(dataset), open_workspace(dataset, workspace) as spool:
        if spool is None:
            raise BusyError(f"{dataset}: another process works in {workspace}")

        def keep(dataset: Path, made: Written) -> None:
            written.append(set_aside(made, dataset))

        _add_sources(ShardMaker(job, dataset, spool, report, publish=keep), crashes)
    return written[0]


def _add_sources(maker: ShardMaker, crashes: Crashes) -> None:
    with maker.writer:
        for source in maker.job.sources:
            maker.add_source(source, crashes.get(source.path))
