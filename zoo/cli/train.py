"""`zoo train` and `zoo finetune`: a command for each family, made from its record."""

import os
import pkgutil
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from toolkit.cli.base import Command, json_option, options_from, print_json, say_next
from zoo.cli.progress import TrainProgress, describe_metrics
from zoo.models.family import Family, Training
from zoo.models.registry import list_families, train_model

if TYPE_CHECKING:
    from zoo.training.loop import Metrics


class FamilyGroup(click.Group):
    """A command for each family that has one; its options are imported when it is asked for."""

    def __init__(self, *args: Any, part: str, **kwargs: Any) -> None:
        """`part` is the field of `Family` that holds the command's `Training`."""
        super().__init__(*args, **kwargs)
        self._part = part

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the families."""
        return [family.name for family in list_families() if getattr(family, self._part)]

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """The command of a family's name."""
        for family in list_families():
            if family.name == name and (training := getattr(family, self._part)):
                return _make_command(family, training)
        return None


@click.group("train", cls=FamilyGroup, part="training")
def train() -> None:
    """Train a model; a run that was killed goes on with --resume."""


@click.group("finetune", cls=FamilyGroup, part="finetuning")
def finetune() -> None:
    """Go on training a model with the clips of one identity."""


def _make_command(family: Family, training: Training) -> click.Command:
    options = pkgutil.resolve_name(training.options)

    @click.command(family.name, cls=Command, example=training.example, help=training.help)
    @options_from(options)
    @click.option(
        "--out",
        type=click.Path(file_okay=False, path_type=Path),
        required=True,
        help="The run's folder: checkpoints, weights, log.",
    )
    @click.option(
        "--resume", is_flag=True, help="Go on with the run in --out, with the same options."
    )
    @json_option
    def command(out: Path, resume: bool, as_json: bool, **values: Any) -> None:
        recipe = options(**values)
        _run(family, recipe, out, resume, as_json)
        if not as_json and os.environ.get("RANK", "0") == "0":
            say_next(training.write_next(recipe, out))

    return command


def _run(family: Family, recipe: Any, out: Path, resume: bool, as_json: bool) -> None:
    from zoo.training.distributed import init_distributed

    with init_distributed(recipe.device) as distributed, warnings.catch_warnings():
        if not distributed.is_first:  # the first one says it for all
            warnings.simplefilter("ignore")
        with TrainProgress(recipe.epochs, family.items) as progress:
            best = train_model(
                family.name,
                recipe,
                out,
                distributed=distributed,
                resume=resume,
                on_step=progress.advance if distributed.is_first else lambda step: None,
            )
        if distributed.is_first:
            _print_best(out, best, as_json)


def _print_best(out: Path, best: "Metrics", as_json: bool) -> None:
    if as_json:
        print_json(best)
    else:
        click.echo(f"{out}: best: {describe_metrics(best)}")
