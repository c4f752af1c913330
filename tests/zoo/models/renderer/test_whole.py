# ruff: noqa: F401, F811 (fixtures are imported)
"""Renderers of whole frames: what they learn from, what their checkpoints say, what they refuse."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tests import datasets
from tests.datasets import write_dataset
from tests.zoo.models.renderer.test_alpha import make_older
from tests.zoo.models.renderer.test_recipe import (
    CPU,
    SIZE,
    _no_weights,
    change,
    dataset,
    make_clip,
    make_recipe,
    make_task,
    name_face_model,
    refuse,
    run,
)
from toolkit.errors import ToolkitError
from toolkit.facemodel.model import DEFAULT_PATH
from toolkit.storage import hash_file
from zoo.data.frames import load_render_clips
from zoo.models.renderer.model import TrainedRenderer, open_renderer
from zoo.models.renderer.networks import create_generator
from zoo.models.renderer.recipe import train_renderer
from zoo.speaking.reenact import draw_clip
from zoo.training.checkpoint import load_checkpoint

SQUARE = (80, 0, 560, 480)
"""The largest of the picture of 640 × 480 that generated clips are of."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset whose frames are the picture's largest square."""
    folder = tmp_path_factory.mktemp("whole") / "data"
    clip = make_clip("a", 40)
    clip.arrays["face/model_pose"][:, 3:5] += (323, 226)  # to the middle
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets, "CROP", SQUARE)
        write_dataset(folder, {"j": [clip]}, frame_size=SIZE)
    name_face_model(folder, hash_file(DEFAULT_PATH))
    return folder


@pytest.fixture(scope="module")
def whole_run(whole: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one epoch that draws whole frames."""
    out = tmp_path_factory.mktemp("whole-run")
    train_renderer(make_recipe(whole, background="full", holdout=0.25), out)
    return out


@pytest.fixture(scope="module")
def renderer(whole_run: Path) -> TrainedRenderer:
    """What it learnt."""
    return open_renderer(whole_run / "best.pt", CPU)


# --- what it learns from ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("crop", "picture", "is_whole"),
    [
        ((80, 0, 560, 480), (640, 480), True),
        ((0, 0, 480, 480), (640, 481), True),  # even pixels
        ((80, 0, 558, 478), (640, 480), False),
        ((-10, -20, 510, 500), (640, 480), True),  # and more
        ((0, 600, 1080, 1680), (1080, 1920), True),
    ],
)
def test_a_clip_is_whole_whose_crop_is_as_wide_as_its_pictures_shorter_side(
    dataset: Path, crop: tuple[int, ...], picture: tuple[int, int], is_whole: bool
) -> None:
    clip = load_render_clips(dataset, identity="ann", split="val")[0]
    intrinsics = (500, 500, picture[0] / 2, picture[1] / 2)
    stored = SimpleNamespace(crop=crop, intrinsics=intrinsics)
    assert replace(clip, reader=SimpleNamespace(clips=[stored]), index=0).is_whole is is_whole


def test_all_of_a_whole_frame_is_compared_and_no_matte_is_measured(whole: Path) -> None:
    task = make_task(make_recipe(whole, background="full", holdout=0.25))
    batch = next(task.draw_batches(0, 0))
    assert batch.matte is None and batch.near is None and batch.inside is None
    pred = torch.zeros_like(batch.target)
    assert batch.hide_rest(pred) is pred
    assert "loss alpha" not in task.step(batch)


def test_crops_of_heads_are_refused_in_one_line(dataset: Path) -> None:
    line = refuse(dataset, "--identity", "ann", "--background", "full", "--perceptual", "random")
    assert "a crop is stored of it, and no whole frames: run ttk ingest with --crop picture" in line


@pytest.mark.parametrize("size", [256, 512])
@pytest.mark.parametrize("preset", ["paper", "small", "official"])
def test_every_preset_draws_whole_frames_of_256_and_512_px(preset: str, size: int) -> None:
    channels = 30 if preset == "official" else 40
    with torch.device("meta"):
        network = create_generator(preset, size, alpha=False)
        assert network(torch.zeros(1, channels, size, size)).shape == (1, 3, size, size)


# --- checkpoints --------------------------------------------------------------------------------


def test_a_checkpoint_says_that_it_draws_whole_frames(
    whole: Path, dataset: Path, renderer: TrainedRenderer
) -> None:
    assert renderer.whole_frames
    assert not renderer.has_alpha
    (clip,) = load_render_clips(whole, identity="ann")
    renderer.check_clip(clip)
    assert next(draw_clip(renderer, clip)).shape == (SIZE, SIZE, 3)
    crops = load_render_clips(dataset, identity="ann", split="val")[0]
    with pytest.raises(ToolkitError, match=f"clip {crops.id}: a crop is stored of it"):
        renderer.check_clip(crops)


def test_one_of_heads_and_one_of_before_draw_no_whole_frames(run: Path, tmp_path: Path) -> None:
    assert not open_renderer(run / "best.pt", CPU).whole_frames
    older = change(run, tmp_path, lambda content: content["model"].pop("whole_frames"))
    assert not open_renderer(older, CPU).whole_frames
    squares = change(run, tmp_path, make_older)
    assert not open_renderer(squares, CPU).whole_frames


def test_a_renderer_of_heads_draws_them_of_whole_frames_too(whole: Path, run: Path) -> None:
    (clip,) = load_render_clips(whole, identity="ann")
    open_renderer(run / "best.pt", CPU).check_clip(clip)


def test_whole_frames_begin_with_whole_frames_alone(
    whole: Path, dataset: Path, run: Path, whole_run: Path
) -> None:
    known = {"holdout": 0.25}
    task = make_task(make_recipe(whole, background="full", **known))
    task.begin_with(whole_run / "best.pt")
    with pytest.raises(ToolkitError, match="whole frames no, not yes: begin with another"):
        task.begin_with(run / "best.pt")
    with pytest.raises(ToolkitError, match="whole frames yes, not no: begin with another"):
        make_task(make_recipe(dataset)).begin_with(whole_run / "best.pt")


def test_a_run_goes_on_with_the_background_that_it_began_with(
    whole: Path, whole_run: Path, tmp_path: Path
) -> None:
    for name in ("last.pt", "recipe.json"):
        (tmp_path / name).write_bytes((whole_run / name).read_bytes())
    with pytest.raises(ToolkitError, match=r"another background \('full'\)"):
        train_renderer(make_recipe(whole, holdout=0.25, epochs=2), tmp_path, resume=True)
    recipe = make_recipe(whole, background="full", holdout=0.25, epochs=2)
    train_renderer(recipe, tmp_path, resume=True)
    assert load_checkpoint(tmp_path / "last.pt")["epoch"] == 2


def test_outside_of_its_picture_a_whole_frame_is_black(
    whole: Path, renderer: TrainedRenderer
) -> None:
    """Where a person wanders through a wide picture their square goes beyond it."""
    (clip,) = load_render_clips(whole, identity="ann")
    inside = np.ones((SIZE, SIZE), bool)
    inside[:5] = False
    shown = next(draw_clip(renderer, replace(clip, inside=inside)))
    assert not shown[:5].any()
    np.testing.assert_array_equal(shown[5:], next(draw_clip(renderer, clip))[5:])
    assert shown[5:].any()
