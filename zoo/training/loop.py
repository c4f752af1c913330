"""The one training loop: steps, validation, checkpoints, logs; resumable at any moment.

A `Task` is what is trained. Its batches depend on the epoch and their place in it alone, and
every step draws its random numbers from a seed of its own, so that a run that was killed goes on
as if it had not been.
"""

import contextlib
import csv
import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch

from toolkit.errors import ToolkitError
from toolkit.storage import check_place, write_whole
from zoo.training.checkpoint import load_checkpoint, save_checkpoint
from zoo.training.distributed import Distributed

LAST, BEST, RECIPE, LOG = "last.pt", "best.pt", "recipe.json", "log.csv"

SAVE_SECONDS = 300
"""Between two checkpoints within an epoch."""

FREE = ("epochs", "device", "workers")
"""Settings that may change when a run goes on."""

Metrics = dict[str, float]


class Task(Protocol):
    """What is trained: data, networks and optimisers, of which the loop knows nothing else."""

    kind: str
    """Name of the recipe."""

    def recipe(self) -> dict[str, Any]:
        """Every setting, resolved; a run goes on only with the same ones, but for `FREE`."""

    def count_steps(self, epoch: int) -> int:
        """Batches of an epoch."""

    def draw_batches(self, epoch: int, first: int) -> Iterator[Any]:
        """Batches `first`, `first` + 1, … of an epoch: the same whenever they are asked for."""

    def step(self, batch: Any) -> Metrics:
        """One step of every optimiser; `items` of the result says how many were looked at."""

    def validate(self) -> Metrics:
        """Figures after an epoch; the lowest `score` is the best."""

    def state_dict(self) -> dict[str, Any]:
        """Everything that training goes on from."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""

    def export(self) -> dict[str, Any]:
        """What a user of the trained model needs; goes into `best.pt` and `last.pt`."""


@dataclass(frozen=True)
class Step:
    """What the loop tells after a step, and (`validation` not empty) after an epoch."""

    epoch: int
    step: int
    num_steps: int
    metrics: Metrics
    validation: Metrics
    items_per_second: float


def train(
    task: Task,
    out: Path,
    *,
    epochs: int,
    seed: int = 0,
    resume: bool = False,
    distributed: Distributed | None = None,
    on_step: Callable[[Step], None] = lambda step: None,
) -> Metrics:
    """Train until `epochs` are done; returns the figures of the best epoch.

    Writes `recipe.json`, `log.csv`, TensorBoard's events, `last.pt` (at every epoch and every five
    minutes) and `best.pt` into `out`; of several processes the first one alone writes.

    Raises:
        ToolkitError: `out` holds a run and `resume` is not set, or a run of other settings, or
            there is none to resume; a loss or score is no number.
    """
    began, items = time.monotonic(), 0.0

    def measure_rate() -> float:
        return items / max(time.monotonic() - began, 1e-9)

    distributed = distributed or Distributed()
    with contextlib.closing(_Run(task, out, resume, writes=distributed.is_first)) as run:
        distributed.wait()
        for epoch in range(run.epoch, epochs):
            num_steps = task.count_steps(epoch)
            for batch in task.draw_batches(epoch, run.step):
                torch.manual_seed(_mix(seed, epoch, run.step))
                metrics = task.step(batch)
                items += metrics.pop("items", 0)
                run.finish_step(metrics)
                on_step(Step(epoch, run.step, num_steps, metrics, {}, measure_rate()))
                run.save_now_and_then()
            validation = task.validate()
            run.finish_epoch(validation)
            on_step(Step(epoch, num_steps, num_steps, {}, validation, measure_rate()))
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
        self._log: _Log | None = None
        if writes:
            out.mkdir(parents=True, exist_ok=True)
            with write_whole(out / RECIPE) as temporary:
                temporary.write_text(json.dumps(task.recipe(), indent=1, sort_keys=True) + "\n")
            self._log = _Log(out, self.epoch, self.total_steps)

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
        is_best = validation["score"] < self.best["score"]
        if is_best:
            self.best = validation | {"epoch": self.epoch}
        self.epoch, self.step = self.epoch + 1, 0
        if is_best:
            self._save(BEST)  # first: who is killed here makes this epoch's end once more
        self._save(LAST)

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
            "model": self._task.export(),
        }
        if name == LAST:
            content["state"] = self._task.state_dict()
        save_checkpoint(self._out / name, content)


class _Log:
    """`log.csv` (a row per figure) and TensorBoard; what a resumed run does again is cut off."""

    _COLUMNS = ("kind", "epoch", "step", "total_steps", "name", "value")

    def __init__(self, out: Path, epoch: int, total_steps: int) -> None:
        from torch.utils.tensorboard import SummaryWriter

        path = out / LOG
        kept = list[list[str]]()
        if path.is_file():
            with path.open(newline="") as file:
                rows = list(csv.reader(file))[1:]
            kept = [row for row in rows if len(row) == 6 and _is_done(row, epoch, total_steps)]
        with write_whole(path) as temporary, temporary.open("w", newline="") as file:
            csv.writer(file).writerows([self._COLUMNS, *kept])
        self._file = path.open("a", newline="", buffering=1)
        self._rows = csv.writer(self._file)
        self._board: Any = SummaryWriter(str(out), purge_step=total_steps + 1)

    def write(self, kind: str, epoch: int, step: int, total_steps: int, metrics: Metrics) -> None:
        for name, value in metrics.items():
            self._rows.writerow([kind, epoch, step, total_steps, name, f"{value:.6g}"])
            self._board.add_scalar(f"{kind}/{name}", value, total_steps)

    def close(self) -> None:
        self._file.close()
        self._board.close()


def _is_done(row: list[str], epoch: int, total_steps: int) -> bool:
    """Whether what a row tells lies before a checkpoint in this epoch, after so many steps."""
    return int(row[1]) < epoch if row[0] == "validation" else int(row[3]) <= total_steps
