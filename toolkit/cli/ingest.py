"""`ttk ingest`."""

import dataclasses
import os
from pathlib import Path
from typing import Any

import click

from toolkit.cli.base import command, json_option, options_from, print_json
from toolkit.cli.progress import IngestProgress
from toolkit.ingest.options import IngestOptions
from toolkit.names import write_name


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
    help="Processes to run in; 0: this one. [default: the cores this process may use]",
)
@click.option("--job-slice", metavar="I/N", help="Run every N-th job from the I-th, as 0/4.")
@click.option("--retry-rejected", is_flag=True, help="Run sources again that gave no clip.")
@click.option("--dry-run", is_flag=True, help="Print the plan and stop.")
@json_option
def ingest(
    inputs: tuple[Path, ...],
    out: Path,
    workers: int | None,
    job_slice: str | None,
    retry_rejected: bool,
    dry_run: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Turn videos into shards and a manifest.

    INPUTS are video files, folders (searched through) and text lists of paths. What is done
    already is left alone; a killed run continues where it stopped.
    """
    from toolkit.ingest import run as stage

    record, part = IngestOptions(**options), _parse_slice(job_slice)
    with IngestProgress() as progress:
        if dry_run:
            plan = stage.plan_ingest(inputs, record, out, retry_rejected, progress.look_at)
            plan = stage.take_slice(plan, part)
        else:
            count = len(os.sched_getaffinity(0)) if workers is None else workers
            plan = stage.ingest(
                inputs,
                record,
                out=out,
                workers=count,
                job_slice=part,
                retry_rejected=retry_rejected,
                on_source=progress.look_at,
                on_plan=progress.start,
                on_progress=progress.advance,
            )
    if dry_run:
        _print_plan(plan, as_json)
    else:
        _print_report(out, as_json)


def _parse_slice(text: str | None) -> tuple[int, int]:
    if text is None:
        return 0, 1
    index, _, count = text.partition("/")
    if not (index.isdigit() and count.isdigit() and int(index) < int(count)):
        raise ValueError(f"--job-slice {text}: write I/N with I from 0 to N-1, as 0/4")
    return int(index), int(count)


def _print_plan(plan: Any, as_json: bool) -> None:
    if as_json:
        print_json(dataclasses.asdict(plan))
        return
    for job in plan.jobs:
        minutes = sum(source.duration for source in job.sources) / 60
        click.echo(f"job {job.id}: {len(job.sources)} sources, {minutes:.1f} min")
        for source in job.sources:
            copy = f" (same content as {source.duplicate_of})" if source.duplicate_of else ""
            click.echo(write_name(f"  {source.path}  [{source.identity}]{copy}"))
    for former, source in plan.moved.items():
        click.echo(write_name(f"moved: {former} lies at {source.path} now"))
    click.echo(f"{len(plan.jobs)} jobs to run; {plan.num_done} sources are done already")


def _print_report(dataset: Path, as_json: bool) -> None:
    from toolkit.cli.tables import print_funnel
    from toolkit.dataset.manifest import read_table
    from toolkit.dataset.stats import warn_of_borders, yield_funnel

    funnel = yield_funnel(dataset)
    warn_of_borders(read_table(dataset, "clips"))
    if as_json:
        print_json(dataclasses.asdict(funnel))
    else:
        print_funnel(funnel)
