"""Groups of commands: which there are, and where; modules are imported when they are asked for."""

from pathlib import Path

import click

from toolkit.cli.base import Function, Group

EXPORT = {
    "deepspeech": "zoo.cli.deepspeech:export_deepspeech",
    "syncnet": "zoo.cli.sync:export_syncnet",
}
EVALUATE = {
    "deepspeech": "zoo.cli.deepspeech:evaluate_deepspeech",
    "motion": "zoo.cli.motion:evaluate_motion",
    "video": "zoo.cli.evaluate:evaluate_video",
    "compare": "zoo.cli.evaluate:evaluate_compare",
    "person": "zoo.cli.evaluate:evaluate_person",
    "sync": "zoo.cli.sync:evaluate_sync",
}
CHECK = {
    "identities": "zoo.cli.check:check_identities",
}
CONVERT = {
    "facial-official": "zoo.cli.models:convert_facial_official",
    "atvg-official": "zoo.cli.models:convert_atvg_official",
    "styleheat-prior": "zoo.cli.models:convert_styleheat_prior",
}
EDIT = {
    "directions": "zoo.cli.edit:find_directions",
    "layers": "zoo.cli.edit:draw_layers",
}


@click.group("export", cls=Group, table=EXPORT)
def export() -> None:
    """Write a trained model's weights for the toolkit."""


@click.group("evaluate", cls=Group, table=EVALUATE)
def evaluate() -> None:
    """Measure how good a trained model is, and videos of any system."""


@click.group("check", cls=Group, table=CHECK)
def check() -> None:
    """Look for what is wrong in a dataset, by judges with weights; nothing is changed."""


@click.group("convert", cls=Group, table=CONVERT)
def convert() -> None:
    """Make checkpoints of other code the zoo's."""


@click.group("edit", cls=Group, table=EDIT)
def edit() -> None:
    """What of a face StyleHEAT's prior can change, and in which of its layers."""


def export_options(function: Function) -> Function:
    """Add `--run FOLDER` and `--out FILE`: of every command that exports a run's weights."""
    run = click.option(
        "--run",
        type=click.Path(file_okay=False, path_type=Path),
        required=True,
        help="A run's folder; its best epoch is taken.",
    )
    out = click.option(
        "--out",
        type=click.Path(dir_okay=False, path_type=Path),
        required=True,
        help="The file of weights, .safetensors.",
    )
    return run(out(function))
