"""`zoo train`: one command for each recipe."""

from pathlib import Path
from typing import Any

import click

from toolkit.cli.base import Command, Function, json_option, options_from, print_json
from zoo.cli.progress import TrainProgress, describe_metrics
from zoo.deepspeech.options import DeepSpeechRecipe


@click.group("train")
def train() -> None:
    """Train a model; a run that was killed goes on with --resume."""


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


@train.command(
    "deepspeech",
    cls=Command,
    example="zoo train deepspeech --speech speech/ --out runs/deepspeech",
)
@options_from(DeepSpeechRecipe)
@run_options
@json_option
def deepspeech(out: Path, resume: bool, as_json: bool, **options: Any) -> None:
    """Train the acoustic model that makes speech features.

    Writes best.safetensors, for `zoo evaluate deepspeech` and `ttk transcribe --weights`, beside
    checkpoints, log.csv and TensorBoard's curves. The best epoch is the one of the lowest
    character error rate on rows of the split `train` whose sentences are not trained on.
    """
    from zoo.deepspeech.recipe import train_deepspeech

    recipe = DeepSpeechRecipe(**options)
    with TrainProgress(recipe.epochs, "s of sound") as progress:
        best = train_deepspeech(recipe, out, resume=resume, on_step=progress.advance)
    if as_json:
        print_json(best)
    else:
        click.echo(f"{out}: {best: {describe_metrics(best)}}")
