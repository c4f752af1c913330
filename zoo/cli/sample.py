"""`zoo sample`: datasets whose truth is known."""

import dataclasses
from pathlib import Path
from typing import Any

import click

from toolkit.cli.bar import Bar
from toolkit.cli.base import (
    Command,
    json_option,
    options_from,
    print_json,
    say_next,
    write_data,
)
from zoo.synthetic.options import SyntheticOptions


@click.group("sample")
def sample() -> None:
    """Make datasets to prove a model on."""


@sample.command(
    "facial",
    cls=Command,
    example="zoo sample facial --out synthetic --speech speech/ && ttk split --data synthetic",
)
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="The dataset's folder, without one yet.",
)
@options_from(SyntheticOptions)
@json_option
def facial(out: Path, as_json: bool, **options: Any) -> None:
    """Write shards of audio features and of motion that is a function of them.

    Beside the shards lies truth.npz, the motion without its noise. What is printed are the errors
    of that truth, and its blinks: no model can do better.
    """
    from zoo.synthetic.dataset import make_dataset
    from zoo.synthetic.oracle import measure_oracle

    chosen = SyntheticOptions(**options)
    with Bar("sample", "clips") as bar:
        bar.open(chosen.clips)
        make_dataset(out, chosen, lambda done: bar.show(done, chosen.clips, "written"))
    oracle = measure_oracle(out)
    if as_json:
        print_json(dataclasses.asdict(oracle))
    else:
        click.echo(f"{chosen.clips} clips in {out}; {oracle.describe()}")
        say_next(f"ttk split{write_data(out)}")
