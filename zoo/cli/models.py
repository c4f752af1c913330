"""Models on the command line: which there are, and checkpoints of other code."""

from dataclasses import asdict, dataclass
from pathlib import Path

import click

from toolkit.cli.base import Command, json_option, print_json


@dataclass(frozen=True)
class ListedModel:
    """A model that a user can train, and what there is to do with it.

    Attributes:
        name: as `zoo train` has it.
        summary: what goes in and what comes out.
        commands: that train, measure or use it.
    """

    name: str
    summary: str
    commands: tuple[str, ...]


MODELS = (
    ListedModel(
        "deepspeech",
        "sound to 29 character scores a frame, the speech features of everything else",
        (
            "zoo train deepspeech",
            "zoo evaluate deepspeech",
            "zoo export deepspeech",
            "ttk ingest",
            "ttk transcribe",
        ),
    ),
    ListedModel(
        "facial-gan",
        "speech features to motion: expression, head pose and blinks (FACIAL, 3.2)",
        (
            "zoo train facial-gan",
            "zoo finetune facial-gan",
            "zoo convert facial-official",
            "zoo evaluate motion",
            "zoo generate",
            "zoo synthesize",
            "zoo personalize",
        ),
    ),
    ListedModel(
        "personalization",
        "motion to the identity whose style it has, by head pose and by blinks",
        ("zoo train personalization", "zoo evaluate motion"),
    ),
    ListedModel(
        "renderer",
        "motion to one person's video, by way of their rendered face (FACIAL, 3.3 and 3.4)",
        ("zoo train renderer", "zoo reenact", "zoo synthesize", "zoo personalize"),
    ),
)


@click.command("list", cls=Command, example="zoo list")
@json_option
def list_names(as_json: bool) -> None:
    """The models there are, and the commands that train, measure and use them."""
    if as_json:
        print_json([asdict(model) for model in MODELS])
        return
    for model in MODELS:
        click.echo(f"{model.name}: {model.summary}")
        click.echo(click.wrap_text(", ".join(model.commands), 76, "    ", "    "))


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
