# ruff: noqa: F401, F811 (fixtures are imported)
"""The alpha of a drawn head: what of a frame is compared, and checkpoints with and without one."""

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.zoo.models.renderer.test_recipe import (
    CPU,
    SIZE,
    change,
    dataset,
    make_maker,
    make_recipe,
    make_task,
    renderer,
    run,
)
from toolkit.errors import ToolkitError
from zoo.data import mattes
from zoo.data.frames import load_render_clips
from zoo.data.mattes import find_matte, surround
from zoo.data.order import Batches
from zoo.models.renderer.batches import ClipFrames, FrameBatch
from zoo.models.renderer.inputs import to_pictures
from zoo.models.renderer.model import TrainedRenderer, open_renderer
from zoo.models.renderer.networks import create_generator
from zoo.models.renderer.recipe import train_renderer
from zoo.speaking.reenact import draw_clip
from zoo.training.checkpoint import load_checkpoint, save_checkpoint

# --- what is compared ---------------------------------------------------------------------------


def test_colours_are_compared_on_the_person_and_softly_less_up_to_12_px_beside_them() -> None:
    """At 256 px: wholly up to 4 px beside the matte, then falling to nothing at 13."""
    matte = np.zeros((256, 256), np.float32)
    matte[:, 100:] = 1
    row = surround(matte)[128]
    expected = np.concatenate([np.zeros(88), np.arange(1, 9) / 9, np.ones(160)])
    np.testing.assert_allclose(row, expected, atol=1e-5)


def test_away_from_the_person_nothing_is_to_be_learnt() -> None:
    """A gradient of the prediction counts by its nearness, and not outside of the picture."""
    near = torch.tensor([[[[1.0, 0.25], [0.0, 1.0]]]])
    inside = torch.tensor([[[[True, True], [True, False]]]])
    pred = torch.full((1, 3, 2, 2), 0.5, requires_grad=True)
    target = torch.zeros(1, 3, 2, 2)
    batch = FrameBatch(torch.zeros(1, 1, 2, 2), target, inside, near, near)
    shown = batch.hide_rest(pred)
    assert shown[0, 0].tolist() == [[0.5, 0.125], [0, 0]]
    shown.sum().backward()
    assert pred.grad is not None
    assert pred.grad[0, 0].tolist() == [[1, 0.25], [0, 0]]


def test_a_frame_in_which_no_person_is_seen_is_compared_as_a_whole() -> None:
    matte = find_matte(np.full((64, 64, 3), 120, np.uint8))
    assert (matte == 1).all()
    assert (surround(matte) == 1).all()


def test_workers_measure_the_same_mattes(
    dataset: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each batch has the mattes of its frames, here a ramp of each frame's own brightness."""
    monkeypatch.setattr(
        mattes,
        "measure_matte",
        lambda picture: np.linspace(0, picture[0, 0, 0] / 255, SIZE, dtype=np.float32)[None]
        .repeat(SIZE, 0),
    )  # fmt: skip
    clips = load_render_clips(dataset, identity="ann", split="train")
    frames = ClipFrames(clips, make_maker(dataset), with_matte=True)
    order = [np.array([13, 14]), np.array([15])]
    batches = Batches(frames, order)
    for here, there in zip(batches.load(), batches.load(workers=1), strict=True):
        assert here.matte is not None and there.matte is not None
        assert here.near is not None and there.near is not None
        assert torch.equal(here.matte, there.matte)
        assert torch.equal(here.near, there.near)
        levels = (here.target[:, 0, 0, 0] + 1) / 2
        torch.testing.assert_close(here.matte[:, 0, 5, -1], levels)
        assert here.near.shape == here.matte.shape == (len(here), 1, SIZE, SIZE)
    assert ClipFrames(clips, make_maker(dataset)).gather(order[0]).matte is None


def test_where_no_person_is_the_alpha_alone_learns(
    dataset: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The matte is 1 in one corner: away from it the alpha learns, and nothing else does."""
    corner = np.zeros((SIZE, SIZE), np.float32)
    corner[0, 0] = 1
    monkeypatch.setattr(mattes, "measure_matte", lambda picture: corner)
    task = make_task(make_recipe(dataset))
    batch = next(task.draw_batches(0, 0))
    assert batch.near is not None
    assert batch.near[0, 0].nonzero().max() <= 4  # reach of 3 of 64 px
    metrics = task.step(batch)
    assert 0 < metrics["loss l1"] < 0.02
    assert 0.3 < metrics["loss alpha"] < 2


# --- checkpoints --------------------------------------------------------------------------------


def test_alphas_are_drawn_behind_the_colours() -> None:
    """Logits 0 and ln 3 are alphas of a half and three quarters."""
    found = torch.tensor([-1.0, 0.0, 1.0, float(np.log(3))]).view(1, 4, 1, 1)
    assert to_pictures(found)[0, 0, 0].tolist() == [0, 128, 255, 191]


def test_a_checkpoint_with_an_alpha_draws_it(
    dataset: Path,
    renderer: TrainedRenderer,
) -> None:
    clip = load_render_clips(dataset, identity="ann", split="val")[0]
    motion = {"expression": clip.expression, "pose": clip.model_pose, "au45": clip.au45}
    assert renderer.has_alpha
    drawn = next(renderer.draw(clip.camera, **motion))
    assert drawn.shape == (SIZE, SIZE, 4)


def make_older(content: dict) -> None:
    """What a checkpoint of a version that drew squares holds."""
    network = create_generator("small", SIZE, alpha=False)
    content["model"].pop("alpha")
    content["model"]["person"].pop("pose_range")
    content["model"]["generator"] = network.state_dict()


def test_a_checkpoint_of_before_draws_squares(
    dataset: Path,
    run: Path,
    tmp_path: Path,
) -> None:
    path = change(run, tmp_path, make_older)
    older = open_renderer(path, CPU)
    clip = load_render_clips(dataset, identity="ann", split="val")[0]
    assert not older.has_alpha
    (first, *_) = draw_clip(older, clip)
    assert first.shape == (SIZE, SIZE, 3)
    with torch.inference_mode():
        expected = to_pictures(older.generator(older.maker.make_of_clip(clip)[0][None]))[0]
    assert np.abs(first.astype(int) - expected).max() <= 1


def test_an_official_checkpoint_draws_squares() -> None:
    with torch.device("meta"):
        network = create_generator("official", SIZE)
        assert network(torch.zeros(1, 30, SIZE, SIZE)).shape == (1, 3, SIZE, SIZE)


def test_a_run_of_before_is_not_gone_on_with(dataset: Path, tmp_path: Path) -> None:
    train_renderer(make_recipe(dataset), tmp_path)
    content = load_checkpoint(tmp_path / "last.pt")
    content["state"].pop("alpha")
    save_checkpoint(tmp_path / "last.pt", content)
    with pytest.raises(ToolkitError, match="without an alpha: train anew"):
        train_renderer(make_recipe(dataset, epochs=2), tmp_path, resume=True)
