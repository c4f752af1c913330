"""VG-net under training: what moves and when, runs that go on, what comes out and draws."""

import json
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import zoo.cli
from tests.runs import train_killed
from tests.zoo.models.t_gan.people import place_points
from tests.zoo.models.vg_net.talkers import TINY, WINDOW, write_talkers
from toolkit.errors import ToolkitError
from zoo.models.registry import open_model
from zoo.models.vg_net.model import TrainedVGNet, open_vg_net
from zoo.models.vg_net.options import VGNetRecipe
from zoo.models.vg_net.presets import PRESETS
from zoo.models.vg_net.recipe import VGNetTask, choose_clips, train_vg_net
from zoo.training.checkpoint import load_checkpoint, save_checkpoint
from zoo.training.distributed import Distributed


@pytest.fixture(scope="module", autouse=True)
def _tiny() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(PRESETS, "small", TINY)
        yield


@pytest.fixture(scope="module", name="shards")
def _shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_talkers(tmp_path_factory.mktemp("people"))


def make_recipe(shards: Path, **changes: Any) -> VGNetRecipe:
    settings = {"window": WINDOW, "warm_up": 0.5, "device": "cpu"} | changes
    return VGNetRecipe(shards=shards, **settings)


@pytest.fixture(scope="module", name="run")
def _run(shards: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of two epochs, of which the first is the warm-up."""
    out = tmp_path_factory.mktemp("runs") / "vg"
    train_vg_net(make_recipe(shards), out)
    return out


def make_task(recipe: VGNetRecipe) -> VGNetTask:
    return VGNetTask(recipe, *choose_clips(recipe), distributed=Distributed())


def copy_state(task: VGNetTask) -> dict[str, torch.Tensor]:
    return {
        f"{name}.{key}": value.clone()
        for name in ("generator", "discriminator")
        for key, value in task.state_dict()[name].items()
    }


def find_moved(task: VGNetTask, epoch: int) -> tuple[set[str], dict[str, float]]:
    """What a step of an epoch changes, and its figures."""
    before = copy_state(task)
    figures = task.step(next(task.draw_batches(epoch, 0)))
    after = copy_state(task)
    return {name for name in before if not torch.equal(before[name], after[name])}, figures


def is_counter(name: str) -> bool:
    """Or a shift that the norm behind it takes away."""
    return name.endswith(("num_batches_tracked", "bias"))


def test_in_the_warm_up_the_generator_follows_pixels_and_the_discriminator_reads(
    shards: Path,
) -> None:
    task = make_task(make_recipe(shards))
    moved, figures = find_moved(task, 0)
    names = set(copy_state(task))
    still = {name for name in names - moved if not is_counter(name)}
    assert still == {"discriminator.score.weight"}
    assert figures.keys() >= {"loss", "loss pixel", "loss discriminator", "real", "drawn"}
    assert not figures.keys() & {"loss adversarial", "loss landmark"}
    assert figures["items"] == 2 * WINDOW


def test_behind_it_every_weight_moves_by_all_three_terms(shards: Path) -> None:
    task = make_task(make_recipe(shards))
    moved, figures = find_moved(task, 1)
    assert not {name for name in set(copy_state(task)) - moved if not is_counter(name)}
    terms = ("loss pixel", "loss adversarial", "loss landmark")
    assert figures["loss"] == pytest.approx(sum(figures[name] for name in terms), rel=1e-5)


def test_the_discriminators_rate_falls_behind_the_generators_once_it_judges(shards: Path) -> None:
    task = make_task(make_recipe(shards, epochs=4))
    rates = []
    for epoch in range(4):
        task.draw_batches(epoch, 0)
        groups = [
            task.state_dict()["optimisers"][name]["param_groups"][0]["lr"]
            for name in ("generator", "discriminator")
        ]
        rates.append(groups[1] / groups[0])
    assert rates == pytest.approx([1, 1, 0.25, 0.25])


@pytest.mark.parametrize(
    ("ablate", "terms", "networks"),
    [
        ("attention", {"pixel", "adversarial", "landmark"}, {"generator", "discriminator"}),
        ("dynamic", {"pixel", "adversarial", "landmark"}, {"generator", "discriminator"}),
        ("discriminator", {"pixel"}, {"generator"}),
    ],
)
def test_ablations_leave_out_what_they_say(
    shards: Path, tmp_path: Path, ablate: str, terms: set[str], networks: set[str]
) -> None:
    recipe = make_recipe(shards, ablate=ablate, warm_up=0.0, epochs=1)
    moved, figures = find_moved(make_task(recipe), 0)
    found = {name.removeprefix("loss ") for name in figures if name.startswith("loss ")}
    assert found - {"discriminator"} == terms
    assert {name.split(".")[0] for name in moved} == networks
    train_vg_net(recipe, tmp_path / "run")
    frames = list(draw(open_vg_net(tmp_path / "run" / "best.pt"), 2))
    has_alpha = any((frame.alpha != 255).any() for frame in frames)
    assert has_alpha is (ablate != "attention")


def test_the_dynamic_weight_is_in_the_loss(shards: Path) -> None:
    """α is about a half of a new network: half more than β, so that both losses are alike; where
    the head of α is pushed to 0 the pixels count by β alone.
    """
    found = {}
    for ablate in ("", "dynamic"):
        task = make_task(make_recipe(shards, ablate=ablate))
        state = task.state_dict()
        state["generator"]["heads.both.0.bias"][12:] = -30.0
        task.load_state_dict(state)
        found[ablate] = find_moved(task, 0)[1]["loss pixel"]
    assert found[""] == pytest.approx(0.5 * found["dynamic"], rel=1e-5)


def test_a_run_killed_within_an_epoch_ends_with_the_weights_of_an_undisturbed_one(
    shards: Path, run: Path, tmp_path: Path
) -> None:
    train_killed(train_vg_net, make_recipe(shards), tmp_path / "killed", epoch=1, step=2)
    whole, resumed = (
        load_checkpoint(folder / "last.pt")["state"] for folder in (run, tmp_path / "killed")
    )
    for name in ("generator", "discriminator"):
        assert all(torch.equal(whole[name][key], resumed[name][key]) for key in whole[name])


def test_the_log_has_the_picture_left_as_it_is_beside_the_model(run: Path) -> None:
    rows = [line.split(",") for line in (run / "log.csv").read_text().splitlines()]
    names = {row[4] for row in rows if row[0] == "validation"}
    assert names == {"score", "psnr", "score still", "psnr still"}
    still = {row[5] for row in rows if row[4] == "score still"}
    assert len(still) == 1  # the same windows in every epoch
    assert (run / "sheets").is_dir()


def test_an_epoch_of_a_large_dataset_is_as_many_windows_as_the_preset_says(
    shards: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = make_task(make_recipe(shards))
    assert task.count_steps(0) == 3
    monkeypatch.setitem(PRESETS, "small", replace(TINY, epoch_windows=4))
    assert make_task(make_recipe(shards)).count_steps(0) == 2


def test_one_person_is_learnt_with_what_is_held_out_to_choose_by(shards: Path) -> None:
    recipe = make_recipe(shards, identity="person0", holdout=0.3)
    trained, chosen_by = choose_clips(recipe)
    assert {clip.identity for clip in (*trained, *chosen_by)} == {"person0"}
    assert trained[0].stretches == ((0, 9),)
    assert chosen_by[0].part.first == 15


# --- drawing ------------------------------------------------------------------------------------


def draw(model: TrainedVGNet, num_frames: int, scale: float = 1.0) -> Iterator[Any]:
    """Frames of a grey picture."""
    points = np.stack([place_points(k % 5 / 5) for k in range(num_frames + 1)]) * scale
    picture = np.full((128, 128, 3), 120, np.uint8)
    return model.draw(picture, points[0], points[1:])


def test_the_command_trains_and_what_it_learnt_draws(shards: Path, tmp_path: Path) -> None:
    words = ["train", "vg-net", "--shards", shards, "--out", tmp_path / "vg", "--window", WINDOW]
    words += ["--epochs", 1, "--json"]
    result = CliRunner().invoke(zoo.cli.main, [*map(str, words)])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["epoch"] == 0
    model = open_model(tmp_path / "vg" / "best.pt", makes="faces")
    (first, *_, last) = draw(model, 11)
    for frame in (first, last):
        assert frame.frame.shape == frame.motion.shape == (128, 128, 3)
        assert frame.alpha.shape == (128, 128)
        assert {part.dtype for part in frame} == {np.dtype(np.uint8)}
    assert model.trained_on == ("person0", "person2")


def test_a_frame_is_made_of_its_alpha_and_motion(run: Path) -> None:
    for drawn in draw(open_vg_net(run / "best.pt"), 3):
        alpha = drawn.alpha[..., None] / 255
        expected = alpha * drawn.motion + (1 - alpha) * 120
        assert np.abs(drawn.frame - expected).max() <= 2  # three roundings


def test_landmarks_may_be_in_any_unit_and_place(run: Path) -> None:
    model = open_vg_net(run / "best.pt")
    for one, other in zip(draw(model, 3), draw(model, 3, scale=0.01), strict=True):
        assert np.abs(one.frame.astype(int) - other.frame).max() <= 1


def test_pictures_of_any_size_are_framed_with_their_landmarks(run: Path) -> None:
    model = open_vg_net(run / "best.pt")
    points = place_points(0.2) * 4
    framing = model.frame(points)
    picture = framing.cut(np.full((250, 260, 3), 90, np.uint8))
    (drawn,) = model.draw(picture, framing.place.apply(points), framing.place.apply(points[None]))
    assert drawn.frame.shape == picture.shape == (128, 128, 3)


def test_memory_does_not_grow_with_the_frames(run: Path) -> None:
    """300 frames drawn are 34 MB; the peak of what Python and numpy hold stays under 10."""
    frames = draw(open_vg_net(run / "best.pt"), 300)
    next(frames)
    tracemalloc.start()
    assert sum(1 for _ in frames) == 299
    assert tracemalloc.get_traced_memory()[1] < 10e6
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("picture", "landmarks", "message"),
    [
        (np.zeros((64, 64, 3), np.uint8), np.zeros((1, 68, 2)), r"give \(128, 128, 3\) uint8"),
        (np.zeros((128, 128, 3)), np.zeros((1, 68, 2)), r"float64: give \(128, 128, 3\) uint8"),
        (np.zeros((128, 128, 3), np.uint8), np.zeros((68, 2)), r"give \(n, 68, 2\)"),
    ],
)
def test_other_shapes_are_refused(run: Path, picture: Any, landmarks: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        next(open_vg_net(run / "best.pt").draw(picture, place_points(0.0), landmarks))


def test_weights_of_another_version_are_refused(run: Path, tmp_path: Path) -> None:
    content = load_checkpoint(run / "best.pt")
    del content["model"]["generator"]["fuse.0.weight"]
    save_checkpoint(tmp_path / "old.pt", content)
    with pytest.raises(ToolkitError, match="do not fit the small network of this version"):
        open_vg_net(tmp_path / "old.pt")
