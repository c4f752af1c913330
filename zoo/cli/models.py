"""Models on the command line: which there are, and checkpoints of other code."""

import pkgutil
import shlex
from pathlib import Path
from typing import Any

import click

from toolkit.cli.base import Command, json_option, print_json, say_next
from toolkit.errors import ToolkitError
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


ATVG_LAYOUTS = {
    52: ("AT-net", "zoo.models.at_net.official:convert_official"),
    206: ("VG-net", "zoo.models.vg_net.official:convert_official"),
}
"""Tensors of a checkpoint of the released ATVGnet code -> what it is, and "module:function" that
converts it: of the path, and of `mean` and `directions` where they are given."""


@click.command(
    "atvg-official",
    cls=Command,
    example="zoo convert atvg-official atnet_lstm_18.pth --mean mean.npy --directions pcs.npy "
    "--out at.pt",
)
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option(
    "--mean",
    type=click.Path(path_type=Path),
    metavar="FILE.npy",
    help="Of AT-net's landmarks: 136 numbers. Without it and --directions weights alone come out.",
)
@click.option(
    "--directions",
    type=click.Path(path_type=Path),
    metavar="FILE.npy",
    help="Of AT-net's landmarks: 136 rows, a column for each direction; the first six count.",
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The zoo's checkpoint.")
def convert_atvg_official(checkpoint: Path, out: Path, **files: Path | None) -> None:
    """Read a network that the ATVGnet authors' code trained.

    Which of them it is, the number of its tensors says; layers of another shape are refused.
    """
    from zoo.training.checkpoint import load_checkpoint, save_checkpoint

    what, function = _find_atvg_layout(checkpoint, load_checkpoint(checkpoint))
    given = {name: file for name, file in files.items() if file is not None}
    if given and what != "AT-net":
        raise click.UsageError(f"--{min(given)}: {checkpoint} is of {what}, which has none")
    save_checkpoint(out, pkgutil.resolve_name(function)(checkpoint, **given))
    click.echo(f"{out}: the {what} of {checkpoint}")


def _find_atvg_layout(path: Path, released: Any) -> tuple[str, str]:
    """The entry of `ATVG_LAYOUTS`; ToolkitError where there is none."""
    count = len(released) if isinstance(released, dict) else 0
    if count not in ATVG_LAYOUTS:
        known = " or ".join(f"{what} ({n})" for n, (what, _) in sorted(ATVG_LAYOUTS.items()))
        raise ToolkitError(
            f"{path}: no checkpoint of the released ATVGnet code: its {count} entries are not as "
            f"many as the tensors of {known}"
        )
    return ATVG_LAYOUTS[count]


@click.command(
    "styleheat-prior",
    cls=Command,
    example="zoo convert styleheat-prior --stylegan StyleGAN_e4e.pth --e4e Encoder_e4e.pth "
    "--hfgi hfgi.pth --out prior.pt",
)
@click.option(
    "--stylegan",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="StyleGAN2 of 1024 px. Default: that in HFGI's own file.",
)
@click.option(
    "--hfgi",
    type=click.Path(path_type=Path),
    metavar="FILE",
    required=True,
    help="HFGI's own file, which has all four networks, or StyleHEAT's, of HFGI alone.",
)
@click.option(
    "--e4e",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The encoder to w+, where --hfgi is without.",
)
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The zoo's checkpoint.")
def convert_styleheat_prior(stylegan: Path | None, hfgi: Path, e4e: Path | None, out: Path) -> None:
    """Read StyleGAN2, e4e and HFGI as they were published: a prior that needs no training.

    Networks of another size are refused.
    """
    from zoo.stylegan.published import convert_published
    from zoo.training.checkpoint import save_checkpoint

    save_checkpoint(out, convert_published(stylegan, hfgi, e4e))
    click.echo(f"{out}: the prior of {hfgi}")
    say_next(f"zoo edit layers --prior {shlex.quote(str(out))} --out layers.png")
