"""The source's frames below drawn heads: nearest by place, size and roll, played as a video."""

import numpy as np
import pytest

from zoo.data.crop_camera import CropCamera
from zoo.speaking.heads import BLOCK, follow_heads, place_heads

CAMERA = CropCamera(intrinsics=(500, 500, 64, 64), size=128)


def place(x):
    """Heads of one size, without roll, at such x, px."""
    x = np.asarray(x, np.float64)
    return np.stack([x, 0 * x, 0 * x + 50, 0 * x], axis=1)


def test_a_head_is_placed_in_pixels_of_256():
    """At twice the size: focal length 1000; 30 mm to the right and 500 mm away are 60 px.

    Half a head of 100 mm is 200 px high, and at 1000 mm 100: 150 in the mean.
    """
    pose = np.zeros((2, 6))
    pose[:, 3:] = [(30, -20, 500), (0, 0, 1000)]
    pose[0, 2] = 0.1
    expected = [(128 + 60, 128 - 40, 200, 15), (128, 128, 100, 0)]
    np.testing.assert_allclose(place_heads(pose, CAMERA), expected)


def test_a_clips_own_motion_lies_over_its_own_frames():
    own = place(20 * np.sin(np.arange(80) / 5))
    np.testing.assert_array_equal(follow_heads(own, own), np.arange(80))
    np.testing.assert_array_equal(follow_heads(own[30:50], own), np.arange(30, 50))
    np.testing.assert_array_equal(follow_heads(own[50:30:-1], own), np.arange(50, 30, -1))


@pytest.mark.parametrize(("away", "jumps"), [(8, 0), (9, 1)])
def test_a_jump_is_made_where_it_saves_more_than_it_costs(away, jumps):
    """15 frames at one place, 15 at another: 15 · 8² px² are less than a jump's 1000, 15 · 9² more.

    The clip has 40 frames at each, and 900 px off between them; a turn costs 200.
    """
    own = np.concatenate([np.zeros(40), np.full(20, 900), np.full(40, away)])
    drawn = np.repeat([0, away], 15)
    path = follow_heads(place(drawn), place(own))
    assert (np.abs(np.diff(path)) != 1).sum() == jumps
    error = ((own[path] - drawn) ** 2).sum()
    assert error == (0 if jumps else 15 * away**2)


def test_a_long_film_does_not_jump_and_turns_no_more_often_than_it_must():
    """In several blocks; all heads are where the clip's are. 29 steps lie between two turns."""
    num_frames = 2 * BLOCK + 9
    steps = np.diff(follow_heads(place(np.zeros(num_frames)), place(np.zeros(30))))
    assert set(steps) == {-1, 1}
    assert (steps[1:] != steps[:-1]).sum() <= num_frames / 29 + 2


def test_one_frame_lies_below_all_heads():
    assert follow_heads(place(np.arange(4)), place([7])).tolist() == [0] * 4
    assert follow_heads(place([]), place([7, 8])).tolist() == []
