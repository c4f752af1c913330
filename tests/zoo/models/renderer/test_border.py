"""What lies outside the source's picture is repeated border: the renderer does not learn it."""

from pathlib import Path

import h5py
import numpy as np
import torch

from tests.datasets import write_dataset
from tests.zoo.models.renderer.test_recipe import SIZE, make_clip, name_face_model
from toolkit.facemodel.model import DEFAULT_PATH, load_default
from toolkit.storage import hash_file
from zoo.data.frames import find_inside, load_render_clips
from zoo.graphics.eyes import EMBEDDED_THRESHOLD
from zoo.models.renderer.batches import ClipFrames, FrameBatch
from zoo.models.renderer.inputs import WindowMaker
from zoo.models.renderer.person import fit_person


def test_pixels_inside_are_those_whose_middle_lies_in_the_picture() -> None:
    """Crop of 100 px from −25, at 4 px: middles at −12.5, 12.5, 37.5, 62.5; picture 60 × 1000."""
    inside = find_inside((-25, 0, 75, 100), (500, 500, 30, 500), 4)
    assert inside is not None
    np.testing.assert_array_equal(inside, [[False, True, True, False]] * 4)


def test_a_crop_within_the_picture_and_one_of_no_picture_have_no_mask() -> None:
    assert find_inside((0, 0, 100, 100), (500, 500, 50, 50), 8) is None
    assert find_inside((0, 0, 256, 256), (1, 1, 0, 0), 8) is None


def test_outside_nothing_is_to_be_learnt_and_inside_all_is() -> None:
    inside = torch.tensor([[[[True, False], [True, True]]]])
    pred = torch.full((1, 3, 2, 2), 0.5, requires_grad=True)
    batch = FrameBatch(torch.zeros(1, 1, 2, 2), torch.zeros(1, 3, 2, 2), inside)
    batch.hide_rest(pred).abs().sum().backward()
    assert pred.grad is not None
    assert pred.grad[0].tolist() == [[[1, 0], [1, 1]]] * 3
    whole = FrameBatch(batch.window, batch.target)
    assert whole.hide_rest(pred) is pred


def test_the_mask_comes_from_the_shard_s_crop_and_camera(tmp_path: Path) -> None:
    """The crop is x 1 to 101, y 2 to 102; a picture 61 px wide holds 60 of its 100 columns."""
    write_dataset(tmp_path, {"j": [make_clip("a", 4), make_clip("bb", 4)]}, frame_size=SIZE)
    name_face_model(tmp_path, hash_file(DEFAULT_PATH))
    for path in (tmp_path / "shards").glob("*.h5"):
        with h5py.File(path, "r+") as file:
            file["clips/intrinsics"][0, 2] = 30.5
    clips = load_render_clips(tmp_path, identity="ann")
    maker = WindowMaker.of_person(
        fit_person(clips), load_default(), EMBEDDED_THRESHOLD, preset="small", without=""
    )
    frames = ClipFrames(clips, maker)
    batch = frames.gather(np.array([0, len(frames) - 1]))
    assert batch.inside is not None and batch.inside.shape == (2, 1, SIZE, SIZE)
    columns = batch.inside[0, 0].float().mean(0)
    assert columns.tolist() == [1] * 38 + [0] * 26  # middles at 1 + (k + 0.5) · 100 / 64 < 61
    assert batch.inside[1].all()
    assert frames.gather(np.array([len(frames) - 1])).inside is None
