"""Groups of commands: which there are, and where; modules are imported when they are asked for."""

import click

from toolkit.cli.base import Group

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
CONVERT = {"facial-official": "zoo.cli.models:convert_facial_official"}


@click.group("export", cls=Group, table=EXPORT)
def export() -> None:
    """Write a trained model's weights for the toolkit."""


@click.group("evaluate", cls=Group, table=EVALUATE)
def evaluate() -> None:
    """Measure how good a trained model is, and videos of any system."""


@click.group("convert", cls=Group, table=CONVERT)
def convert() -> None:
    """Make checkpoints of other code the zoo's."""
