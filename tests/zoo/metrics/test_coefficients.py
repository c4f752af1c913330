"""AED, APD, the head's range and speed, and its trace map, by hand."""

import math

import numpy as np
import pytest

from zoo.metrics.coefficients import (
    measure_aed_l1,
    measure_aed_rms,
    measure_apd_l1,
    measure_apd_rms,
    measure_apd_translation,
)
from zoo.metrics.head import draw_trace_map, measure_range, measure_speed


def test_aed_of_one_coefficient_of_sixty_four():
    """2 sd off in one of 64: mean 2/64, root mean square 2/8."""
    real = np.random.default_rng(0).normal(size=(3, 64))
    drawn = real.copy()
    drawn[1, 5] += 2
    np.testing.assert_allclose(measure_aed_l1(drawn, real), [0, 2 / 64, 0], atol=1e-12)
    np.testing.assert_allclose(measure_aed_rms(drawn, real), [0, 0.25, 0], atol=1e-12)


def test_apd_counts_degrees_the_short_way_round_and_translation_apart():
    """Pitch 3°, yaw −6°, roll from 179° to −178°, which is 3°: mean 4, rms √18; 30 mm in z."""
    real = np.radians([[0, 0, 179.0, 0, 0, 0]])
    drawn = np.radians([[3.0, -6, -178, 0, 0, 0]])
    drawn[0, 5] = 30
    assert measure_apd_l1(drawn, real) == pytest.approx(4)
    assert measure_apd_rms(drawn, real) == pytest.approx(math.sqrt(18))
    assert measure_apd_translation(drawn, real) == pytest.approx(10)


def test_what_has_another_shape_is_refused_and_what_is_not_known_is_no_number():
    with pytest.raises(ValueError, match="cannot be compared"):
        measure_aed_l1(np.zeros((3, 64)), np.zeros((2, 64)))
    unknown = np.array([[0.0] * 6, [np.nan] * 6])
    assert np.isnan(measure_apd_l1(unknown, np.zeros((2, 6)))).tolist() == [False, True]


def test_the_range_is_the_mean_of_the_three_angles_ranges_between_percentiles():
    """Yaw from 0° to 100° in 101 frames: 2 % to 98 % is 96°, a third of it is 32°."""
    pose = np.zeros((103, 6))
    pose[:101, 1] = np.radians(np.arange(101))
    pose[101:] = np.nan
    assert measure_range(pose) == pytest.approx(32)
    assert math.isnan(measure_range(np.full((4, 6), np.nan)))


def test_the_speed_is_the_angle_turned_by_in_a_second_whatever_the_axis():
    """1° a frame at 30 frames a second; about two axes at once by the small angle's √2."""
    pose = np.zeros((5, 6))
    pose[:, 2] = np.radians(np.arange(5))
    assert measure_speed(pose, 30) == pytest.approx(30)
    pose[:, 2] = 0
    pose[:, 0] = pose[:, 1] = np.radians(0.01 * np.arange(5))
    assert measure_speed(pose, 25) == pytest.approx(25 * 0.01 * math.sqrt(2), rel=1e-6)


def test_the_speed_leaves_out_steps_from_or_to_frames_without_a_pose():
    pose = np.zeros((5, 6))
    pose[:, 1] = np.radians([0, 2, 90, 4, 6])
    pose[2] = np.nan
    assert measure_speed(pose, 10) == pytest.approx(20)
    assert math.isnan(measure_speed(pose[1:4], 10))


def make_face(x, y):
    """(68, 2) points on a circle of 20 px."""
    angle = np.linspace(0, 2 * np.pi, 68)
    return np.stack([x + 20 * np.cos(angle), y + 20 * np.sin(angle)], axis=1)


def test_a_resting_head_draws_one_face_and_a_moving_one_a_swarm():
    """Four places draw four times the ink; a frame without a face draws none."""
    white = 3 * 255 * 200 * 200

    def ink(points):
        return white - draw_trace_map(np.array(points), 200).astype(int).sum()

    rest = ink([make_face(50, 50)] * 2)
    moved = ink([make_face(x, y) for x in (50, 150) for y in (50, 150)])
    assert 0 < 3 * rest < moved
    assert ink([np.full((68, 2), np.nan)]) == 0


def test_early_traces_are_blue_and_late_ones_yellow_green():
    picture = draw_trace_map(np.array([make_face(50, 50), make_face(150, 150)]), 200)
    left, right = picture[:, :100].astype(int), picture[:, 100:].astype(int)
    early, late = (half[half.sum(axis=2).argmin() // 100, half.sum(axis=2).argmin() % 100]
                   for half in (left, right))  # fmt: skip
    assert early[2] > early[1]
    assert late[1] > late[2]
