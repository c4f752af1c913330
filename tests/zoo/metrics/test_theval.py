"""THEval's metrics and the mouth beside its sound, by hand."""

import math

import numpy as np
import pytest

from toolkit.mesh import (
    INNER_LOWER_LIP,
    LANDMARKS68,
    OUTER_LOWER_LIP,
    OUTER_UPPER_LIP,
)
from zoo.metrics.mouth_sound import measure_correlation, measure_lag
from zoo.metrics.theval import (
    LIPS,
    measure_eyebrow_dynamics,
    measure_head_motion,
    measure_lip_dynamics,
    measure_lip_gap,
    measure_lip_sync,
    measure_loudness,
    measure_silent_lips,
    score,
)


def make_meshes(num_frames):
    """(n, 478, 3) of a face that rests; 100 px between the outer eye corners, lips shut."""
    points = np.random.default_rng(0).uniform(20, 230, (478, 3))
    points[33], points[263] = (70, 100, 0), (170, 100, 0)
    points[list(LIPS), 1] = 180
    return np.tile(points, (num_frames, 1, 1))


def test_the_lips_are_forty_points():
    assert len(set(LIPS)) == 40


def test_a_lip_point_that_swings_moves_its_39_pairs():
    """All points but one in one place, that one at 10 and 14 px by turns: deviation 2 of 39 pairs.

    Of 780 pairs the mean is 2·39/780 = 0.1; in pictures of 512 × 512 it is half of that.
    """
    meshes = make_meshes(10)
    meshes[:, LIPS] = (100, 180, 0)
    meshes[:, OUTER_LOWER_LIP[4], 0] += np.where(np.arange(10) % 2, 14, 10)
    assert measure_lip_dynamics(meshes, (256, 256)) == pytest.approx(0.1)
    assert measure_lip_dynamics(meshes, (512, 256)) == pytest.approx(0.05)
    meshes[3] = np.nan
    deviation = np.std([10, 14, 10, 10, 14, 10, 14, 10, 14])
    assert measure_lip_dynamics(meshes, (256, 256)) == pytest.approx(deviation / 20)
    assert math.isnan(measure_lip_dynamics(meshes[3:4], (256, 256)))


def test_lips_that_move_with_the_head_have_no_dynamics():
    moved = make_meshes(20) + np.arange(20)[:, None, None]
    assert measure_lip_dynamics(moved, (256, 256)) == pytest.approx(0, abs=1e-9)


def test_a_brow_that_rises_by_a_tenth_of_the_eyes_distance_is_half_of_that_in_the_mean():
    """Right brow 20 px over its eye, from frame 2 on 30 px; the eyes' centres are 100 px apart.

    Steps of the right: 0, 0.1, 0; of the left: 0, 0, 0.
    """
    meshes = make_meshes(4)
    for part, place in ((range(36, 42), (70, 100)), (range(42, 48), (170, 100)),
                        (range(17, 22), (70, 80)), (range(22, 27), (170, 80))):  # fmt: skip
        meshes[:, [LANDMARKS68[k] for k in part], :2] = place
    meshes[2:, [LANDMARKS68[k] for k in range(17, 22)], 1] -= 10
    assert measure_eyebrow_dynamics(meshes) == pytest.approx(0.1 / 6)
    meshes[0] = np.nan
    assert measure_eyebrow_dynamics(meshes) == pytest.approx(0.1 / 4)
    assert math.isnan(measure_eyebrow_dynamics(meshes[:1]))


def open_mouth(meshes, gaps):
    """Lower lip px under the upper one."""
    meshes[:, INNER_LOWER_LIP, 1] += np.asarray(gaps, float)[:, None]
    return meshes


def test_silent_lips_are_judged_in_silences_of_a_third_of_a_second():
    """At 10 frames a second three silent frames are 0.3 s, two are not.

    Gaps 0, 2, 7 px in the long silence: mean 3, deviations 3, 1, 4: median 3 of 100 px.
    """
    meshes = open_mouth(make_meshes(8), [0, 2, 7, 50, 60, 90, 90, 50])
    speech = np.array([0, 0, 0, 1, 1, 0, 0, 1], bool)
    assert measure_lip_gap(meshes)[:3] == pytest.approx([0, 0.02, 0.07])
    assert measure_silent_lips(meshes, speech, 10) == pytest.approx(0.03)
    assert math.isnan(measure_silent_lips(meshes, speech[::-1] | True, 10))


def make_loud(levels, samples_per_frame=1600):
    """int16 sound that has a level in each frame of 0.1 s."""
    return np.repeat(np.asarray(levels) * 1000, samples_per_frame).astype(np.int16)


def test_loudness_is_the_root_mean_square_of_fifty_milliseconds():
    pcm = make_loud([1, 3])
    pcm[1600 : 1600 + 300] = 32767  # within frame 1, outside the 50 ms around its middle
    assert measure_loudness(pcm, 2, 10) == pytest.approx([1000 / 32768, 3000 / 32768])


def test_a_mouth_that_follows_loudness_differs_by_nothing_and_one_against_it_by_its_own():
    """Gaps 0, 5, 10 and loudness 0, 1, 2: nothing; 2, 1, 0: 1, 0, 1, mean 2/3; silence left out."""
    speech = np.array([1, 1, 1, 0], bool)
    meshes = open_mouth(make_meshes(4), [0, 5, 10, 90])
    assert measure_lip_sync(meshes, make_loud([0, 1, 2, 9]), speech, 10) == pytest.approx(0)
    assert measure_lip_sync(meshes, make_loud([2, 1, 0, 9]), speech, 10) == pytest.approx(2 / 3)
    assert math.isnan(measure_lip_sync(meshes, make_loud([1] * 4), speech & False, 10))


def test_head_motion_by_hand():
    """Yaw 0°, 2°, 0°, 2°: deviation 1/3 in the mean; steps 2, −2, 2: variance 32/9 over 3.

    The box's centre goes 4 px to and fro in x alone: variance 4 over 2.
    """
    pose = np.zeros((4, 6))
    pose[:, 1] = np.radians([0, 2, 0, 2])
    meshes = make_meshes(4)
    meshes[1::2, :, 0] += 4
    expected = math.sqrt(1 / 3 * 32 / 27 + 2)
    assert measure_head_motion(pose, meshes, (256, 256)) == pytest.approx(expected)
    assert math.isnan(measure_head_motion(pose[:1], meshes[:1], (256, 256)))


def test_the_score_is_one_less_the_relative_distance_from_the_real_videos():
    assert score(1.5, 2.0) == 0.75
    assert score(2.5, 2.0) == 0.75
    assert score(2.0, 2.0) == 1


def make_speech(num_frames, late):
    """Meshes whose mouth opens with the loudness, so many frames late, and the sound."""
    levels = np.random.default_rng(1).uniform(0, 1, num_frames + 20).round(2)
    sound = np.repeat(levels[10 : 10 + num_frames], 16000 // 25)
    noise = np.random.default_rng(2).choice([-1, 1], len(sound))
    mouth = np.log10(np.square(levels) + 1e-3)
    gaps = 10 * (mouth[10 - late : 10 - late + num_frames] + 3)
    return open_mouth(make_meshes(num_frames), gaps), (3000 * sound * noise).astype(np.int16)


@pytest.mark.parametrize("late", [0, 3, -2])
def test_a_mouth_that_follows_its_sound_correlates_and_its_lag_is_found(late):
    meshes, pcm = make_speech(200, late)
    assert measure_correlation(meshes, pcm, 25) > 0.9
    assert measure_lag(meshes, pcm, 25) == pytest.approx(late / 25)


def test_a_mouth_without_its_own_sound_does_not_follow_it():
    meshes, pcm = make_speech(200, 0)
    assert measure_correlation(meshes, pcm[::-1], 25) < 0.4
    assert math.isnan(measure_lag(meshes, pcm[::-1], 25))
    assert math.isnan(measure_correlation(meshes * np.nan, pcm, 25))
    assert math.isnan(measure_correlation(meshes, pcm[:0], 25))


def test_frames_without_a_face_do_not_spoil_the_correlation():
    meshes, pcm = make_speech(200, 0)
    meshes[50:55] = np.nan
    assert measure_correlation(meshes, pcm, 25) > 0.85


def test_outer_lips_run_from_right_to_left_between_the_corners():
    """As the 68-point view's outer contour has them: 49 to 60 counted from 1."""
    outer = LANDMARKS68[48:60]
    assert [k for k in outer if k in OUTER_UPPER_LIP] == [39, 37, 0, 267, 269]
    assert [k for k in outer if k in OUTER_LOWER_LIP] == [405, 314, 17, 84, 181]
