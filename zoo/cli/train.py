"""`zoo train` and `zoo finetune`: a command for each family, made from its record."""

import contextlib
import os
import pkgutil
import shlex
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from toolkit.cli.base import Command, cache_options, json_option, options_from, print_json, say_next
from toolkit.store.address import find_address
from zoo.cli.progress import TrainProgress, describe_metrics
from zoo.models.family import Family, Training
from zoo.models.registry import list_families, train_model

if TYPE_CHECKING:
    from zoo.training.distributed import Distributed
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
    """Train a model; a run that was stopped or killed goes on with --resume.

    Ctrl-C, SIGTERM and SIGUSR1 stop it after the step at hand, with a checkpoint; it then exits
    with 128 + the signal's number.
    """


@click.group("finetune", cls=FamilyGroup, part="finetuning")
def finetune() -> None:
    """Go on training a model with the clips or pictures of one person."""


class TrainCommand(Command):
    """A command that remembers how it was called, and trains in a folder or on a store."""

    on_store = frozenset({"out"})

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click does."""
        ctx.meta[_WORDS] = [*args]
        return super().parse_args(ctx, args)


_WORDS = "zoo.words"


def _make_command(family: Family, training: Training) -> click.Command:
    options = pkgutil.resolve_name(training.options)

    @click.command(family.name, cls=TrainCommand, example=training.example, help=training.help)
    @options_from(options)
    @click.option(
        "--out",
        type=click.Path(file_okay=False, path_type=Path),
        required=True,
        help="The run's folder, or its address: checkpoints, weights, log, curves.",
    )
    @click.option(
        "--resume",
        type=click.Choice(("always", "auto")),
        is_flag=False,
        flag_value="always",
        metavar="[auto]",
        help="Go on with the run in --out, with the same options and clips. --resume auto: begin "
        "where there is none.",
    )
    @cache_options
    @json_option
    def command(out: Path, resume: str | None, as_json: bool, **values: Any) -> None:
        recipe = options(**values)
        folder = _run(family, recipe, out, resume, as_json)
        following = training.write_next(recipe, folder)
        if following and not as_json and os.environ.get("RANK", "0") == "0":
            say_next(following)

    return command


def _run(family: Family, recipe: Any, out: Path, resume: str | None, as_json: bool) -> Path:
    """Train; the folder on this disk in which the run lies."""
    from zoo.training.distributed import init_distributed
    from zoo.training.loop import LAST, Step
    from zoo.training.on_store import open_run

    with (
        init_distributed(recipe.device) as distributed,
        warnings.catch_warnings(),
        exit_when_stopped(_write_resuming(), distributed),
    ):
        if not distributed.is_first:  # the first one says it for all
            warnings.simplefilter("ignore")
        with (
            open_run(out, distributed) as run,
            TrainProgress(recipe.epochs, family.items) as progress,
        ):

            def advance(step: Step) -> None:
                progress.advance(step)
                run.keep()

            goes_on = resume == "always" or bool(distributed.agree((run.folder / LAST).is_file()))
            best = train_model(
                family.name,
                recipe,
                run.folder,
                distributed=distributed,
                resume=resume is not None and goes_on,
                on_step=advance if distributed.is_first else lambda step: None,
                say=progress.say if distributed.is_first else lambda text: None,
            )
        if distributed.is_first:
            _print_best(out, best, as_json)
    return run.folder


@contextlib.contextmanager
def exit_when_stopped(again: str, distributed: "Distributed | None" = None) -> Iterator[None]:
    """Where a signal stops a training, say how it goes on; exit with 128 + the signal's number."""
    from zoo.training.stopping import Stopped

    try:
        yield
    except Stopped as stopped:
        if distributed is None or distributed.is_first:
            click.echo(f"zoo: stopped by {stopped}; saved. Go on with:\n  {again}", err=True)
        if distributed is not None:
            distributed.wait()  # torchrun ends the one that speaks when another has ended
        raise SystemExit(128 + stopped.number) from None


def _write_resuming() -> str:
    """The command line at hand, with `--resume`."""
    ctx = click.get_current_context()
    words = ctx.meta[_WORDS]
    if not any(word.split("=")[0] == "--resume" for word in words):
        words = [*words, "--resume", "auto"]  # it may have been stopped before its first step
    program = "zoo"
    if "LOCAL_WORLD_SIZE" in os.environ:
        program = f"torchrun --nproc-per-node {os.environ['LOCAL_WORLD_SIZE']} -m zoo"
    if (nodes := os.environ.get("GROUP_WORLD_SIZE", "1")) != "1":
        program = program.replace("torchrun", f"torchrun --nnodes {nodes} --rdzv-endpoint …")
    family, parent = ctx.info_name, ctx.parent.info_name if ctx.parent else ""
    return f"{program} {parent} {family} {shlex.join(words)}"


def _print_best(out: Path, best: "Metrics", as_json: bool) -> None:
    if as_json:
        print_json(best)
    else:
        counted = best | {"epoch": best["epoch"] + 1}  # from 1, as progress has it
        click.echo(f"{find_address(out) or out}: best: {describe_metrics(counted)}")
