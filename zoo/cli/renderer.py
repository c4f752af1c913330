"""The rendering-to-video network on the command line."""

from pathlib import Path
from typing import Any

import click

from toolkit.cli.base import Command, json_option, options_from
from zoo.cli.progress import TrainProgress
from zoo.cli.runs import finish_run, run_options
from zoo.models.renderer.options import RendererRecipe


@click.command(
    "renderer",
    cls=Command,
    example="zoo train renderer --shards shards/ --identity NAME --out runs/NAME-renderer "
    "--holdout 0.2",
)
@options_from(RendererRecipe)
@run_options
@json_option
def train_renderer_command(out: Path, resume: bool, as_json: bool, **options: Any) -> None:
    """Train the network that makes a person's video of their rendered face.

    best.pt is the epoch of the lowest absolute error on frames that are not trained on: those of
    --holdout, else of the person's clips in the part `val`. Several processes: torchrun
    --nproc-per-node 2 -m zoo train renderer …
    """
    from zoo.models.renderer.recipe import train_renderer
    from zoo.training.distributed import join_world

    recipe = RendererRecipe(**options)
    with join_world(recipe.device) as world:
        if world.is_first:
            say_who_judges(recipe.vgg)
        with TrainProgress(recipe.epochs, "frames") as progress:
            tell = progress.advance if world.is_first else lambda step: None
            best = train_renderer(recipe, out, world=world, resume=resume, on_step=tell)
        if world.is_first:
            finish_run(out, best, as_json)


def say_who_judges(vgg: Path | None) -> None:
    """A line on stderr where no weights of VGG19 are at hand."""
    from zoo.training.perceptual import find_vgg

    if find_vgg(vgg) is None:
        click.echo(
            "zoo: a random network judges instead of VGG19: see ttk weights --fetch vgg19",
            err=True,
        )
