"""Stages of StyleHEAT: what each trains and what stays, runs that go on, refused predecessors."""

import copy
import dataclasses
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch import nn

import zoo.cli
from tests.zoo.models.styleheat.talkers import (
    TINY,
    TINY_VGG,
    save_prior,
    save_syncnet,
    write_talkers,
)
from toolkit.errors import ToolkitError
from zoo.models.styleheat import stage as stages
from zoo.models.styleheat.audio import train_audio
from zoo.models.styleheat.joint import train_calibration
from zoo.models.styleheat.model import open_styleheat
from zoo.models.styleheat.options import AudioOptions, CalibrationOptions, VideoOptions
from zoo.models.styleheat.presets import PRESETS
from zoo.models.styleheat.stage import StageTask
from zoo.models.styleheat.video import train_video
from zoo.training import perceptual
from zoo.training.checkpoint import load_checkpoint, save_checkpoint
from zoo.training.loop import Step


@dataclasses.dataclass(frozen=True)
class Runs:
    """A folder in which every stage was trained for an epoch."""

    folder: Path

    @property
    def shards(self) -> Path:
        return self.folder / "data" / "shards"

    @property
    def prior(self) -> Path:
        return self.folder / "prior.pt"

    def best(self, stage: str) -> Path:
        return self.folder / stage / "best.pt"

    def options(self, stage: str, **changes: Any) -> Any:
        """Of `video`, `audio`, `2a` and `2b`."""
        kinds: dict[str, tuple[type[Any], dict[str, Any]]] = {
            "video": (VideoOptions, {"prior": self.prior}),
            "audio": (AudioOptions, {"video": self.best("video"), "syncnet": self.sync}),
            "2a": (CalibrationOptions, {"video": self.best("video")}),
            "2b": (
                CalibrationOptions,
                {
                    "with_": "audio", "calibration": self.best("2a"),
                    "audio": self.best("audio"), "syncnet": self.sync,
                },
            ),
        }  # fmt: skip
        kind, own = kinds[stage]
        common = {"shards": self.shards, "perceptual": "random", "device": "cpu"}
        return kind(**(common | own | changes))

    @property
    def sync(self) -> Path:
        return self.folder / "sync.pt"


STAGES = ("video", "audio", "2a", "2b")

TRAIN: dict[str, Callable[..., Any]] = {
    "video": train_video, "audio": train_audio, "2a": train_calibration, "2b": train_calibration
}  # fmt: skip

TRAINED = {
    "video": {"video"},
    "audio": {"audio"},
    "2a": {"video", "calibration", "discriminator"},
    "2b": {"audio", "calibration", "discriminator"},
}
"""As docs/models.md has it."""


LIPS = {"transfer", "regular", "sync"}

TERMS = {
    "video": {"transfer"},
    "audio": LIPS,
    "2a": {"transfer", "domain", "adversarial", "motion transfer"},
    "2b": {"transfer", "domain", "adversarial"} | {f"motion {name}" for name in LIPS},
}


@pytest.fixture(scope="module", autouse=True)
def _tiny() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(PRESETS, "small", TINY)
        patch.setattr(perceptual, "WIDTHS", TINY_VGG)
        patch.setattr(stages, "JUDGED_WINDOWS", 2)
        patch.setattr("zoo.training.log.plot_curves", lambda *args: None)  # longer than a run
        yield


@pytest.fixture(scope="module", name="runs")
def _runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    runs = Runs(tmp_path_factory.mktemp("styleheat"))
    write_talkers(runs.folder / "data")
    save_prior(runs.prior)
    save_syncnet(runs.sync)
    for stage in STAGES:
        TRAIN[stage](runs.options(stage), runs.folder / stage)
    return runs


def make_task(runs: Runs, stage: str, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> StageTask:
    """As its recipe makes it, before its first step."""
    made = list[StageTask]()

    def keep(task: StageTask, *args: Any, **kwargs: Any) -> dict[str, float]:
        made.append(task)
        return {}

    monkeypatch.setattr("zoo.training.loop.train", keep)
    TRAIN[stage](runs.options(stage, **changes), runs.folder / "unused")
    return made[0]


def copy_all(task: StageTask) -> dict[str, torch.Tensor]:
    """Of every network at hand, trained or not."""
    networks: dict[str, nn.Module] = dict(task.networks)
    canvas: Any = task.inputs.canvas
    networks |= {"prior": canvas.prior, "perceptual": task.inputs.perceptual}
    lips: Any = task.inputs.lips
    if lips is not None:
        networks["syncnet"] = lips.network
    return {
        f"{name}.{key}": value.clone()
        for name, network in networks.items()
        for key, value in network.state_dict().items()
    }


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_moves_what_it_trains_by_its_terms_and_leaves_the_rest_to_the_bit(
    runs: Runs, stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two steps: at the first some gradients are 0, behind layers that begin at 0."""
    task = make_task(runs, stage, monkeypatch)
    before = copy_all(task)
    for batch in task.draw_batches(0, 0):
        figures = task.step(batch)
    moved = {name for name, value in copy_all(task).items() if not torch.equal(value, before[name])}
    assert {name.split(".")[0] for name in moved} == TRAINED[stage]
    assert moved == {
        f"{name}.{key}"
        for name in TRAINED[stage]
        for key, _ in task.networks[name].named_parameters()
    }
    found = {name.removeprefix("loss ") for name in figures if name.startswith("loss ")}
    assert found - {"discriminator"} == TERMS[stage]
    parts = sum(figures[f"loss {name}"] for name in TERMS[stage])
    assert figures["loss"] == pytest.approx(parts, rel=1e-4)
    assert figures["items"] == 5


def test_a_stage_begins_with_the_weights_that_the_one_before_learnt(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = make_task(runs, "2b", monkeypatch)
    for name, base in (("video", "2a"), ("calibration", "2a"), ("audio", "audio")):
        known = load_checkpoint(runs.best(base))["model"]["networks"][name]
        found = task.networks[name].state_dict()
        assert all(torch.equal(found[key], known[key]) for key in known)


def test_the_video_generator_of_stage_2b_is_that_of_2a(runs: Runs) -> None:
    one, other = (load_checkpoint(runs.best(x))["model"]["networks"]["video"] for x in ("2a", "2b"))
    assert all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize(
    "stage",
    ["video", "2b", *(pytest.param(stage, marks=pytest.mark.slow) for stage in ("audio", "2a"))],
)
def test_a_run_killed_within_an_epoch_ends_with_the_weights_of_an_undisturbed_one(
    runs: Runs, stage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class KilledError(Exception):
        pass

    def kill(step: Step) -> None:
        if step.step == 2:  # the first is saved
            raise KilledError

    with monkeypatch.context() as patch, pytest.raises(KilledError):
        patch.setattr("zoo.training.loop.SAVE_SECONDS", 0)
        TRAIN[stage](runs.options(stage), tmp_path / "killed", on_step=kill)
    TRAIN[stage](runs.options(stage), tmp_path / "killed", resume=True)
    whole, resumed = (
        load_checkpoint(folder / "last.pt")["state"]
        for folder in (runs.folder / stage, tmp_path / "killed")
    )
    assert whole["num_steps"] == resumed["num_steps"] == 2
    for name, weights in whole["networks"].items():
        assert all(torch.equal(weights[key], resumed["networks"][name][key]) for key in weights)
    for name, mean in whole["means"].items():
        assert mean["num_updates"] == 2
        known = resumed["means"][name]["network"]
        assert all(torch.equal(value, known[key]) for key, value in mean["network"].items())


def test_the_running_means_of_weights_are_judged_and_kept_and_training_goes_on_with_its_own(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two steps: the mean is 9/11 of the first weights and of those behind step 1, see there."""
    task = make_task(runs, "2a", monkeypatch)
    names = ("calibration", "video")
    track = {name: copy.deepcopy(task.networks[name].state_dict()) for name in names}
    mean = track
    for number, batch in enumerate(task.draw_batches(0, 0), start=1):
        task.step(batch)
        track = {name: copy.deepcopy(task.networks[name].state_dict()) for name in names}
        keep = (1 + number) / (10 + number)
        mean = {
            name: {k: keep * v + (1 - keep) * track[name][k] for k, v in mean[name].items()}
            for name in names
        }
    seen = []
    known = type(task).predict

    def watch(self: Any, batch: Any) -> Any:
        seen.append({name: copy.deepcopy(self.networks[name].state_dict()) for name in names})
        return known(self, batch)

    monkeypatch.setattr(type(task), "predict", watch)
    task.validate()
    exported = task.export()["networks"]
    for name in names:
        assert task.networks[name].training
        for key, value in mean[name].items():
            torch.testing.assert_close(seen[0][name][key], value)
            torch.testing.assert_close(exported[name][key], value)
            assert torch.equal(task.networks[name].state_dict()[key], track[name][key])


def test_a_run_with_coefficients_of_another_layout_does_not_go_on(
    runs: Runs, tmp_path: Path
) -> None:
    shutil.copytree(runs.folder / "video", tmp_path / "run")
    content = load_checkpoint(tmp_path / "run" / "last.pt")
    content["state"]["layout"] = "expression64/v0"
    save_checkpoint(tmp_path / "run" / "last.pt", content)
    with pytest.raises(ToolkitError, match=r"by a version whose coefficients are not .*/v2: train"):
        train_video(runs.options("video"), tmp_path / "run", resume=True)


def test_a_run_goes_on_with_the_same_predecessor_alone(runs: Runs, tmp_path: Path) -> None:
    base = tmp_path / "video.pt"
    content = load_checkpoint(runs.best("video"))
    save_checkpoint(base, content)
    options = runs.options("2a", video=base)
    train_calibration(options, tmp_path / "run")
    content["epoch"] += 1
    save_checkpoint(base, content)
    with pytest.raises(ToolkitError, match="the run has another content of --video"):
        train_calibration(options, tmp_path / "run", resume=True)


# --- predecessors -------------------------------------------------------------------------------


def change(runs: Runs, stage: str, path: Path, **values: Any) -> Path:
    """A stage's checkpoint whose model says otherwise."""
    content = load_checkpoint(runs.best(stage))
    content["model"] |= values
    save_checkpoint(path, content)
    return path


def test_a_predecessor_of_another_layout_is_refused(runs: Runs, tmp_path: Path) -> None:
    other = change(runs, "video", tmp_path / "old.pt", layout="expression64/v0")
    for stage in ("audio", "2a"):
        with pytest.raises(ToolkitError, match=r"old\.pt: coefficients are laid out as express"):
            TRAIN[stage](runs.options(stage, video=other), tmp_path / "run")


def test_a_predecessor_of_another_preset_is_refused(runs: Runs, tmp_path: Path) -> None:
    other = change(runs, "video", tmp_path / "large.pt", preset="paper")
    with pytest.raises(ToolkitError, match=r"large\.pt: of --preset paper, not of small"):
        train_audio(runs.options("audio", video=other), tmp_path / "run")


def test_a_predecessor_of_another_stage_is_refused(runs: Runs, tmp_path: Path) -> None:
    with pytest.raises(ToolkitError, match="of styleheat-audio, not of styleheat-video"):
        train_calibration(runs.options("2a", video=runs.best("audio")), tmp_path / "run")
    lacking = load_checkpoint(runs.best("2a"))
    del lacking["model"]["networks"]["calibration"]
    save_checkpoint(tmp_path / "bare.pt", lacking)
    options = runs.options("2b", calibration=tmp_path / "bare.pt")
    with pytest.raises(ToolkitError, match="has no calibration network: it is of another stage"):
        train_calibration(options, tmp_path / "run")


def test_weights_of_another_size_are_refused(runs: Runs, tmp_path: Path) -> None:
    content = load_checkpoint(runs.best("video"))
    content["model"]["networks"]["video"]["mean"] = torch.zeros(71)
    save_checkpoint(tmp_path / "other.pt", content)
    with pytest.raises(ToolkitError, match="weights of its video network do not fit"):
        train_audio(runs.options("audio", video=tmp_path / "other.pt"), tmp_path / "run")


def test_another_prior_is_refused(runs: Runs, tmp_path: Path) -> None:
    other = save_prior(tmp_path / "other.pt", seed=1)
    with pytest.raises(ToolkitError, match=r"other\.pt: another prior than the one that .*video"):
        train_audio(runs.options("audio", prior=other), tmp_path / "run")


def test_a_prior_that_moved_is_asked_for_and_may_be_given(
    runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = {"path": str(tmp_path / "gone.pt"), "sha256": ""}
    known = load_checkpoint(runs.best("video"))["model"]["prior"]
    moved = change(runs, "video", tmp_path / "video.pt", prior=known | {"path": gone["path"]})
    with pytest.raises(ToolkitError, match=r"its prior is not at .*gone\.pt: give --prior"):
        train_audio(runs.options("audio", video=moved), tmp_path / "run")
    task = make_task(runs, "audio", monkeypatch, video=moved, prior=runs.prior)
    assert task.inputs.prior.path == str(runs.prior)


def test_stage_1_without_a_prior_moves_pictures_and_stage_2_goes_on_with_one(
    runs: Runs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_video(runs.options("video", prior=None), tmp_path / "video")
    video, audio = (tmp_path / name / "best.pt" for name in ("video", "audio"))
    with pytest.raises(ToolkitError, match="was trained without a prior: give --prior"):
        train_calibration(runs.options("2a", video=video), tmp_path / "run")
    train_audio(runs.options("audio", video=video), tmp_path / "audio")
    assert load_checkpoint(audio)["model"]["prior"]["path"] == ""
    for stage, bases in (("2a", {"video": video}), ("2b", {"audio": audio})):
        prior = runs.prior if stage == "2a" else None
        task = make_task(runs, stage, monkeypatch, prior=prior, **bases)
        assert task.export()["prior"]["path"] == str(runs.prior)


@pytest.mark.parametrize(
    ("stage", "changes", "message"),
    [
        ("2a", {"video": None}, "--with video: give --video"),
        ("2b", {"audio": None}, "--with audio: give --audio"),
        ("2b", {"syncnet": None}, "--with audio: give --syncnet"),
        ("2b", {"video": Path("x")}, "--with audio: has no use for --video"),
        ("2a", {"with_": "touch"}, "--with 'touch': choose from video, audio"),
        ("audio", {"batch_size": 8}, "--batch-size 8: sound drives 5 frames at a time"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    runs: Runs, stage: str, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        runs.options(stage, **changes)


# --- what comes out -----------------------------------------------------------------------------


def test_the_command_trains_with_the_generator_that_it_is_told_of(
    runs: Runs, tmp_path: Path
) -> None:
    words = ["train", "styleheat-calibration", "--shards", runs.shards, "--with", "video"]
    words += ["--video", runs.best("video"), "--perceptual", "random"]
    words += ["--device", "cpu", "--out", tmp_path / "run"]
    result = CliRunner().invoke(zoo.cli.main, [*map(str, words)])
    assert result.exit_code == 0, result.output
    assert (tmp_path / "run" / "best.pt").is_file()


def test_the_log_has_what_was_not_moved_beside_the_model(runs: Runs) -> None:
    for stage in STAGES:
        rows = [x.split(",") for x in (runs.folder / stage / "log.csv").read_text().splitlines()]
        assert {row[4] for row in rows if row[0] == "validation"} == {"score", "score still"}
        assert (runs.folder / stage / "sheets").is_dir()


@pytest.mark.parametrize("stage", STAGES)
def test_a_trained_stage_draws_what_it_can(runs: Runs, stage: str) -> None:
    model = open_styleheat(runs.best(stage))
    source = model.enter(np.full((64, 64, 3), 90, np.uint8))
    windows, mel = np.zeros((11, 27, 73), np.float32), np.zeros((11, 32, 80), np.float32)
    frames = list(model.draw(source, windows, None))
    assert len(frames) == 11
    assert {(frame.shape, frame.dtype) for frame in frames} == {((64, 64, 3), np.dtype(np.uint8))}
    if stage in ("audio", "2b"):
        assert len(list(model.draw(source, None, mel))) == 11
        assert len(list(model.draw(source, windows, mel))) == 11
        with pytest.raises(ValueError, match="shorter"):
            list(model.draw(source, windows, mel[:4]))
    else:
        with pytest.raises(ToolkitError, match="has no network that sound drives"):
            next(model.draw(source, None, mel))


def test_an_edit_of_the_styles_changes_every_frame(runs: Runs) -> None:
    model = open_styleheat(runs.best("2b"))
    picture = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    plain, edited = (model.enter(picture, change) for change in (None, lambda styles: styles + 3.0))
    mel = np.zeros((3, 32, 80), np.float32)
    for one, other in zip(model.draw(plain, None, mel), model.draw(edited, None, mel), strict=True):
        assert (one != other).any()
