"""`zoo evaluate`: one command for each thing that can be measured."""

import dataclasses
from pathlib import Path

import click

from toolkit.cli.bar import Bar
from toolkit.cli.base import Command, json_option, print_json


@click.group("evaluate")
def evaluate() -> None:
    """Measure how good a trained model is."""


@evaluate.command(
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
def deepspeech(speech: Path, weights: Path | None, as_json: bool) -> None:
    """Error rates of characters and words, greedy, on the rows of the split `test`.

    For each corpus and for all; sentences that stand in the training rows as well are apart.
    """
    from toolkit.transcribe import open_network
    from zoo.cli.tables import print_errors
    from zoo.deepspeech.corpus import read_transcripts
    from zoo.deepspeech.evaluate import find_weights, hear_utterances, measure_errors

    network = open_network(find_weights(weights))
    rows = [row for row in read_transcripts(speech) if row.split == "test"]
    with Bar("evaluate", "utterances") as bar:
        heard = bar.watch(hear_utterances(network, rows), len(rows))
        rates = measure_errors(heard)
    if as_json:
        print_json([dataclasses.asdict(rate) for rate in rates])
    else:
        print_errors(rates)
