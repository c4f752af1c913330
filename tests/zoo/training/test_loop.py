"""The training loop: runs that were killed end as those that were not; folders; logs; errors."""

import csv
import inspect
import math
import os
import signal
import socket
import sys
from collections.abc import Iterator
from multiprocessing import get_context
from multiprocessing.synchronize import Event
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import multiprocessing, nn

from toolkit.errors import BusyError, ToolkitError
from zoo.training import loop
from zoo.training.checkpoint import load_checkpoint, save_checkpoint
from zoo.training.curves import plot_curves, thin_out
from zoo.training.distributed import init_distributed
from zoo.training.log import CURVES, LOG, SHEETS, TrainingLog
from zoo.training.loop import BEST, LAST, RECIPE, Metrics, Step, Task, train
from zoo.training.stopping import Stopped, StopSignals

STEPS = 4


@pytest.fixture
def _curves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Curves are drawn, unlike in other tests."""
    monkeypatch.setattr("zoo.training.log.plot_curves", plot_curves)


class Killed(Exception):  # noqa: N818  it is what happens, not what went wrong
    """Stands for whatever ends a process."""


class Line(Task):
    """Learns the slope 3 of a line through noise; dropout uses torch's generator."""

    kind = "line"

    def __init__(
        self, rate: float = 0.05, scores: tuple[float, ...] = (), device: str = ""
    ) -> None:
        torch.manual_seed(1)
        self._rate, self._scores, self._device = rate, scores, device
        self.network = nn.Sequential(nn.Linear(2, 8), nn.Dropout(0.5), nn.Linear(8, 1))
        self._optimiser = torch.optim.Adam(self.network.parameters(), rate)
        self._num_validations = 0
        self.poison = math.inf
        self.data: dict[str, dict[str, str]] = {"clips to train on": {"a": "1", "b": "2"}}
        self.sheet: npt.NDArray[np.uint8] | None = None

    def recipe(self) -> dict[str, Any]:
        return {"rate": self._rate, "device": self._device, "epochs": 9}

    def count_steps(self, epoch: int) -> int:
        return STEPS

    def draw_batches(self, epoch: int, first: int) -> Iterator[torch.Tensor]:
        for number in range(first, STEPS):
            generator = torch.Generator().manual_seed(100 * epoch + number)
            yield torch.randn(16, 2, generator=generator)

    def step(self, batch: torch.Tensor) -> Metrics:
        self.poison -= 1
        loss = (self.network(batch) - 3 * batch[:, :1]).square().mean()
        self._optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimiser.step()
        return {"loss": math.nan if self.poison < 0 else loss.item(), "items": 16}

    def validate(self) -> Metrics:
        self._num_validations += 1
        if self._scores:
            return {"score": self._scores[self._num_validations - 1]}
        return {"score": float(self.network[0].weight.detach().norm())}

    def state_dict(self) -> dict[str, Any]:
        return {
            "network": self.network.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "num_validations": self._num_validations,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.network.load_state_dict(state["network"])
        self._optimiser.load_state_dict(state["optimiser"])
        self._num_validations = state["num_validations"]

    def export(self) -> dict[str, Any]:
        return {"network": self.network.state_dict()}

    def fingerprint(self) -> dict[str, dict[str, str]]:
        return self.data

    def draw_sheet(self) -> npt.NDArray[np.uint8] | None:
        return self.sheet


def kill_at(epoch: int, number: int) -> Any:
    """A listener that ends the run after this step, before a checkpoint of it can be written."""

    def listen(step: Step) -> None:
        if (step.epoch, step.step) == (epoch, number) and not step.validation:
            raise Killed

    return listen


def read_log(out: Path) -> list[tuple[str, ...]]:
    with (out / LOG).open(newline="") as file:
        return [tuple(row) for row in csv.reader(file)]


def read_weights(out: Path) -> list[torch.Tensor]:
    return list(load_checkpoint(out / LAST, "line")["model"]["network"].values())


@pytest.fixture
def undisturbed(tmp_path: Path) -> Path:
    """Three epochs without a break."""
    train(Line(), tmp_path / "whole", epochs=3, seed=5)
    return tmp_path / "whole"


# --- resuming -----------------------------------------------------------------------------------


@pytest.mark.parametrize("save_seconds", [-1.0, 1e9], ids=["within an epoch", "at an epoch's end"])
@pytest.mark.parametrize(("epoch", "number"), [(1, 3), (2, 1), (2, STEPS)])
def test_a_killed_run_ends_as_an_undisturbed_one_to_the_bit(
    undisturbed: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    save_seconds: float,
    epoch: int,
    number: int,
) -> None:
    monkeypatch.setattr(loop, "SAVE_SECONDS", save_seconds)
    out = tmp_path / "killed"
    with pytest.raises(Killed):
        train(Line(), out, epochs=3, seed=5, on_step=kill_at(epoch, number))
    before = load_checkpoint(out / LAST)
    within = (epoch, number - 1) if save_seconds < 0 and number > 1 else (epoch, 0)
    assert (before["epoch"], before["step"]) == within
    train(Line(), out, epochs=3, seed=5, resume=True)
    for first, second in zip(read_weights(out), read_weights(undisturbed), strict=True):
        assert torch.equal(first, second)
    assert read_log(out) == read_log(undisturbed)
    assert (out / BEST).exists()
    assert load_checkpoint(out / BEST)["best"] == load_checkpoint(undisturbed / BEST)["best"]


def test_a_run_killed_while_it_is_validated_validates_again_and_logs_it_once(
    undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "SAVE_SECONDS", -1.0)
    out, task = tmp_path / "killed", Line()

    def die() -> Metrics:
        raise Killed

    monkeypatch.setattr(task, "validate", die)
    with pytest.raises(Killed):
        train(task, out, epochs=3, seed=5)
    train(Line(), out, epochs=3, seed=5, resume=True)
    assert read_log(out) == read_log(undisturbed)


def test_a_run_killed_between_its_two_checkpoints_keeps_the_best_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second epoch is the best; the process dies while that is being written down."""
    save, saved = loop.save_checkpoint, list[str]()

    def die_at_fourth(path: Path, content: dict[str, Any]) -> None:
        saved.append(path.name)
        if len(saved) == 4:
            raise Killed
        save(path, content)

    monkeypatch.setattr(loop, "save_checkpoint", die_at_fourth)
    with pytest.raises(Killed):
        train(Line(scores=(0.5, 0.2, 0.9)), tmp_path, epochs=3)
    monkeypatch.setattr(loop, "save_checkpoint", save)
    assert train(Line(scores=(0.5, 0.2, 0.9)), tmp_path, epochs=3, resume=True)["score"] == 0.2
    assert load_checkpoint(tmp_path / BEST)["best"] == {"score": 0.2, "epoch": 1}


def test_a_finished_run_takes_more_epochs(tmp_path: Path) -> None:
    train(Line(), tmp_path, epochs=1)
    seen = list[Step]()
    train(Line(device="other"), tmp_path, epochs=2, resume=True, on_step=seen.append)
    assert [(step.epoch, step.step) for step in seen] == [(1, k) for k in (1, 2, 3, 4, 4)]
    assert seen[-1].validation
    assert '"device": "other"' in (tmp_path / RECIPE).read_text()


def test_no_two_steps_draw_the_same_random_numbers(tmp_path: Path) -> None:
    """Neither of an epoch, nor of several, nor of another run; each the same again."""
    drawn = list[tuple[float, ...]]()

    class Drawing(Line):
        def step(self, batch: torch.Tensor) -> Metrics:
            drawn.append(tuple(torch.rand(4).tolist()))
            return super().step(batch)

    for name, seed in (("a", 0), ("b", 1), ("c", 0)):
        train(Drawing(), tmp_path / name, epochs=3, seed=seed)
    first, again = drawn[: 2 * 3 * STEPS], drawn[2 * 3 * STEPS :]
    assert len(set(first)) == 2 * 3 * STEPS
    assert again == first[: 3 * STEPS]


def test_another_seed_gives_other_weights(undisturbed: Path, tmp_path: Path) -> None:
    train(Line(), tmp_path / "other", epochs=3, seed=6)
    assert not torch.equal(read_weights(tmp_path / "other")[0], read_weights(undisturbed)[0])


# --- signals ------------------------------------------------------------------------------------

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)


def send_at(epoch: int, number: int, *signals: int) -> Any:
    """A listener that sends this process signals after a step."""

    def listen(step: Step) -> None:
        if (step.epoch, step.step) == (epoch, number) and not step.validation:
            for sent in signals:
                os.kill(os.getpid(), sent)

    return listen


def check_same(out: Path, other: Path) -> None:
    """Weights and logs of two runs, to the bit."""
    for first, second in zip(read_weights(out), read_weights(other), strict=True):
        assert torch.equal(first, second)
    assert read_log(out) == read_log(other)


@pytest.mark.usefixtures("_curves")
@pytest.mark.parametrize("sent", SIGNALS)
@pytest.mark.parametrize(("epoch", "number"), [(0, 1), (1, STEPS)])
def test_a_signal_stops_a_run_after_its_step_and_it_goes_on_to_the_bit(
    undisturbed: Path, tmp_path: Path, sent: signal.Signals, epoch: int, number: int
) -> None:
    out, before = tmp_path / "stopped", signal.getsignal(sent)
    with pytest.raises(Stopped) as stopped:
        train(Line(), out, epochs=3, seed=5, on_step=send_at(epoch, number, sent))
    assert (stopped.value.number, stopped.value.epoch, stopped.value.step) == (sent, epoch, number)
    assert str(stopped.value) == f"{sent.name} in epoch {epoch + 1}, after step {number}"
    content = load_checkpoint(out / LAST)
    assert (content["epoch"], content["step"]) == (epoch, number)
    assert (out / CURVES).is_file()
    assert signal.getsignal(sent) == before
    train(Line(), out, epochs=3, seed=5, resume=True)
    check_same(out, undisturbed)


def test_a_signal_from_the_first_file_of_a_run_on_is_obeyed_before_its_first_step(
    undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who waits for a run's files may then stop it: TensorBoard alone takes seconds to open."""
    out = tmp_path / "stopped"

    def open_log(*args: Any) -> TrainingLog:
        os.kill(os.getpid(), signal.SIGINT)
        return TrainingLog(*args)

    with monkeypatch.context() as patch, pytest.raises(Stopped) as stopped:
        patch.setattr(loop, "TrainingLog", open_log)
        train(Line(), out, epochs=3, seed=5)
    assert (stopped.value.epoch, stopped.value.step) == (0, 0)
    train(Line(), out, epochs=3, seed=5, resume=True)
    check_same(out, undisturbed)


def test_a_signal_cuts_validation_short_and_it_is_made_again(
    undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task, out = Line(), tmp_path / "stopped"

    def validate() -> Metrics:
        os.kill(os.getpid(), signal.SIGTERM)
        raise AssertionError("validation went on")

    monkeypatch.setattr(task, "validate", validate)
    with pytest.raises(Stopped):
        train(task, out, epochs=3, seed=5)
    content = load_checkpoint(out / LAST)
    assert (content["epoch"], content["step"]) == (0, STEPS)
    train(Line(), out, epochs=3, seed=5, resume=True)
    check_same(out, undisturbed)


def test_a_signal_at_the_very_end_of_what_may_be_cut_short_is_noted_alone() -> None:
    """It comes while the end of the work is being noted: by a trace of that one line."""
    lines, first = inspect.getsourcelines(StopSignals.cut_short)
    ending = first + next(k for k, line in enumerate(lines) if "_cuts = False" in line)

    def trace(frame: FrameType, event: str, _: object) -> Any:
        if event == "line" and frame.f_lineno == ending:
            sys.settrace(None)
            signal.raise_signal(signal.SIGTERM)
        return trace

    with StopSignals() as stop:
        sys.settrace(trace)
        try:
            found = stop.cut_short(lambda: 1)
        finally:
            sys.settrace(None)
    assert (found, stop.received) == (None, signal.SIGTERM)


def test_what_cleans_up_behind_what_was_cut_short_is_not_cut_by_the_next_signal() -> None:
    cleaned = list[bool]()

    def work() -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            signal.raise_signal(signal.SIGUSR1)
            cleaned.append(True)

    with StopSignals() as stop:
        assert stop.cut_short(work) is None
    assert (cleaned, stop.received) == ([True], signal.SIGUSR1)


def test_a_second_interrupt_ends_a_run_at_once(tmp_path: Path) -> None:
    listen = send_at(0, 2, signal.SIGINT, signal.SIGINT)
    with pytest.raises(KeyboardInterrupt) as ended:
        train(Line(), tmp_path, epochs=1, on_step=listen)
    assert not isinstance(ended.value, Stopped)
    assert not (tmp_path / LAST).exists()


def test_a_signal_that_was_ignored_before_stays_ignored(tmp_path: Path) -> None:
    """As SIGINT is for what a script starts in its background."""
    former = signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    try:
        best = train(Line(), tmp_path, epochs=1, on_step=send_at(0, 2, signal.SIGUSR1))
    finally:
        signal.signal(signal.SIGUSR1, former)
    assert best["epoch"] == 0


def train_one_of_two(rank: int, out: Path) -> None:
    """A process of two; the second one is sent SIGTERM after its third step."""
    torch.set_num_threads(1)
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank)}
    listen = send_at(0, 3, *((signal.SIGTERM,) if rank else ()))
    with init_distributed("cpu") as distributed:
        try:
            train(Line(), out, epochs=3, distributed=distributed, on_step=listen)
        except Stopped as stopped:
            (out / f"{rank}.txt").write_text(str(stopped))


def test_all_processes_stop_at_the_step_at_which_one_was_asked_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as kept:  # bound: the system gives the port to no other program
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        kept.bind(("127.0.0.1", 0))
        for name, value in {"ADDR": "127.0.0.1", "PORT": kept.getsockname()[1]}.items():
            monkeypatch.setenv(f"MASTER_{name}", str(value))
        monkeypatch.setenv("WORLD_SIZE", "2")
        multiprocessing.spawn(train_one_of_two, (tmp_path,), nprocs=2)
    said = {(tmp_path / f"{rank}.txt").read_text() for rank in (0, 1)}
    assert said == {"SIGTERM in epoch 1, after step 3"}
    content = load_checkpoint(tmp_path / LAST)
    assert (content["epoch"], content["step"]) == (0, 3)


# --- refusals -----------------------------------------------------------------------------------


def test_a_folder_that_holds_a_run_is_not_written_over(tmp_path: Path) -> None:
    train(Line(), tmp_path, epochs=1)
    before = (tmp_path / LAST).read_bytes()
    with pytest.raises(ToolkitError, match="holds a run: go on with --resume"):
        train(Line(), tmp_path, epochs=2)
    assert (tmp_path / LAST).read_bytes() == before


def test_there_must_be_a_run_to_go_on_with(tmp_path: Path) -> None:
    with pytest.raises(ToolkitError, match="holds no run"):
        train(Line(), tmp_path / "new", epochs=1, resume=True)
    assert not (tmp_path / "new").exists()


def hold(out: Path, held: Event, over: Event) -> None:
    """Train, but not beyond the first step before `over` is set."""

    def listen(step: Step) -> None:
        held.set()
        over.wait()

    train(Line(), out, epochs=1, on_step=listen)


def test_two_processes_do_not_train_in_one_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second is refused, or waits as long as one that was killed may take to go."""
    monkeypatch.setattr(loop, "PATIENCE", 0.3)
    context = get_context("spawn")
    held, over = context.Event(), context.Event()
    first = context.Process(target=hold, args=(tmp_path, held, over))
    first.start()
    try:
        assert held.wait(500)
        with pytest.raises(BusyError, match="another process trains here: wait until it ends"):
            train(Line(), tmp_path, epochs=1)
        assert not (tmp_path / LAST).exists()
        monkeypatch.setattr(loop, "PATIENCE", 500)
        over.set()
        with pytest.raises(ToolkitError, match="holds a run"):
            train(Line(), tmp_path, epochs=1)
    finally:
        over.set()
        first.join()
    assert first.exitcode == 0
    train(Line(), tmp_path, epochs=2, resume=True)


def test_a_run_goes_on_with_its_own_settings_alone(tmp_path: Path) -> None:
    train(Line(), tmp_path, epochs=1)
    with pytest.raises(ToolkitError, match=r"another rate \(0\.05\)"):
        train(Line(rate=0.1), tmp_path, epochs=2, resume=True)


def test_a_run_of_another_recipe_is_refused(tmp_path: Path) -> None:
    train(Line(), tmp_path, epochs=1)
    task = Line()
    task.kind = "circle"
    with pytest.raises(ToolkitError, match="a checkpoint of line, not of circle"):
        train(task, tmp_path, epochs=2, resume=True)


@pytest.mark.parametrize(
    ("now", "words"),
    [
        ({"a": "1"}, "1 gone (b)"),
        ({"a": "1", "b": "2", "c": "3"}, "1 new (c)"),
        ({"a": "1", "b": "9"}, "1 with other content (b)"),
        ({"c": "3", "d": "4"}, "2 gone (a, b), 2 new (c, d)"),
    ],
)
def test_a_run_goes_on_with_its_own_clips_alone(
    tmp_path: Path, now: dict[str, str], words: str
) -> None:
    train(Line(), tmp_path, epochs=1)
    task, before = Line(), (tmp_path / LAST).read_bytes()
    task.data = {"clips to train on": now}
    with pytest.raises(ToolkitError, match="the run has other data") as caught:
        train(task, tmp_path, epochs=2, resume=True)
    assert f"clips to train on: {words}: bring back the split" in str(caught.value)
    assert (tmp_path / LAST).read_bytes() == before


def test_a_run_that_did_not_note_its_clips_goes_on(tmp_path: Path) -> None:
    """As those of earlier versions."""
    train(Line(), tmp_path, epochs=1)
    content = load_checkpoint(tmp_path / LAST)
    del content["data"]
    save_checkpoint(tmp_path / LAST, content)
    train(Line(), tmp_path, epochs=2, resume=True)
    assert load_checkpoint(tmp_path / LAST)["epoch"] == 2


def test_a_loss_that_is_no_number_is_an_error_that_says_where(tmp_path: Path) -> None:
    task = Line()
    task.poison = 6
    with pytest.raises(ToolkitError, match="epoch 1, step 2: a loss is no number"):
        train(task, tmp_path, epochs=3)
    assert load_checkpoint(tmp_path / LAST)["epoch"] == 1
    assert len(read_log(tmp_path)) == 1 + STEPS + 1 + 2


def test_a_score_that_is_no_number_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ToolkitError, match="a score is no number"):
        train(Line(scores=(math.nan,)), tmp_path, epochs=1)


# --- what is written ----------------------------------------------------------------------------


def test_the_best_epoch_is_the_one_of_the_lowest_score(tmp_path: Path) -> None:
    best = train(Line(scores=(0.5, 0.2, 0.9, 0.2)), tmp_path, epochs=4)
    assert best == {"score": 0.2, "epoch": 1}
    assert load_checkpoint(tmp_path / BEST)["epoch"] == 2  # where that run would go on
    assert "state" not in load_checkpoint(tmp_path / BEST)
    assert load_checkpoint(tmp_path / LAST)["epoch"] == 4


def test_the_log_has_a_row_for_every_figure(tmp_path: Path) -> None:
    train(Line(scores=(0.5, 0.25)), tmp_path, epochs=2)
    head, *rows = read_log(tmp_path)
    assert head == ("kind", "epoch", "step", "total_steps", "name", "value")
    steps = [(int(row[1]), int(row[2]), int(row[3])) for row in rows if row[0] == "train"]
    assert steps == [(e, s + 1, STEPS * e + s + 1) for e in range(2) for s in range(STEPS)]
    validation = [row for row in rows if row[0] == "validation"]
    assert validation == [
        ("validation", "0", "4", "4", "score", "0.5"),
        ("validation", "1", "4", "8", "score", "0.25"),
    ]


def test_tensorboard_shows_every_step_once_after_a_kill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two files begun in one second by one process TensorBoard reads the tenth first."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.summary.writer import event_file_writer

    monkeypatch.setattr(event_file_writer, "_global_uid", event_file_writer.AtomicCounter(0))
    with pytest.raises(Killed):
        train(Line(scores=(0.5, 0.25)), tmp_path, epochs=2, on_step=kill_at(1, 3))
    train(Line(scores=(0.5, 0.25)), tmp_path, epochs=2, resume=True)
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    assert [event.step for event in events.Scalars("train/loss")] == list(range(1, 9))
    score = [(event.step, event.value) for event in events.Scalars("validation/score")]
    assert score == [(4, 0.5), (8, 0.25)]


@pytest.mark.usefixtures("_curves")
def test_the_curves_of_a_run_are_a_picture(tmp_path: Path) -> None:
    from PIL import Image

    train(Line(), tmp_path, epochs=1)
    with Image.open(tmp_path / CURVES) as picture:
        assert picture.format == "PNG"
        assert np.asarray(picture.convert("L")).std() > 5
    assert [path.name for path in tmp_path.glob(".*")] == []


def test_curves_are_drawn_again_only_where_there_is_more_to_draw(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once of one epoch; of two after the first, and at the end; and where a run goes on."""
    seen = list[int]()

    def note(log: Path, picture: Path) -> None:
        seen.append(len(log.read_text().splitlines()))

    monkeypatch.setattr("zoo.training.log.plot_curves", note)
    train(Line(), tmp_path / "one", epochs=1)
    rows = 1 + STEPS + 1  # the heading, a loss a step, a score
    assert seen == [rows]
    train(Line(), tmp_path / "two", epochs=2)
    assert seen[1:] == [rows, 2 * rows - 1]
    train(Line(), tmp_path / "two", epochs=2, resume=True)
    assert seen[3:] == [2 * rows - 1]


def test_a_figure_may_have_any_name(tmp_path: Path) -> None:
    """Between two $ matplotlib looks for a formula, and `a_` is none."""
    log = tmp_path / LOG
    log.write_text("kind,epoch,step,total_steps,name,value\nvalidation,0,1,1,cer $a_$,0.5\n")
    plot_curves(log, tmp_path / CURVES)
    assert (tmp_path / CURVES).is_file()


def test_a_long_curve_has_means_of_neighbours_for_points() -> None:
    """Of 600 numbers 0, 1, 2, … two are a point: 0.5, 2.5, … 598.5; of three each stays."""
    np.testing.assert_array_equal(thin_out(np.arange(600.0)), np.arange(0.5, 599, 2))
    np.testing.assert_array_equal(thin_out(np.array([4.0, 2, 9])), [4, 2, 9])


def test_a_sheet_of_pictures_is_kept_of_every_epoch(tmp_path: Path) -> None:
    from PIL import Image
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    task = Line()
    task.sheet = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
    train(task, tmp_path, epochs=2)
    names = ["epoch-0001.png", "epoch-0002.png"]
    assert sorted(path.name for path in (tmp_path / SHEETS).iterdir()) == names
    np.testing.assert_array_equal(Image.open(tmp_path / SHEETS / names[1]), task.sheet)
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    assert [event.step for event in events.Images("validation/sheet")] == [STEPS, 2 * STEPS]


def test_a_task_that_draws_nothing_leaves_no_sheets(tmp_path: Path) -> None:
    train(Line(), tmp_path, epochs=1)
    assert not (tmp_path / SHEETS).exists()


def test_a_listener_hears_steps_speed_and_the_end_of_an_epoch(tmp_path: Path) -> None:
    seen = list[Step]()
    train(Line(), tmp_path, epochs=1, on_step=seen.append)
    assert [step.step for step in seen] == [1, 2, 3, 4, 4]
    assert all(step.items_per_second > 0 and step.num_steps == STEPS for step in seen)
    assert [bool(step.validation) for step in seen] == [False] * 4 + [True]
    assert "items" not in seen[0].metrics
