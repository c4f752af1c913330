"""`ttk transcribe`: text by the acoustic model, for a look."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from toolkit.cli.base import Function, command, json_option, print_json

if TYPE_CHECKING:
    from toolkit.features.transcribe import Transcript
    from toolkit.features.whisper import Whisper


def judge_option(function: Function) -> Function:
    """Add `--judge [FOLDER]`: None where it is not given, "" where it is without a folder."""
    return click.option(
        "--judge",
        is_flag=False,
        flag_value="",
        metavar="[FOLDER]",
        callback=_check_judge,
        help="Ask Whisper too, which is trained on far more speech: tiny.en of the extra "
        "`teacher`, or the Whisper of a FOLDER in CTranslate2's format.",
    )(function)


def _check_judge(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    if value and not Path(value).is_dir():
        raise click.BadParameter(
            f"{value}: no such folder; without a folder, write --judge at the end"
        )
    return value


def open_judge(value: str | None) -> "Whisper | None":
    """The recogniser that `--judge` asks for; SetupError where it is not installed."""
    if value is None:
        return None
    from toolkit.features.whisper import Whisper

    return Whisper(Path(value) if value else None)


@command("transcribe", example="ttk transcribe speech.wav --judge")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--weights",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Weights of a network of deepspeech.pytorch; else the embedded ones.",
)
@judge_option
@json_option
def transcribe(
    files: tuple[Path, ...], weights: Path | None, judge: str | None, as_json: bool
) -> None:
    """Print the letters that the speech network reads from files with sound.

    The best letter of every 20 ms, without a dictionary: a look at what `audio/deepspeech` holds,
    not a transcript for people. With several FILES each line begins with the file's name. The
    judge's text, as it writes it, stands below.
    """
    from toolkit.features.transcribe import open_network
    from toolkit.features.transcribe import transcribe as transcribe_file

    network, whisper = open_network(weights), open_judge(judge)
    found = (transcribe_file(path, network, whisper) for path in files)
    if as_json:
        print_json([_describe(transcript, whisper) for transcript in found])
        return
    if whisper:
        click.echo(f"judge: {whisper.label}", err=True)
    for transcript in found:
        name = f"{transcript.path}: " if len(files) > 1 else ""
        click.echo(f"{name}{transcript.text}")
        if not transcript.text:
            seconds = f"{transcript.seconds:.1f} s of sound"
            click.echo(f"{transcript.path}: no letter was heard in {seconds}", err=True)
        if transcript.judge is not None:
            click.echo(f"{name}judge: {transcript.judge}")


def _describe(transcript: "Transcript", judge: "Whisper | None") -> dict[str, Any]:
    row = dataclasses.asdict(transcript)
    text = row.pop("judge")
    return row | ({"judge": {"label": judge.label, "text": text}} if judge else {})
