"""Models on the command line: which there are, and checkpoints of other code."""

from pathlib import Path

import click

from toolkit.cli.base import Command, json_option, print_json


@click.command("list", cls=Command, example="zoo list")
@json_option
def list_names(as_json: bool) -> None:
    """Names of the models there are."""
    from zoo import list_models

    if as_json:
        print_json(list_models())
    else:
        click.echo("\n".join(list_models()))


@click.command(
    "facial-official",
    cls=Command,
    example="zoo convert facial-official Gen-20.mdl --out official.pt",
)
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The zoo's checkpoint.")
def convert_facial_official(checkpoint: Path, out: Path) -> None:
    """Read a generator that the FACIAL authors' code trained.

    What comes out takes raw DeepSpeech logits and its own motion layout, and refuses others.
    """
    from zoo.checkpoint import save_checkpoint
    from zoo.facial.convert import convert_official

    save_checkpoint(out, convert_official(checkpoint))
    click.echo(f"{out}: the generator of {checkpoint}")
