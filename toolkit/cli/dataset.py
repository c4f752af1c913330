"""`ttk split`, `ttk stats`, `ttk validate`: commands about a dataset that is there."""

import dataclasses
from pathlib import Path
from typing import Any

import click

from toolkit.cli.base import (
    command,
    data_option,
    data_option_to_write,
    json_option,
    options_from,
    print_json,
    say_next,
    write_data,
)
from toolkit.dataset.options import GROUP_COLUMNS, SplitOptions
from toolkit.names import write_name
from toolkit.store.cache import name_addresses


@command("split", example="ttk split --ratio 5-1-4 --by identity")
@options_from(SplitOptions)
@data_option_to_write
@json_option
def split(data: Path, as_json: bool, **options: Any) -> None:
    """Divide the clips into train, val and test.

    Clips of one source (or identity) never part, shares are counted in frames, and clips that have
    a part already keep it.
    """
    from toolkit.cli.tables import print_split
    from toolkit.dataset.split import split_dataset

    report = split_dataset(data, SplitOptions(**options))
    if as_json:
        print_json(dataclasses.asdict(report))
    else:
        print_split(report, options["by"])
        say_next(f"ttk stats{write_data(data)} --by split")


@command("stats", example="ttk stats --blinks --where 'speech_share > 0.5' --plot stats.png")
@click.option("--by", type=click.Choice(list(GROUP_COLUMNS)), help="One row for each of these.")
@click.option("--where", metavar="EXPR", help="Only clips for which this is true.")
@click.option("--blinks", is_flag=True, help="Rates, durations and distributions of blinks.")
@click.option("--duplicates", is_flag=True, help="List copies of one recording, and what agrees.")
@click.option(
    "--plot",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Draw all distributions into this picture: length, face, pose, speech, blinks.",
)
@data_option
@json_option
def stats(
    by: str | None,
    where: str | None,
    blinks: bool,
    duplicates: bool,
    plot: Path | None,
    data: Path,
    as_json: bool,
) -> None:
    """Say what a dataset holds: sizes, quality, poses, speech, blinks, yield.

    EXPR compares columns of the manifest: "face_size > 120 and identity in ['ann', 'bob']".
    """
    from toolkit.cli.tables import (
        print_all_duplicates,
        print_blinks,
        print_clips,
        print_funnel,
    )
    from toolkit.dataset.blink_stats import describe_blinks
    from toolkit.dataset.duplicates import find_duplicates
    from toolkit.dataset.excluded import drop_excluded
    from toolkit.dataset.manifest import read_table
    from toolkit.dataset.stats import describe_clips, group_clips, warn_of_borders, yield_funnel
    from toolkit.dataset.where import filter_rows

    everything = read_table(data, "clips")
    chosen = everything if where is None else filter_rows(everything, where)
    clips = drop_excluded(data, chosen)
    groups = list(group_clips(data, clips, by))
    numbers = [describe_clips(*group) for group in groups]
    funnel = yield_funnel(data, everything)
    copies = find_duplicates(data, clips) if duplicates else None
    blinking = [describe_blinks(*group) for group in groups] if blinks or plot else []
    if plot is not None:
        from toolkit.dataset.stats_plot import plot_stats

        plot_stats(groups, plot)
    warn_of_borders(clips)
    if as_json:
        clip_rows, blink_rows = ([dataclasses.asdict(g) for g in t] for t in (numbers, blinking))
        found = {} if copies is None else {"duplicates": [vars(g) for g in copies.groups]}
        tables = {"clips": clip_rows, "yield": dataclasses.asdict(funnel), "blinks": blink_rows}
        print_json(tables | found)
        return
    print_clips(numbers, by)
    print_funnel(funnel)
    if blinks:
        print_blinks(describe_blinks("all", clips), blinking)
    if copies is not None:
        print_all_duplicates(copies)
    say_next(f"ttk validate{write_data(data)}")


@command("validate", example="ttk validate --data dataset")
@click.option("--quick", is_flag=True, help="Open the shards, but do not read them whole.")
@click.option(
    "--deep",
    is_flag=True,
    help="Measure again what the shards allow: sharpness, speech, pose, blinks, …; takes longer.",
)
@click.option("--manifest-only", is_flag=True, help="Open no shard; they need not be there.")
@data_option
@json_option
def validate(quick: bool, deep: bool, manifest_only: bool, data: Path, as_json: bool) -> None:
    """Check that shards, manifest and split are whole and consistent; change nothing.

    Prints one line for each problem and exits with 1 if there is any; a note is no problem.
    """
    from rich.console import Console

    from toolkit.dataset.manifest import read_table
    from toolkit.dataset.mirrored import look_up_sources
    from toolkit.dataset.validate import validate_dataset

    if quick + deep + manifest_only > 1:
        raise click.UsageError("--quick, --deep or --manifest-only, not two of them")
    if not manifest_only:
        look_up_sources(data)
    with Console(stderr=True).status("validating") as status:
        problems = validate_dataset(
            data,
            deep=not quick,
            progress=lambda path: status.update(f"reading {path}"),
            recompute=deep,
            shards=not manifest_only,
        )
    if as_json:
        print_json([dataclasses.asdict(problem) for problem in problems])
    else:
        for problem in problems:
            text = f"note: {problem}" if problem.is_note else str(problem)
            click.echo(write_name(name_addresses(text)))
    if not all(problem.is_note for problem in problems):
        raise SystemExit(1)
    if not as_json:
        well = f"nothing is damaged; notes: {len(problems)}" if problems else "all is well"
        number = len(read_table(data, "clips", columns=["clip_id"]))
        click.echo(f"{name_addresses(str(data))}: {number} clips, {well}")
        say_next(f"ttk show --first{write_data(data)} --out clip.mp4")
