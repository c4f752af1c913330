"""Models on the command line: which there are, and checkpoints of other code."""

import shlex
from pathlib import Path

import click

from toolkit.cli.base import Command, json_option, print_json, say_next
from zoo.models.family import Family, list_commands
from zoo.models.registry import list_families


@click.command("list", cls=Command, example="zoo list")
@json_option
def list_names(as_json: bool) -> None:
    """The models there are, and the commands that train, measure and use them."""
    if as_json:
        print_json([_describe(family) for family in list_families()])
        return
    for family in list_families():
        click.echo(f"{family.name}: {family.summary}")
        click.echo(f"    presets: {', '.join(family.presets)}")
        for line in list_commands(family):
            click.echo(f"    {line}")
    say_next("zoo train NAME --help")


def _describe(family: Family) -> dict[str, object]:
    names = ("name", "summary", "presets", "reads")
    content = {name: getattr(family, name) for name in names}
    return content | {"commands": list_commands(family)}


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
    from zoo.models.facial.convert import convert_official
    from zoo.training.checkpoint import save_checkpoint

    save_checkpoint(out, convert_official(checkpoint))
    click.echo(f"{out}: the generator of {checkpoint}")
    say_next(f"zoo generate --model {shlex.quote(str(out))} --scores logits.npy --out motion.npz")
