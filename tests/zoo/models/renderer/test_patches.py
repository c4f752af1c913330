# ruff: noqa: F401, F811 (fixtures are imported)
"""Mouth and eyes by themselves: where they are, what is cut, what judges it, and checkpoints."""

from dataclasses import replace
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
from toolkit.facemodel.camera import project
from toolkit.facemodel.model import load_default
from zoo.data.crop_camera import CropCamera
from zoo.data.frames import load_render_clips
from zoo.data.order import Batches
from zoo.graphics.render import FaceRenderer
from zoo.graphics.surface import Surface
from zoo.models.renderer.batches import ClipFrames
from zoo.models.renderer.losses import LossWeights
from zoo.models.renderer.model import TrainedRenderer, open_renderer
from zoo.models.renderer.patches import create_patch_discriminators, cut_patches
from zoo.models.renderer.regions import place_regions
from zoo.training.checkpoint import load_checkpoint

MODEL = load_default()
CAMERA = CropCamera(intrinsics=(600.0, 600.0, 128.0, 128.0), size=256)


def make_surface() -> Surface:
    """The mean face in white light."""
    return Surface.of_model(
        MODEL, identity=np.zeros(80), texture=np.zeros(80), illumination=np.zeros(27)
    )


def place(*poses: tuple[float, ...], expression: np.ndarray | None = None) -> np.ndarray:
    """Regions of a head under poses (n, 6)."""
    if expression is None:
        expression = np.zeros((len(poses), 64))
    surface = make_surface()
    return place_regions(
        surface, CAMERA, MODEL.keypoints, expression=expression, pose=np.array(poses)
    )


# --- where they are -----------------------------------------------------------------------------


def test_squares_have_the_size_of_their_mm_at_the_depth_of_their_middle() -> None:
    """At 600 mm and 600 px of focal length 1 mm is about 1 px; twice as far, half of it."""
    near, far = place((0, 0, 0, 0, 0, 600), (0, 0, 0, 0, 0, 1200))
    for regions, scale in ((near, 1.0), (far, 0.5)):
        sides = regions[:, 2:] - regions[:, :2]
        np.testing.assert_allclose(
            sides, scale * np.array([[70] * 2, [44] * 2, [44] * 2]), rtol=0.04
        )
    mouth, right, left = (near[:, :2] + near[:, 2:]) / 2 - 128
    assert mouth[0] == pytest.approx(0, abs=1)
    assert mouth[1] > 20  # below the middle of the head; the eyes are above it
    np.testing.assert_allclose(right * [-1, 1], left, atol=1)
    assert right[0] < -20 > right[1]  # the subject's right is on the left of the picture


@pytest.mark.parametrize("turn", [(0, 0, 0), (0.3, 0, 0), (0, 0.5, 0), (0, -0.5, 0.4)])
def test_regions_hold_the_lips_and_all_of_the_eye_attention_map(
    turn: tuple[float, float, float],
) -> None:
    """However the head is turned, with an expression of its own."""
    expression = np.random.default_rng(0).normal(0, 1, (1, 64))
    pose = np.array([(*turn, 3, -4, 600)])
    mouth, *eyes = place(*map(tuple, pose), expression=expression)[0]
    painted = FaceRenderer(make_surface(), CAMERA).render(expression, pose)[0, ..., 3].numpy() > 0
    rows, columns = painted.nonzero()
    inside = np.zeros(len(rows), bool)
    for x0, y0, x1, y1 in eyes:
        inside |= (columns + 0.5 > x0) & (columns + 0.5 < x1) & (rows + 0.5 > y0) & (rows < y1)
    assert len(rows) > 200
    assert inside.all()
    surface = make_surface()
    points = (surface.shape + expression[0] @ surface.expression).reshape(-1, 3)
    lips = project(points[MODEL.keypoints[48:68]], pose[0], CAMERA.intrinsics)
    assert (lips > mouth[:2]).all() and (lips < mouth[2:]).all()


# --- what is cut --------------------------------------------------------------------------------


def test_a_region_on_whole_pixels_is_cut_as_it_is_and_the_right_eye_is_mirrored() -> None:
    """Of a picture of 32 px a mouth has 8 and an eye 4."""
    picture = torch.rand(1, 2, 32, 32)
    regions = torch.tensor([[[3.0, 20, 11, 28], [5, 6, 9, 10], [20, 6, 24, 10]]])
    found = cut_patches(picture, regions)
    torch.testing.assert_close(found["mouth"], picture[:, :, 20:28, 3:11])
    torch.testing.assert_close(found["eyes"][0], picture[0, :, 6:10, 5:9].flip(-1))
    torch.testing.assert_close(found["eyes"][1], picture[0, :, 6:10, 20:24])


def test_beyond_a_picture_its_border_is_repeated() -> None:
    picture = torch.arange(32.0).expand(1, 1, 32, 32)
    regions = torch.tensor([[[28.0, 0, 36, 8], [0, 0, 4, 4], [-8, -8, -4, -4]]])
    found = cut_patches(picture, regions)
    assert found["mouth"][0, 0, 0].tolist() == pytest.approx([28, 29, 30, 31, 31, 31, 31, 31])
    assert not found["eyes"][1].any()


def test_gradients_reach_the_regions_of_a_picture_alone() -> None:
    picture = torch.rand(2, 3, 32, 32, requires_grad=True)
    regions = torch.tensor([[[3.0, 20, 11, 28], [5, 6, 9, 10], [20, 6, 24, 10]]]).repeat(2, 1, 1)
    sum(patch.sum() for patch in cut_patches(picture, regions).values()).backward()
    assert picture.grad is not None
    expected = torch.zeros(32, 32)
    for x0, y0, x1, y1 in regions[0].int().tolist():
        expected[y0:y1, x0:x1] += 1
    torch.testing.assert_close(picture.grad, expected.expand(2, 3, 32, 32))


def test_batches_have_the_regions_of_their_frames_in_workers_as_well(dataset: Path) -> None:
    (clip,) = load_render_clips(dataset, identity="ann", split="train")
    maker = make_maker(dataset)
    order = [np.array([0, 3]), np.array([7])]  # of 24 frames every fourth was not measured
    batches = Batches(ClipFrames([clip], maker, with_regions=True), order)
    expected = maker.place_regions(clip)
    for workers in (0, 1):
        first, second = batches.load(workers=workers)
        assert first.regions is not None and second.regions is not None
        np.testing.assert_array_equal(first.regions, expected[[1, 5]])
        np.testing.assert_array_equal(second.regions, expected[[10]])
    assert ClipFrames([clip], maker).gather(order[0]).regions is None


# --- what judges --------------------------------------------------------------------------------


def test_the_official_preset_judges_whole_frames_alone() -> None:
    assert not len(create_patch_discriminators("official"))
    assert set(create_patch_discriminators("small")) == {"mouth", "eyes"}


def test_each_patch_counts_as_eq_10_without_its_perceptual_term() -> None:
    terms = {name: torch.tensor(0.0) for name in ("adversarial", "feature_matching", "l1")}
    terms |= {"perceptual": torch.tensor(0.1)}
    terms |= {"adversarial mouth": torch.tensor(1.0), "feature_matching mouth": torch.tensor(0.5)}
    terms |= {"l1 mouth": torch.tensor(0.02)}
    assert LossWeights().sum(terms).item() == pytest.approx(1 + 1.0 * (1 + 2 * 0.5 + 50 * 0.02))
    terms |= {f"{name} eyes": terms[f"{name} mouth"] for name in ("adversarial", "l1")}
    terms |= {"feature_matching eyes": torch.tensor(0.0)}
    assert LossWeights().sum(terms).item() == pytest.approx(4 + 1.0 * (1 + 50 * 0.02))


def test_a_step_trains_the_discriminators_of_mouth_and_eyes_by_what_is_cut(dataset: Path) -> None:
    """And what is drawn elsewhere reaches none of their losses."""
    task = make_task(make_recipe(dataset))
    before = {name: value.clone() for name, value in task.state_dict()["patches"].items()}
    batch = next(task.draw_batches(0, 0))
    metrics = task.step(batch)
    after = task.state_dict()["patches"]
    for part in ("mouth", "eyes"):
        assert any(not torch.equal(before[k], after[k]) for k in before if k.startswith(part))
        names = ("discriminator", "adversarial", "feature_matching", "l1")
        assert all(metrics[f"loss {name} {part}"] > 0 for name in names)


def test_a_patch_of_which_nothing_is_picture_has_no_error(dataset: Path) -> None:
    task = make_task(make_recipe(dataset))
    batch = next(task.draw_batches(0, 0))
    nowhere = torch.zeros(1, 1, SIZE, SIZE, dtype=torch.bool)
    metrics = task.step(replace(batch, inside=nowhere))
    parts = ("mouth", "eyes")
    assert not any(metrics[f"loss {n} {p}"] for n in ("l1", "feature_matching") for p in parts)


# --- checkpoints --------------------------------------------------------------------------------


def test_a_run_begins_with_the_judges_of_mouth_and_eyes_of_its_base(
    dataset: Path, run: Path, tmp_path: Path
) -> None:
    begun = make_task(make_recipe(dataset, seed=1))
    base = load_checkpoint(run / "best.pt", "renderer")["model"]["patches"]
    begun.begin_with(run / "best.pt")
    assert all(torch.equal(begun.export()["patches"][name], base[name]) for name in base)
    older = change(run, tmp_path, lambda content: content["model"].pop("patches"))
    fresh = make_task(make_recipe(dataset, seed=1))
    first = fresh.export()["patches"]
    fresh.begin_with(older)
    assert all(torch.equal(fresh.export()["patches"][name], first[name]) for name in first)


def test_a_checkpoint_without_patches_draws(run: Path, tmp_path: Path) -> None:
    path = change(run, tmp_path, lambda content: content["model"].pop("patches"))
    assert open_renderer(path, CPU).identity == "ann"


def test_a_run_begun_without_patches_is_not_gone_on_with(dataset: Path) -> None:
    task = make_task(make_recipe(dataset))
    state = task.state_dict()
    task.load_state_dict(state)
    state.pop("patches")
    with pytest.raises(ToolkitError, match="mouth and eyes by themselves: train anew"):
        task.load_state_dict(state)
