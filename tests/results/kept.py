"""Checkpoints kept at several times of a training, and what time that was.

`python -m tests.results.kept RUN` keeps those of a run of another build: beside its training, until
that has come to its end, it copies `last.pt` whenever it was written anew.

What the time is: steps times the median of the seconds between two steps, which TensorBoard's
events note in every build. Validation, the writing of checkpoints, stops and what ran beside for
less than half of the time are in none of it.
"""

import argparse
import inspect
import json
import shutil
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tests.results.setup import MissingDataError
from zoo.cli.progress import TrainProgress
from zoo.models.renderer import FAMILY
from zoo.models.renderer.options import RendererRecipe
from zoo.models.renderer.recipe import train_renderer
from zoo.training.checkpoint import load_checkpoint, save_checkpoint
from zoo.training.distributed import Distributed
from zoo.training.loop import LAST, RECIPE, Setting, Step, Task, train

KEPT = "kept"
"""Folder of a run: a checkpoint of so many steps each."""

EVENTS = "events.out.tfevents.*"

PAUSE = 5.0
"""Seconds between two looks at another build's `last.pt`."""


def train_kept(recipe: RendererRecipe, out: Path, every: int) -> None:
    """Train, or go on, and keep what draws after every so many steps, and at the end."""
    distributed, resume = Distributed(), (out / LAST).is_file()
    make_task = inspect.unwrap(train_renderer)
    task: Task = make_task(recipe, Setting(out=out, resume=resume, distributed=distributed))

    def keep(step: Step) -> None:
        progress.advance(step)
        done = step.epoch * step.num_steps + step.step
        is_last = done == recipe.epochs * step.num_steps
        if not step.validation and (done % every == 0 or is_last):
            _keep_model(task, out, done)

    with TrainProgress(recipe.epochs, "frames") as progress:
        train(
            task, out, epochs=recipe.epochs, seed=recipe.seed, resume=resume,
            distributed=distributed, on_step=keep,
        )  # fmt: skip


def _keep_model(task: Task, out: Path, steps: int) -> None:
    model = {name: value for name, value in task.export().items() if name != "discriminator"}
    recipe = json.loads(json.dumps(task.recipe()))
    content = {"kind": task.kind, "recipe": recipe, "total_steps": steps, "model": model}
    (out / KEPT).mkdir(exist_ok=True)
    save_checkpoint(out / KEPT / f"{steps:06d}.pt", content)


def list_kept(run: Path) -> dict[int, Path]:
    """Steps -> checkpoint, in their order; MissingDataError where none was kept."""
    found = {int(path.stem): path for path in sorted((run / KEPT).glob("*.pt"))}
    if not found:
        raise MissingDataError(f"no checkpoint in {run / KEPT}")
    return found


def measure_step(run: Path) -> float:
    """Median seconds between two steps of a run; NaN where it made none.

    Raises:
        MissingDataError: the run has no TensorBoard events.
    """
    files = sorted(run.glob(EVENTS))
    if not files:
        raise MissingDataError(f"no {EVENTS} in {run}")
    gaps = [gap for file in files for gap in _list_gaps(file)]
    return statistics.median(gaps) if gaps else float("nan")


def _list_gaps(file: Path) -> Iterator[float]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(file), size_guidance={"scalars": 0})
    events.Reload()
    tag = next((name for name in events.Tags()["scalars"] if name.startswith("train/")), None)
    if tag is not None:
        rows = [(event.step, event.wall_time) for event in events.Scalars(tag)]
        steps, seconds = np.diff(np.array(rows).reshape(-1, 2), axis=0).T
        yield from seconds[steps == 1].tolist()


# --- another build's ----------------------------------------------------------------------------


def copy_last(run: Path) -> int:
    """Keep a run's `last.pt` as it is now; how many steps it has made."""
    (run / KEPT).mkdir(exist_ok=True)
    copy = run / KEPT / "copying"
    shutil.copyfile(run / LAST, copy)
    steps = int(load_checkpoint(copy, FAMILY.name)["total_steps"])
    copy.replace(run / KEPT / f"{steps:06d}.pt")
    return steps


def follow(run: Path, pause: float = PAUSE) -> None:
    """Keep every `last.pt` of a training until its last epoch is done."""
    written = 0
    while True:
        if (run / LAST).is_file() and (state := (run / LAST).stat().st_mtime_ns) != written:
            written = state
            print(f"{run}: {copy_last(run)} steps", file=sys.stderr)
            if _is_done(run):
                return
        time.sleep(pause)


def _is_done(run: Path) -> bool:
    epochs = json.loads((run / RECIPE).read_text("utf-8"))["epochs"]
    return bool(load_checkpoint(run / LAST, FAMILY.name)["epoch"] >= epochs)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.results.kept", description=__doc__)
    parser.add_argument("run", type=Path, metavar="RUN", help="Its folder, which may not be yet.")
    follow(parser.parse_args().run)
