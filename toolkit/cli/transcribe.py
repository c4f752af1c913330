"""`ttk transcribe`: text by the acoustic model, for a look."""

import dataclasses
from pathlib import Path

import click

from toolkit.cli.base import command, json_option, print_json


@command("transcribe", example="ttk transcribe speech.wav")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--weights",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Weights of a network of deepspeech.pytorch; else the embedded ones.",
)
@json_option
def transcribe(files: tuple[Path, ...], weights: Path | None, as_json: bool) -> None:
    """Print the letters that the speech network reads from files with sound.

    The best letter of every 20 ms, without a dictionary: a look at what `audio/deepspeech` holds,
    not a transcript for people. With several FILES each line begins with the file's name.
    """
    from toolkit.features.transcribe import open_network
    from toolkit.features.transcribe import transcribe as transcribe_file

    network = open_network(weights)
    found = (transcribe_file(path, network) for path in files)
    if as_json:
        print_json([dataclasses.asdict(transcript) for transcript in found])
        return
    for transcript in found:
        click.echo(f"{transcript.path}: {transcript.text}" if len(files) > 1 else transcript.text)
