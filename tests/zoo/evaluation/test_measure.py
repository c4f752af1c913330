"""Metrics of a video beside a real one: alignment, sizes, equal pictures, what is missing."""

import math

import numpy as np
import pytest

from tests.zoo.evaluation.shown import GivenVideo, make_grey
from zoo.evaluation.measure import measure_video
from zoo.evaluation.tracked import resize
from zoo.evaluation.view import View
from zoo.metrics.sharpness import measure_cpbd
from zoo.metrics.table import find_metric


def measure(shown, real, *names, **view):
    size = (real or shown).video.size
    return measure_video(shown, real, View(size=size, **view), [find_metric(n) for n in names])


def test_squared_errors_are_exact():
    shown, real = GivenVideo([make_grey(255, 700)]), GivenVideo([make_grey(0, 700)])
    found = measure(shown, real, "psnr.mean", "psnr.pooled")
    assert found.values == {"psnr.mean": 0.0, "psnr.pooled": 0.0}


def test_equal_pictures_count_in_the_pooled_psnr_alone():
    real = GivenVideo([make_grey(0)] * 4)
    shown = GivenVideo([make_grey(level) for level in (0, 51, 51, 0)])
    found = measure(shown, real, "psnr.mean", "psnr.pooled")
    assert found.values["psnr.mean"] == pytest.approx(20 * math.log10(5))
    assert found.values["psnr.pooled"] == pytest.approx(20 * math.log10(5) + 10 * math.log10(2))


def test_equal_videos_have_an_infinite_psnr():
    found = measure(GivenVideo([make_grey(9)] * 2), GivenVideo([make_grey(9)] * 2), "psnr.mean")
    assert found.values == {"psnr.mean": math.inf}


def test_frames_stand_beside_those_of_the_same_time():
    real = GivenVideo([make_grey(10 * k) for k in range(6)])
    shown = GivenVideo([make_grey(10 * k) for k in range(2, 9)], first=2)
    found = measure(shown, real, "psnr.mean")
    assert (found.num_frames, found.values) == (4, {"psnr.mean": math.inf})
    assert shown.calibrated == real.calibrated == (2, 6)


def test_videos_that_share_no_moment_are_refused():
    with pytest.raises(ValueError, match="share no moment"):
        measure(GivenVideo([make_grey(0)], first=3), GivenVideo([make_grey(0)]), "psnr.mean")


def test_sharpness_is_of_the_videos_own_pixels_and_likeness_of_the_real_ones():
    rng = np.random.default_rng(0)
    small = np.repeat(rng.integers(0, 256, (32, 32, 3), np.uint8), 4, axis=0).repeat(4, axis=1)
    large = small.repeat(4, axis=0).repeat(4, axis=1)
    found = measure(GivenVideo([small]), GivenVideo([large]), "cpbd", "ssim.gaussian")
    assert found.values["cpbd"] == measure_cpbd(small)
    assert measure_cpbd(resize(small, (512, 512))) < measure_cpbd(small)
    assert found.values["ssim.gaussian"] < 1
    (note,) = found.notes
    assert note.startswith(
        "128×128 px, resized to the real video's 512×512 px to be compared; CPBD"
    )


def test_the_face_is_cut_out_in_the_same_place_of_every_size():
    rng = np.random.default_rng(1)
    picture = rng.integers(0, 256, (128, 128, 3), np.uint8)
    view = View(size=(256, 256), crop=(64, 32, 256, 224))
    np.testing.assert_array_equal(view.show_own(picture), picture[16:112, 32:128])
    assert view.show(picture).shape == (256, 256, 3)
    beyond = View(size=(128, 128), crop=(-10, 0, 90, 100)).show_own(picture)
    np.testing.assert_array_equal(beyond[:, 10:], picture[:100, :90])
    np.testing.assert_array_equal(beyond[:, 0], picture[:100, 0])


def test_landmarks_are_put_into_the_pixels_that_are_measured():
    points = np.full((1, 478, 3), 50, np.float32)
    view = View(size=(200, 200), crop=(40, 60, 140, 160))
    np.testing.assert_allclose(view.place(points, (100, 100))[0, 0], [153.6, 102.4, 256], rtol=1e-6)


def test_long_videos_are_averaged_over_the_frames_that_have_a_value():
    """61 s are two stretches of 915 frames: 0 px, then 4 px in every third frame."""
    points = np.zeros((1830, 478, 3), np.float32)
    moved = points.copy()
    moved[915:, :, 0] = np.where(np.arange(915) % 3 == 0, 4, np.nan)[:, None]
    shown, real = (GivenVideo([make_grey(0)] * 1830, {"landmarks": p}) for p in (moved, points))
    found = measure(shown, real, "landmark_distance.mouth")
    assert found.values["landmark_distance.mouth"] == pytest.approx(4 * 305 / (915 + 305))


def test_what_cannot_be_measured_says_why():
    shown, real = GivenVideo([make_grey(0)]), GivenVideo([make_grey(9)])
    found = measure(shown, real, "lmd.mouth", "mouth_sound.lag")
    assert found.missing == {
        "lmd.mouth": "the video shows no face", "mouth_sound.lag": "the video shows no face",
    }  # fmt: skip
    shown = GivenVideo([make_grey(0)], {"landmarks": np.zeros((1, 478, 3))})
    found = measure(shown, None, "lmd.mouth", "mouth_sound.lag")
    assert found.missing["lmd.mouth"] == "needs the real video: --real"
    assert found.missing["mouth_sound.lag"] == "the video has no sound: it has no sound"


def test_a_face_or_sound_that_the_real_video_alone_has_is_said():
    real = GivenVideo([make_grey(0)], {"landmarks": np.zeros((1, 478, 3))}, silence="")
    shown = GivenVideo([make_grey(9)], silence="it has no sound track")
    found = measure(shown, real, "psnr.mean")
    assert found.notes == ["shows no face", "has no sound: it has no sound track"]


def test_blinks_are_kept_for_fig_9_by_the_definitions_that_are_measured():
    au45 = np.zeros(270)  # 9 s: two whole stretches of 4 s
    for start in (30, 60, 130):
        au45[start : start + 5] = [2, 4, 4, 4, 2]
    shown = GivenVideo([make_grey(0)] * 270, {"au45": au45, "ear": np.full((270, 2), 0.3)})
    found = measure(shown, None, "blinks.rate.half", "cpbd")
    assert set(found.blinks) == {"half"}
    assert found.blinks["half"].counts == [2, 1]
    assert found.blinks["half"].durations == pytest.approx([5 / 30] * 3)
