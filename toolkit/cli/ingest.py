"""`ttk ingest`."""

import dataclasses
import os
import shlex
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from toolkit.cli.bar import write_time
from toolkit.cli.base import (
    cache_options,
    choose_split,
    command,
    json_option,
    options_from,
    print_json,
    say_next,
    write_data,
)
from toolkit.cli.progress import IngestProgress
from toolkit.errors import ToolkitError
from toolkit.ingest.options import IngestOptions
from toolkit.ingest.runners import ENGINES
from toolkit.names import write_name

if TYPE_CHECKING:
    from toolkit.ingest.estimate import Estimate
    from toolkit.ingest.jobs import Plan
    from toolkit.schema import Source

_SHOWN = 10
"""Sources that gave no clip, at most, that are named at the end."""


@command("ingest", example="ttk ingest videos/ --out dataset --workers 2")
@click.argument("inputs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=".",
    show_default=True,
    help="The dataset's folder: shards/ and manifests/ are made in it.",
)
@options_from(IngestOptions)
@click.option(
    "--workers",
    type=click.IntRange(min=0),
    help="Processes to run in; 0: this one. With --engine ray, actors. [default: the cores that "
    "this process, or the cluster, may use]",
)
@click.option(
    "--engine",
    type=click.Choice(ENGINES),
    default="local",
    show_default=True,
    help="Run on this machine, or on a Ray cluster (extra ray) whose nodes share the files.",
)
@click.option(
    "--address",
    metavar="auto|HOST[:PORT]",
    help="Ray cluster of --engine ray; by default one that runs here, else a new one.",
)
@click.option("--job-slice", metavar="I/N", help="Run every N-th job from the I-th, as 0/4.")
@click.option("--retry-rejected", is_flag=True, help="Run sources again that gave no clip.")
@click.option(
    "--exclude",
    multiple=True,
    metavar="PATTERN",
    help="Leave out files and folders whose name, or path from the folder given, fits this, or "
    "that this names.",
)
@cache_options
@click.option(
    "--dry-run",
    is_flag=True,
    help="Print the plan, check the backends, estimate time and disk, and stop.",
)
@json_option
def ingest(
    inputs: tuple[Path, ...],
    out: Path,
    workers: int | None,
    engine: str,
    address: str | None,
    job_slice: str | None,
    dry_run: bool,
    as_json: bool,
    retry_rejected: bool,
    exclude: tuple[str, ...],
    **options: Any,
) -> None:
    """Turn videos into shards and a manifest.

    INPUTS are video files, folders (searched through) and text lists of paths, or addresses of a
    store (s3://BUCKET/FOLDER), as --out may be. What is done
    already is left alone; a killed run continues where it stopped. What cannot be read or becomes
    no clip has a row with its reason. Exits with 1 if no clip is there at all, with 3 if another
    process is still at work on the same dataset.
    """
    from toolkit.ingest import run as stage
    from toolkit.ingest.on_store import open_folders
    from toolkit.store.mirror import open_dataset

    record, part = IngestOptions(**options), _parse_slice(job_slice)
    count = len(os.sched_getaffinity(0)) if workers is None else workers
    more: dict[str, Any] = {"retry_rejected": retry_rejected, "exclude": exclude}
    with IngestProgress() as progress:
        more["on_source"] = progress.look_at
        if dry_run:
            with open_folders(out, inputs) as folders:
                whole = stage.plan_ingest(folders.inputs, record, folders.dataset, **more)
                plan = stage.take_slice(whole, part)
                _print_plan(plan, record, folders.dataset, count, as_json)
            return
        more |= {"on_plan": progress.start, "on_progress": progress.advance}
        more |= {"engine": engine, "address": address}
        count = workers or 0 if engine == "ray" else count
        stage.ingest(inputs, record, out=out, workers=count, job_slice=part, **more)
    with open_dataset(out) as folder:
        if not _print_report(folder, as_json):
            raise ToolkitError(
                f"{folder}: no clip at all: everything was turned down: ttk ls "
                f"rejected{write_data(folder)}"
            )
        if not as_json:
            say_next(choose_split(folder))


ingest.on_store = frozenset({"inputs", "out"})  # type: ignore[attr-defined]


def _parse_slice(text: str | None) -> tuple[int, int]:
    if text is None:
        return 0, 1
    index, _, count = text.partition("/")
    if not (index.isdigit() and count.isdigit() and int(index) < int(count)):
        raise ValueError(f"--job-slice {text}: write I/N with I from 0 to N-1, as 0/4")
    return int(index), int(count)


def _print_plan(
    plan: "Plan", options: IngestOptions, out: Path, workers: int, as_json: bool
) -> None:
    from toolkit.ingest.estimate import estimate

    cost = estimate(plan, options, out, workers) if plan.jobs else None
    moved = {former: source for former, source in plan.moved if former != source.path}
    if as_json:
        costs = {"estimate": cost and dataclasses.asdict(cost)}
        places = {former: dataclasses.asdict(source) for former, source in moved.items()}
        print_json(dataclasses.asdict(plan) | {"moved": places} | costs)
        return
    for job in plan.jobs:
        minutes = sum(source.duration for source in job.sources) / 60
        click.echo(f"job {job.id}: {len(job.sources)} sources, {minutes:.1f} min")
        for source in job.sources:
            click.echo(write_name(f"  {source.path}  {_describe(source)}"))
    for former, source in moved.items():
        click.echo(write_name(f"moved: {former} lies at {source.path} now"))
    click.echo(f"{len(plan.jobs)} jobs to run; {plan.num_done} sources are done already")
    if cost is not None:
        _print_cost(cost, options, min(workers, len(plan.jobs)))
        words = (word for word in sys.argv[1:] if word != "--dry-run")
        say_next(shlex.join(["ttk", *words]))


def _describe(source: "Source") -> str:
    if source.problem:
        return f"(turned down: {source.problem})"
    copy = f" (same content as {source.duplicate_of})" if source.duplicate_of else ""
    return f"[{source.identity}]{copy}"


def _print_cost(cost: "Estimate", options: IngestOptions, workers: int) -> None:
    size, hour = options.frame_size, _write_bytes(cost.bytes_per_hour)
    crops = f"with crops of {size} px" if size else "without crops"
    click.echo("every backend asked for can work")
    if cost.seconds is not None:
        click.echo(f"time: about {write_time(cost.seconds)}, with {max(1, workers)} at work")
    more, free = _write_bytes(cost.temporary_bytes), _write_bytes(cost.free_bytes)
    click.echo(
        f"disk: about {_write_bytes(cost.num_bytes)} ({hour} an hour {crops}), while it runs\n"
        f"      up to {more} more; {free} free"
    )
    if cost.is_too_large:
        warnings.warn("the disk is too small for it: free some space", stacklevel=2)


def _write_bytes(count: int) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def _print_report(dataset: Path, as_json: bool) -> bool:
    """Print what came out; whether there is any clip, or a job to run still."""
    from toolkit.cli.tables import print_funnel
    from toolkit.dataset.job_records import read_done_jobs, read_jobs
    from toolkit.dataset.manifest import read_table
    from toolkit.dataset.stats import warn_of_borders, yield_funnel

    funnel = yield_funnel(dataset)
    warn_of_borders(read_table(dataset, "clips"))
    if as_json:
        print_json(dataclasses.asdict(funnel))
    else:
        print_funnel(funnel)
        _print_turned_down(dataset)
    done = read_done_jobs(dataset)
    has_clips = funnel.num_clips + funnel.num_excluded > 0
    return has_clips or any(job.id not in done for job in read_jobs(dataset))


def _print_turned_down(dataset: Path) -> None:
    """The sources that gave no clip, with what happened."""
    from toolkit.dataset.manifest import read_table

    sources, rejected = read_table(dataset, "sources"), read_table(dataset, "rejected")
    empty = set(sources.loc[sources["num_clips"] == 0, "source"])
    rows = rejected[rejected["source"].isin(list(empty)) & (rejected["reason"] != "duplicate")]
    rows = rows.sort_values(["source", "duration"], ascending=[True, False])
    rows = rows.drop_duplicates("source")
    for row in rows.head(_SHOWN).itertuples():
        click.echo(write_name(f"no clip of {row.source}: {row.message} ({row.reason})"))
    if len(rows) > _SHOWN:
        click.echo(f"no clip of {len(rows) - _SHOWN} other sources: see manifests/rejected")
