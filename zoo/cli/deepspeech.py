"""The acoustic model on the command line: export, evaluate."""

import dataclasses
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from toolkit.cli.bar import Bar
from toolkit.cli.base import Command, json_option, print_json, say_next
from toolkit.cli.transcribe import judge_option, open_judge
from zoo.cli.groups import export_options

if TYPE_CHECKING:
    from zoo.metrics.error_rates import ErrorRates, Transcription


@click.command(
    "deepspeech",
    cls=Command,
    example="zoo export deepspeech --run runs/deepspeech --out mine.safetensors --delay 0.06",
)
@export_options
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

    What a run leaves as best.safetensors, with its delay stated.
    """
    from zoo.models.deepspeech.model import export_weights
    from zoo.training.loop import BEST

    export_weights(run / BEST, out, delay)
    click.echo(f"{out}: the network of {run}, {delay:g} s late")
    say_next(f"ttk ingest videos/ --deepspeech checkpoint --weights {shlex.quote(str(out))}")


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
@judge_option
@json_option
def evaluate_deepspeech(
    speech: Path, weights: Path | None, judge: str | None, as_json: bool
) -> None:
    """Error rates of characters and words, greedy, on the rows of the split `test`.

    For each corpus and for all; sentences that stand in the training rows as well are apart. Rows
    whose transcript has digits, signs, other scripts or no letters are counted and not judged.
    With --judge the errors of Whisper, greedy too, its figures spelled out, stand beside.
    """
    from toolkit.errors import ToolkitError
    from toolkit.features.transcribe import open_network
    from zoo.cli.tables import print_errors
    from zoo.data.transcripts import read_transcripts
    from zoo.evaluation.speech import judge_utterances, transcribe_utterances
    from zoo.models.deepspeech.model import find_run_weights

    network, whisper = open_network(find_run_weights(weights)), open_judge(judge)
    rows = [row for row in read_transcripts(speech) if row.split == "test"]
    if not rows:
        raise ToolkitError(f"{speech}: no row is of the split test")
    rates = _measure("evaluate", transcribe_utterances(network, rows), len(rows))
    judged = _measure("judge", judge_utterances(whisper, rows), len(rows)) if whisper else None
    label = whisper.label if whisper else ""
    if as_json:
        print_json(_describe(rates, judged, label))
    else:
        print_errors(rates, judged, label)


def _measure(
    label: str, transcriptions: "Iterable[Transcription]", count: int
) -> "list[ErrorRates]":
    from zoo.metrics.error_rates import measure_errors

    with Bar(label, "utterances") as bar:
        return measure_errors(bar.watch(transcriptions, count))


def _describe(
    rates: "Sequence[ErrorRates]", judged: "Sequence[ErrorRates] | None", label: str
) -> list[dict[str, Any]]:
    rows = [dataclasses.asdict(rate) for rate in rates]
    for row, rate in zip(rows, judged or (), strict=judged is not None):
        row["judge"] = {"label": label, "cer": rate.cer, "wer": rate.wer}
    return rows
