"""The one training loop: steps, validation, checkpoints, logs; resumable at any moment.

A `Task` is what is trained. Its batches depend on the epoch and their place in it alone, and
every step draws its random numbers from a seed of its own, so that a run that was killed goes on
as if it had not been. A signal that asks it to end is obeyed after the step at hand, with a
checkpoint.
"""

import contextlib
import functools
import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import torch

from toolkit.errors import ToolkitError
from toolkit.storage import check_place, hold_folder, write_whole
from zoo.data.fingerprint import Fingerprint, describe_changes
from zoo.training.checkpoint import load_checkpoint, save_checkpoint
from zoo.training.distributed import Distributed
from zoo.training.log import TrainingLog
from zoo.training.options import RunOptions
from zoo.training.stopping import Stopped, StopSignals

LAST, BEST, RECIPE = "last.pt", "best.pt", "recipe.json"

SAVE_SECONDS = 300
"""Between two checkpoints within an epoch."""

PATIENCE = 10.0
"""Seconds to wait for a run that was killed to be gone with its workers, which hold its folder."""

FREE = ("epochs", "device", "workers")
"""Settings that may change when a run goes on."""

Metrics = dict[str, float]


class Task(Protocol):
    """What is trained: data, networks and optimisers, of which the loop knows nothing else.

    The last three methods may be left as they are.
    """

    kind: str
    """Name of the recipe."""

    def recipe(self) -> dict[str, Any]:
        """Every setting, resolved; a run goes on only with the same ones, but for `FREE`."""

    def count_steps(self, epoch: int) -> int:
        """Batches of an epoch."""

    def draw_batches(self, epoch: int, first: int) -> Iterator[Any]:
        """Batches `first`, `first` + 1, … of an epoch: the same whenever they are asked for."""

    def step(self, batch: Any) -> Metrics:
        """One step of every optimiser; `items` of the result says how many were looked at.

        The first figure is the one that progress shows; the log has all. Of several processes each
        gives the figures of its share, always the same ones, and the loop takes their mean.
        """

    def validate(self) -> Metrics:
        """Figures after an epoch; the lowest `score` is the best."""

    def state_dict(self) -> dict[str, Any]:
        """Everything that training goes on from."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""

    def export(self) -> dict[str, Any]:
        """What a user of the trained model needs; goes into `best.pt` and `last.pt`."""

    def fingerprint(self) -> Fingerprint:
        """What is trained on and chosen by; a run goes on only with the same."""
        return {}

    def draw_sheet(self) -> npt.NDArray[np.uint8] | None:
        """(height, width, 3) RGB to look at after `validate`: the same frames in every epoch."""
        return None

    def publish(self, out: Path) -> None:
        """Bring further files in the run's folder up to date with its `best.pt`."""
        return None


@dataclass(frozen=True)
class Step:
    """What the loop tells after a step, and (`validation` not empty) after an epoch."""

    epoch: int
    step: int
    num_steps: int
    metrics: Metrics
    validation: Metrics
    items_per_second: float


OnStep = Callable[[Step], None]


@dataclass(frozen=True, kw_only=True)
class Setting:
    """Where a task is trained.

    Attributes:
        out: the run's folder.
        resume: whether the run in it goes on.
        distributed: the processes.
        say: gets a line on what a long preparation does.
    """

    out: Path
    resume: bool
    distributed: Distributed
    say: Callable[[str], None] = lambda text: None


Recipe = TypeVar("Recipe", bound=RunOptions)


def trainer(make_task: Callable[[Recipe, Setting], Task]) -> Callable[..., Metrics]:
    """Decorator: what makes a family's task becomes what trains it, with the options of `train`.

    The folder is checked before the task is made, which may take hours.
    """

    @functools.wraps(make_task)
    def train_task(
        recipe: Recipe,
        out: Path,
        *,
        distributed: Distributed | None = None,
        resume: bool = False,
        on_step: OnStep = lambda step: None,
        say: Callable[[str], None] = lambda text: None,
    ) -> Metrics:
        distributed = distributed or Distributed()
        check_folder(out, resume)
        setting = Setting(out=out, resume=resume, distributed=distributed, say=say)
        return train(
            make_task(recipe, setting),
            out,
            epochs=recipe.epochs,
            seed=recipe.seed,
            resume=resume,
            distributed=distributed,
            on_step=on_step,
        )

    return train_task


def train(
    task: Task,
    out: Path,
    *,
    epochs: int,
    seed: int = 0,
    resume: bool = False,
    distributed: Distributed | None = None,
    on_step: OnStep = lambda step: None,
) -> Metrics:
    """Train until `epochs` are done; returns the figures of the best epoch.

    Writes `recipe.json`, `log.csv`, `curves.png`, `sheets/` of tasks that draw, TensorBoard's
    events, `last.pt` (at every epoch and every five minutes) and `best.pt` into `out`; of several
    processes the first one alone writes.

    Raises:
        ToolkitError: `out` holds a run and `resume` is not set, or a run of other settings or
            data, or there is none to resume; a loss or score is no number.
        BusyError: another process trains in `out`.
        Stopped: a signal came to one of the processes; all stop after the same step, or in the
            midst of validation, which is made again when the run goes on.
    """
    began, items = time.monotonic(), 0.0

    def measure_rate() -> float:
        return items / max(time.monotonic() - began, 1e-9)

    distributed = distributed or Distributed()
    check_folder(out, resume)
    with (
        _hold(out) if distributed.is_first else contextlib.nullcontext(),
        StopSignals() as stop,  # before anything of the run is written: who sees it may stop it
        contextlib.closing(_Run(task, out, resume, writes=distributed.is_first)) as run,
    ):

        def stop_if_asked() -> None:
            if number := distributed.agree(stop.received):
                run.save()
                distributed.wait()  # torchrun ends the others as soon as one has ended
                raise Stopped(number, run.epoch, run.step)

        distributed.wait()
        stop_if_asked()
        for epoch in range(run.epoch, epochs):
            num_steps = task.count_steps(epoch)
            for batch in task.draw_batches(epoch, run.step):
                torch.manual_seed(_mix(seed, epoch, run.step))
                metrics = task.step(batch)
                items += metrics.pop("items", 0)
                metrics = distributed.average_figures(metrics)
                run.finish_step(metrics)
                on_step(Step(epoch, run.step, num_steps, metrics, {}, measure_rate()))
                run.save_now_and_then()
                stop_if_asked()
            validation = stop.cut_short(task.validate)
            stop_if_asked()
            assert validation is not None  # it was not cut short
            run.finish_epoch(validation)
            on_step(Step(epoch, num_steps, num_steps, {}, validation, measure_rate()))
        run.look_back(at_once=True)
    return run.best


def check_folder(out: Path, resume: bool) -> None:
    """Refuse a folder in use, or one without a run to go on with: before hours of preparation.

    Raises:
        ToolkitError: it holds a run and `resume` is not set, or the other way round; or no file
            can be written there.
    """
    check_place(out / LAST)
    exists = (out / LAST).is_file()
    if exists and not resume:
        raise ToolkitError(f"{out}: holds a run: go on with --resume, or choose another --out")
    if resume and not exists:
        raise ToolkitError(f"{out}: holds no run to go on with: leave --resume away")


def _hold(out: Path) -> contextlib.AbstractContextManager[None]:
    text = "another process trains here: wait until it ends, or choose another --out"
    return hold_folder(out, lambda: text, patience=PATIENCE)


def _mix(seed: int, epoch: int, step: int) -> int:
    return (seed * 1_000_003 + epoch) * 1_000_003 + step


class _Run:
    """The folder of a run, and where in it the training stands."""

    def __init__(self, task: Task, out: Path, resume: bool, *, writes: bool) -> None:
        self._task, self._out, self._writes = task, out, writes
        self.epoch = self.step = self.total_steps = 0
        self.best: Metrics = {"score": math.inf}
        self._saved = time.monotonic()
        check_folder(out, resume)
        if resume:
            self._load()
        self._log: TrainingLog | None = None
        if writes:
            out.mkdir(parents=True, exist_ok=True)
            with write_whole(out / RECIPE) as temporary:
                temporary.write_text(json.dumps(task.recipe(), indent=1, sort_keys=True) + "\n")
            self._log = TrainingLog(out, self.epoch, self.total_steps)

    def close(self) -> None:
        """Close the logs."""
        if self._log is not None:
            self._log.close()

    def _load(self) -> None:
        content = load_checkpoint(self._out / LAST, self._task.kind)
        began = content["recipe"]  # of a version that did not know a setting: it had its default
        for name, value in json.loads(json.dumps(self._task.recipe())).items():
            if name not in FREE and began.get(name, value) != value:
                raise ToolkitError(
                    f"{self._out}: the run has another {name} ({began[name]!r}): "
                    "resume it with the same settings, or choose another --out"
                )
        if changes := describe_changes(content.get("data", {}), self._task.fingerprint()):
            raise ToolkitError(
                f"{self._out}: the run has other data, {changes}: bring back the split and the "
                "clips that it began with, or choose another --out"
            )
        self._task.load_state_dict(content["state"])
        self.epoch, self.step = content["epoch"], content["step"]
        self.total_steps, self.best = content["total_steps"], content["best"]

    def finish_step(self, metrics: Metrics) -> None:
        """Count and log a step."""
        self._check("loss", metrics)
        self.step += 1
        self.total_steps += 1
        self._write("train", metrics)

    def save_now_and_then(self) -> None:
        """A checkpoint, if the last one is old."""
        if time.monotonic() - self._saved > SAVE_SECONDS:
            self._save(LAST)

    def finish_epoch(self, validation: Metrics) -> None:
        """Checkpoints and logs after an epoch."""
        self._check("score", validation)
        self._write("validation", validation)
        if self._log is not None and (sheet := self._task.draw_sheet()) is not None:
            self._log.show_sheet(self.epoch, self.total_steps, sheet)
        is_best = validation["score"] < self.best["score"]
        if is_best:
            self.best = validation | {"epoch": self.epoch}
        self.epoch, self.step = self.epoch + 1, 0
        if is_best:
            self._save(BEST)  # first: who is killed here makes this epoch's end once more
        self._save(LAST)
        self.look_back()

    def save(self) -> None:
        """A checkpoint, and the curves as far as it."""
        self._save(LAST)
        self.look_back(at_once=True)

    def look_back(self, *, at_once: bool = False) -> None:
        """Bring what is made of the log and the best checkpoint up to date."""
        if self._log is not None:
            self._log.draw_curves(at_once=at_once)
            if (self._out / BEST).is_file():
                self._task.publish(self._out)

    def _write(self, kind: str, metrics: Metrics) -> None:
        if self._log is not None:
            self._log.write(kind, self.epoch, self.step, self.total_steps, metrics)

    def _check(self, what: str, metrics: Metrics) -> None:
        if not all(map(math.isfinite, metrics.values())):
            where = f"epoch {self.epoch}, step {self.step}"
            raise ToolkitError(f"{where}: a {what} is no number: {metrics}")

    def _save(self, name: str) -> None:
        self._saved = time.monotonic()
        if not self._writes:
            return
        content = {
            "kind": self._task.kind,
            "recipe": json.loads(json.dumps(self._task.recipe())),
            "epoch": self.epoch,
            "step": self.step,
            "total_steps": self.total_steps,
            "best": self.best,
            "data": self._task.fingerprint(),
            "model": self._task.export(),
        }
        if name == LAST:
            content["state"] = self._task.state_dict()
        save_checkpoint(self._out / name, content)
