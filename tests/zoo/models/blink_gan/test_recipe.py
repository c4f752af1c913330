"""Training on drawn eyes: their blinks are learnt, runs go on when killed, and are used."""

import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import zoo.cli
from tests.zoo.models.blink_gan.blinking import make_blinking, make_face, write_blinking
from toolkit.errors import ToolkitError
from zoo.models.blink_gan import recipe as recipes
from zoo.models.blink_gan.model import BlinkModel
from zoo.models.blink_gan.options import BlinkRecipe
from zoo.models.blink_gan.recipe import BlinkTask, train_blink_gan
from zoo.models.blink_gan.windows import count_blinks, measure_ear
from zoo.models.registry import open_model
from zoo.training.checkpoint import load_checkpoint
from zoo.training.distributed import Distributed
from zoo.training.loop import Step, train
from zoo.training.stopping import Stopped

RATE, DURATION = 0.4, 0.4
"""Of the drawn blinks: a second, s from open to open eyes."""


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_blinking(tmp_path_factory.mktemp("blinking"))


@pytest.fixture(scope="module")
def task() -> BlinkTask:
    recipe = BlinkRecipe(shards=Path("drawn"), preset="small", epochs=EPOCHS, device="cpu")
    return BlinkTask(
        recipe, make_blinking(), make_blinking(clips=6, seed=1), distributed=Distributed()
    )


@pytest.fixture(scope="module")
def model(task: BlinkTask, tmp_path_factory: pytest.TempPathFactory) -> BlinkModel:
    out = tmp_path_factory.mktemp("runs") / "blink"
    train(task, out, epochs=EPOCHS)
    opened: BlinkModel = open_model(out / "best.pt", makes="eyes")
    return opened


EPOCHS = 5


def watch(model: BlinkModel, rate: float | None = None) -> tuple[float, float]:
    """Rate and mean duration in ten minutes of 30 frames a second."""
    eyes = model.sample(18_000, 30, seed=1, rate=rate)
    seen = count_blinks([measure_ear(eyes.reshape(-1, 44), make_face())], 30)
    return seen.rate, seen.duration


def test_rate_and_duration_of_blinks_are_learnt(task: BlinkTask, model: BlinkModel) -> None:
    """Within 15 % of what the clips that it was trained on show, though half its windows blink."""
    real = task.figures
    assert real.rate == pytest.approx(RATE, rel=0.1)
    rate, duration = watch(model)
    assert rate == pytest.approx(real.rate, rel=0.15)
    assert duration == pytest.approx(real.duration, rel=0.15)


def test_a_rate_that_is_asked_for_is_given(model: BlinkModel) -> None:
    """Half as many; blinks that are fewer are not shorter."""
    rate, duration = watch(model, 0.2)
    assert rate == pytest.approx(0.2, rel=0.2)
    assert duration == pytest.approx(watch(model)[1], rel=0.15)
    assert watch(model, 0)[0] < 0.01


def test_an_impossible_rate_is_refused_with_what_is_possible(model: BlinkModel) -> None:
    with pytest.raises(ToolkitError, match=r"blinks 0\.\d\d to \S+ times a second, not 9: choose"):
        model.sample(10, 25, rate=9)


def test_eyes_depend_on_the_seed_alone(model: BlinkModel) -> None:
    """And shorter ones are the beginning of longer ones, at any frame rate."""
    eyes = model.sample(200, 25, seed=3)
    assert eyes.shape == (200, 22, 2)
    assert eyes.dtype == np.float32
    np.testing.assert_array_equal(model.sample(200, 25, seed=3), eyes)
    assert not np.array_equal(model.sample(200, 25, seed=4), eyes)
    np.testing.assert_array_equal(model.sample(90, 25, seed=3), eyes[:90])
    np.testing.assert_allclose(model.sample(100, 12.5, seed=3), eyes[::2], atol=1e-7)
    assert model.sample(0, 25).shape == (0, 22, 2)
    assert model.sample(1, 25).shape == (1, 22, 2)


def test_nothing_jumps_where_windows_meet(model: BlinkModel, task: BlinkTask) -> None:
    """No step is larger than those within the generator's own windows."""
    eyes = model.sample(5000, 25, seed=2).reshape(-1, 44)
    windows = model.generate(256, torch.Generator().manual_seed(0))
    within = np.abs(np.diff(windows[:, 1:], axis=1)).max()
    assert np.abs(np.diff(eyes, axis=0)).max() <= 1.3 * within


def test_frames_that_cannot_be_are_a_callers_mistake(model: BlinkModel) -> None:
    with pytest.raises(ValueError, match="-1 frames at 25 a second"):
        model.sample(-1, 25)
    with pytest.raises(ValueError, match="10 frames at 0 a second"):
        model.sample(10, 0)


def test_validation_has_copies_and_real_blinks_beside_it(
    task: BlinkTask, model: BlinkModel
) -> None:
    """One window again and again is far from the data, copies of other data are near."""
    figures = task.validate()
    assert abs(figures["mmd copies"]) < 0.02
    assert figures["mmd"] < figures["mmd noise-free"] / 2
    assert figures["score"] == figures["mmd"]
    assert figures["real blink duration"] == pytest.approx(task.figures.duration, rel=0.1)
    assert figures["real blink rate"] == pytest.approx(task.figures.rate, rel=0.2)


# --- runs ---------------------------------------------------------------------------------------


def test_a_run_that_is_stopped_goes_on_as_if_it_had_not_been(
    shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the bit, weights and figures."""
    monkeypatch.setattr(recipes, "EPOCH_STEPS", 3)
    monkeypatch.setattr(recipes, "JUDGED", 32)
    recipe = BlinkRecipe(
        shards=shards, preset="small", epochs=2, batch_size=32, holdout=0.5, device="cpu"
    )
    whole, cut = tmp_path / "whole", tmp_path / "cut"

    def stop(step: Step) -> None:
        if (step.epoch, step.step) == (1, 2) and not step.validation:
            os.kill(os.getpid(), signal.SIGTERM)

    best = train_blink_gan(recipe, whole)
    with pytest.raises(Stopped):
        train_blink_gan(recipe, cut, on_step=stop)
    assert train_blink_gan(recipe, cut, resume=True) == best
    one, other = (load_checkpoint(folder / "last.pt")["model"] for folder in (whole, cut))
    for name, value in one["network"].items():
        assert torch.equal(value, other["network"][name]), name


def test_the_command_trains_from_shards(
    shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a split, a share of everyone's time held out; what comes out can be used."""
    monkeypatch.setattr(recipes, "EPOCH_STEPS", 2)
    monkeypatch.setattr(recipes, "JUDGED", 32)
    out = tmp_path / "run"
    words = ["train", "blink-gan", "--shards", str(shards), "--out", str(out), "--json"]
    words += ["--preset", "small", "--epochs", "1", "--holdout", "0.5", "--device", "cpu"]
    result = CliRunner().invoke(zoo.cli.main, words)
    assert result.exit_code == 0, result.output
    assert {"mmd", "mmd copies", "blink rate", "real blink rate"} <= json.loads(
        result.stdout
    ).keys()
    model = open_model(out / "best.pt", makes="eyes")
    assert model.layout == "mesh-68"
    assert "landmarks" in model.backends
    assert model.rate > 0.1
    assert model.statistics.eye_pcs.shape[1] == 44


def test_a_dataset_of_short_clips_is_refused_in_a_line(tmp_path: Path) -> None:
    shards = write_blinking(tmp_path, num_frames=60)
    words = ["train", "blink-gan", "--shards", str(shards), "--out", str(tmp_path / "run")]
    result = CliRunner().invoke(zoo.cli.main, [*words, "--holdout", "0.5"])
    assert result.exit_code == 1
    assert "no clip has 3 s in which every frame is measured" in result.output
    assert not (tmp_path / "run").exists()
