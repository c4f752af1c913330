"""How pictures of a clip are measured, of any renderer: by hand-computed cases."""

from types import SimpleNamespace

import numpy as np
import pytest

from zoo.evaluation.videos import find_nearest, look_at, score_landmarks, score_shown


def make_motion(pose, expression, valid=None):
    """A clip in which only the first number of pose and expression changes."""
    n = len(pose)
    motion = SimpleNamespace(
        model_pose=np.zeros((n, 6), np.float32),
        expression=np.zeros((n, 64), np.float32),
        valid=np.ones(n, bool) if valid is None else np.array(valid),
    )
    motion.model_pose[:, 0], motion.expression[:, 0] = pose, expression
    return motion


def make_clip(num_frames, real, inside=None):
    """A clip that shows one picture (64, 64, 3) throughout."""
    return SimpleNamespace(
        num_frames=num_frames,
        camera=SimpleNamespace(size=64),
        inside=inside,
        read_frame=lambda t: real,
    )


def test_pose_and_expression_weigh_alike_however_many_numbers_they_have():
    """Deviations are 1 and 5. From (1.8, 0.5): (0, 0) is 1.8²/6 + 0.1²/64 = 0.54 away, (2, 10)
    0.2²/6 + 1.9²/64 = 0.06; were the numbers added up, the first would be nearer.
    """
    trained = [make_motion([0], [0]), make_motion([2], [10])]
    assert find_nearest(trained, make_motion([1.8, 0.0], [0.5, 1.0])) == [(1, 0), (0, 0)]


def test_a_frame_that_was_not_measured_is_not_shown():
    trained = [make_motion([0, 1, 2], [0, 5, 10], valid=[True, False, True])]
    assert find_nearest(trained, make_motion([1.1], [5.5])) == [(0, 2)]


def test_pictures_are_compared_where_they_are_judged_alone():
    """Frames 2 and 3 are 10 and 30 levels off: 28.1 and 18.6 dB, 20 levels in the mean."""
    real = np.full((64, 64, 3), 100, np.uint8)
    clip = SimpleNamespace(
        num_frames=5, camera=SimpleNamespace(size=64), inside=None, read_frame=lambda t: real
    )
    shown = look_at([real + v for v in np.array([90, 0, 10, 30, 90], np.uint8)], clip, slice(2, 4))
    np.testing.assert_allclose(shown.figures["PSNR"], 20 * np.log10([25.5, 8.5]))
    np.testing.assert_allclose(shown.error, 20)
    assert (shown.meshes.shape, shown.judged.shape) == ((5, 478, 3), (2, 478, 3))
    assert np.isnan(shown.meshes).all()  # grey squares have no face


def test_what_lies_outside_of_the_source_does_not_count():
    """Half of the picture is the border's repetition, 90 levels off; the other half is 10 off.

    The outer half is black in both: the mean square error is half of 10², 31.14 dB.
    """
    real, drawn = np.full((64, 64, 3), 100, np.uint8), np.full((64, 64, 3), 110, np.uint8)
    drawn[:, 32:] = 190
    inside = np.zeros((64, 64), bool)
    inside[:, :32] = True
    shown = look_at([drawn], make_clip(1, real, inside), slice(0, 1))
    np.testing.assert_allclose(shown.figures["PSNR"], 10 * np.log10(255**2 / 50))
    np.testing.assert_allclose(shown.error[:, [0, 63]], [[10, 0]] * 64)


def test_a_method_is_scored_over_the_judged_frames_of_all_clips():
    """Two clips of one judged frame each: 20 and 40 levels off; no picture shows a face."""
    real = np.full((64, 64, 3), 100, np.uint8)
    clip = SimpleNamespace(
        num_frames=1, camera=SimpleNamespace(size=64), inside=None, read_frame=lambda t: real
    )
    shown = [look_at([real + np.uint8(v)], clip, slice(0, 1)) for v in (20, 40)]
    target = [look_at([real], clip, slice(0, 1))] * 2
    row = score_shown(shown, target)
    assert (row["frames"], row["without a face"]) == (2, 0)
    assert row["PSNR, dB"] == pytest.approx(np.mean(20 * np.log10([255 / 20, 255 / 40])))
    assert np.isnan([row["mouth, px"], score_shown(target, target)["PSNR, dB"]]).all()
    assert np.isnan(score_landmarks(shown, target)["mouth, px, heads aligned"])
