"""The acoustic model on the command line: train, export, evaluate."""

import dataclasses
from pathlib import Path
from typing import Any

import click

from toolkit.cli.bar import Bar
from toolkit.cli.base import Command, json_option, options_from, print_json
from zoo.cli.progress import TrainProgress
from zoo.cli.runs import finish_run, run_options
from zoo.models.deepspeech.options import DeepSpeechRecipe


@click.command(
    "deepspeech",
    cls=Command,
    example="zoo train deepspeech --speech speech/ --out runs/deepspeech",
)
@options_from(DeepSpeechRecipe)
@run_options
@json_option
def train_deepspeech(out: Path, resume: bool, as_json: bool, **options: Any) -> None:
    """Train the acoustic model that makes speech features.

    Writes best.safetensors, for `zoo evaluate deepspeech` and `ttk transcribe --weights`, beside
    checkpoints, log.csv and TensorBoard's curves. The best epoch is the one of the lowest
    character error rate on rows of the split `train` whose sentences are not trained on.
    """
    from zoo.models.deepspeech import recipe as recipes

    recipe = DeepSpeechRecipe(**options)
    with TrainProgress(recipe.epochs, "s of sound") as progress:
        best = recipes.train_deepspeech(recipe, out, resume=resume, on_step=progress.advance)
    finish_run(out, best, as_json)


@click.command(
    "deepspeech",
    cls=Command,
    example="zoo export deepspeech --run runs/deepspeech --out mine.safetensors --delay 0.06",
)
@click.option(
    "--run",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="A run's folder; its best epoch is taken.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="The file of weights, .safetensors.",
)
@click.option(
    "--delay",
    type=click.FloatRange(-1, 1),
    metavar="SECONDS",
    default=0.0,
    show_default=True,
    help="How late the network was measured to be; speech features are moved back by it.",
)
def export_deepspeech(run: Path, out: Path, delay: float) -> None:
    """Write a run's weights for `ttk ingest --deepspeech checkpoint --weights`.

    What a run leaves as best.safetensors, with its delay told.
    """
    from zoo.models.deepspeech.model import export_weights
    from zoo.training.loop import BEST

    export_weights(run / BEST, out, delay)
    click.echo(f"{out}: the network of {run}, {delay:g} s late")


@click.command(
    "deepspeech",
    cls=Command,
    example="zoo evaluate deepspeech --speech speech/ --weights runs/deepspeech",
)
@click.option(
    "--speech",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder with transcripts.csv and the recordings that it names.",
)
@click.option(
    "--weights",
    type=click.Path(path_type=Path),
    help="A file of weights, or a run's folder; else the ones that come with the toolkit.",
)
@json_option
def evaluate_deepspeech(speech: Path, weights: Path | None, as_json: bool) -> None:
    """Error rates of characters and words, greedy, on the rows of the split `test`.

    For each corpus and for all; sentences that stand in the training rows as well are apart.
    """
    from toolkit.features.transcribe import open_network
    from zoo.cli.tables import print_errors
    from zoo.data.transcripts import read_transcripts
    from zoo.evaluation.speech import transcribe_utterances
    from zoo.metrics.error_rates import measure_errors
    from zoo.models.deepspeech.model import find_run_weights

    network = open_network(find_run_weights(weights))
    rows = [row for row in read_transcripts(speech) if row.split == "test"]
    with Bar("evaluate", "utterances") as bar:
        rates = measure_errors(bar.watch(transcribe_utterances(network, rows), len(rows)))
    if as_json:
        print_json([dataclasses.asdict(rate) for rate in rates])
    else:
        print_errors(rates)
