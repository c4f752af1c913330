"""The classifiers of personal style on the command line."""

from pathlib import Path
from typing import Any

import click

from toolkit.cli.base import Command, json_option, options_from
from zoo.cli.progress import TrainProgress
from zoo.cli.runs import finish_run, run_options
from zoo.models.style.options import PersonalizationRecipe


@click.command(
    "personalization",
    cls=Command,
    example="zoo train personalization --shards shards/ --out runs/style",
)
@options_from(PersonalizationRecipe)
@run_options
@json_option
def train_personalization(out: Path, resume: bool, as_json: bool, **options: Any) -> None:
    """Train classifiers that tell identities by how they move their head, and by their blinks.

    They learn from real motion of the part `train` of the split, and are chosen on `val`.
    """
    from zoo.models.style import recipe as recipes

    recipe = PersonalizationRecipe(**options)
    with TrainProgress(recipe.epochs, "windows") as progress:
        best = recipes.train_personalization(recipe, out, resume=resume, on_step=progress.advance)
    finish_run(out, best, as_json)
