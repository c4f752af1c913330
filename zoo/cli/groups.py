"""Groups of commands: which there are, and where; modules are imported when they are asked for."""

import click

from toolkit.cli.base import Group

TRAIN = {
    "deepspeech": "zoo.cli.deepspeech:train_deepspeech",
    "facial-gan": "zoo.cli.facial:train_facial_gan",
    "personalization": "zoo.cli.personalization:train_personalization",
    "renderer": "zoo.cli.renderer:train_renderer_command",
}
FINETUNE = {"facial-gan": "zoo.cli.facial:finetune_facial_gan"}
EXPORT = {"deepspeech": "zoo.cli.deepspeech:export_deepspeech"}
EVALUATE = {
    "deepspeech": "zoo.cli.deepspeech:evaluate_deepspeech",
    "motion": "zoo.cli.facial:evaluate_motion",
}
CONVERT = {"facial-official": "zoo.cli.models:convert_facial_official"}


@click.group("train", cls=Group, table=TRAIN)
def train() -> None:
    """Train a model; a run that was killed goes on with --resume."""


@click.group("finetune", cls=Group, table=FINETUNE)
def finetune() -> None:
    """Go on training a model with the clips of one identity."""


@click.group("export", cls=Group, table=EXPORT)
def export() -> None:
    """Write a trained model's weights for the toolkit."""


@click.group("evaluate", cls=Group, table=EVALUATE)
def evaluate() -> None:
    """Measure how good a trained model is."""


@click.group("convert", cls=Group, table=CONVERT)
def convert() -> None:
    """Make checkpoints of other code the zoo's."""
