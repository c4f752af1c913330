"""What every command that trains has in common."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from toolkit.cli.base import Function, print_json
from zoo.cli.progress import describe_metrics

if TYPE_CHECKING:
    from zoo.training.loop import Metrics


def run_options(function: Function) -> Function:
    """Add `--out DIR` and `--resume`, which every recipe has."""
    function = click.option(
        "--resume", is_flag=True, help="Go on with the run in --out, with the same options."
    )(function)
    return click.option(
        "--out",
        type=click.Path(file_okay=False, path_type=Path),
        required=True,
        help="The run's folder: checkpoints, weights, log.",
    )(function)


def finish_run(out: Path, best: "Metrics", as_json: bool) -> None:
    """Print what came out."""
    if as_json:
        print_json(best)
    else:
        click.echo(f"{out}: best: {describe_metrics(best)}")
