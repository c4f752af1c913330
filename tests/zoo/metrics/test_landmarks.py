"""Landmarks of drawn faces beside real ones: LMD, LVD and plain distances by hand."""

import math

import numpy as np
import pytest

from tests.datasets import make_arrays
from toolkit.mesh import LANDMARKS68, NUM_LANDMARKS
from zoo.metrics.landmark_distance import (
    align_meshes,
    find_landmarks,
    measure_face_distance,
    measure_landmark_distance,
    measure_mouth_distance,
)
from zoo.metrics.landmarks import (
    measure_lmd_face,
    measure_lmd_face_share,
    measure_lmd_mouth,
    measure_lmd_mouth68,
    measure_lmd_mouth_share,
    measure_lvd_face,
    measure_lvd_mouth,
    sum_lmd_mouth,
)

LIPS = list(LANDMARKS68[48:])


def flat(level, size=64):
    return np.full((size, size, 3), level, np.uint8)


def make_landmarks(num_frames=3):
    """Landmarks (n, 478, 3) whose eyes' outer corners are 50 px apart in the picture."""
    points = np.abs(make_arrays(num_frames)["face/landmarks"].astype(np.float64)) * 20
    points[:, 33], points[:, 263] = (10, 20, 0), (60, 20, 9)
    return points


def test_distances_of_face_and_mouth_by_hand():
    """All points 3 px right, the lips' also 4 px down: 3 and 5 px, over 50 px; no depth is seen."""
    wanted = make_landmarks()
    found = wanted + np.array([3, 0, 7])
    lips = LIPS
    found[:, lips] += [0, 4, 0]
    measured = measure_landmark_distance(found, wanted)
    num_lips = len(set(lips))
    assert measured.mouth == pytest.approx(5)
    assert measured.mouth_share == pytest.approx(0.1)
    assert measured.face == pytest.approx((3 * (468 - num_lips) + 5 * num_lips) / 468)
    assert measured.face_share == pytest.approx(measured.face / 50)
    assert (measured.num_frames, measured.num_missing, measured.num_unseen) == (3, 0, 0)


def test_frames_without_a_face_are_counted_and_left_out():
    """Frame 0 is drawn 100 px off but real without a face; frame 1 is missing in the drawing."""
    wanted, found = make_landmarks(), make_landmarks() + np.array([1, 0, 0])
    found[0] += 100
    wanted[0], found[1] = np.nan, np.nan
    measured = measure_landmark_distance(found, wanted)
    assert measured.face == pytest.approx(1)
    assert (measured.num_frames, measured.num_missing, measured.num_unseen) == (3, 1, 1)


def test_no_face_at_all_is_no_number():
    wanted = make_landmarks(2)
    measured = measure_landmark_distance(np.full_like(wanted, np.nan), wanted)
    assert math.isnan(measured.face)
    assert math.isnan(measured.mouth_share)
    assert measured.num_missing == 2


def test_landmarks_of_other_shapes_are_refused():
    with pytest.raises(ValueError, match="cannot be compared"):
        measure_landmark_distance(make_landmarks(2), make_landmarks(3))


class CountingMesh:
    """Says that face k is in the k-th picture it is given; in black ones, that there is none."""

    def __init__(self):
        self.calls = []

    def detect(self, picture):
        self.calls.append("detect")
        return self._find(picture)

    def start(self, picture):
        self.calls.append("start")
        return self._find(picture)

    def _find(self, picture):
        level = float(picture[0, 0, 0])
        small, large = np.full((478, 3), level, np.float32), np.full((478, 3), level, np.float32)
        large[0] += 50
        return [small, large] if level else []


def test_a_face_is_started_once_and_again_after_it_was_lost():
    """The larger of two faces counts."""
    mesh = CountingMesh()
    found = find_landmarks([flat(1), flat(2), flat(0), flat(4)], mesh)
    assert found.shape == (4, 478, 3)
    assert mesh.calls == ["start", "detect", "detect", "start"]
    assert np.isnan(found[2]).all()
    assert found[:, 0, 0].tolist()[:2] == [51, 52]
    assert find_landmarks([], mesh).shape == (0, 478, 3)


def test_a_moved_turned_and_scaled_mesh_is_put_back():
    rng = np.random.default_rng(0)
    target = rng.uniform(0, 200, (3, 478, 2))
    angle = np.deg2rad(20)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    pred = 1.3 * target @ turn.T + [12, -40]
    np.testing.assert_allclose(align_meshes(pred, target), target, atol=1e-5)


# --- LMD and LVD --------------------------------------------------------------------------------


def test_a_head_elsewhere_with_the_same_lips_has_no_lmd():
    """5 px to the right: LMD 0, though every landmark is 5 px away."""
    real = make_landmarks()
    drawn = real + np.array([5, 0, 0])
    for measure in (measure_lmd_mouth, sum_lmd_mouth, measure_lmd_face, measure_lmd_face_share):
        np.testing.assert_allclose(measure(drawn, real), 0, atol=1e-12)
    np.testing.assert_allclose(measure_mouth_distance(drawn, real), 5)
    np.testing.assert_allclose(measure_face_distance(drawn, real), 5)


def test_lmd_of_five_lip_points_four_pixels_down_is_one_and_a_half():
    """Their centroid moves by 4·5/20 = 1: five points are 3 away and fifteen 1, mean 30/20.

    Of the 68 points it moves by 4·5/68: (5·(4 − 5/17) + 63·5/17) / 68.
    """
    real = make_landmarks()
    drawn = real + np.array([5, 0, 0])
    drawn[:, LIPS[:5], 1] += 4
    np.testing.assert_allclose(measure_lmd_mouth(drawn, real), [1.5] * 3)
    np.testing.assert_allclose(sum_lmd_mouth(drawn, real), [30] * 3)
    np.testing.assert_allclose(measure_lmd_mouth_share(drawn, real), [1.5 / 50] * 3)
    face = (5 * (4 - 5 / 17) + 63 * 5 / 17) / 68
    np.testing.assert_allclose(measure_lmd_face(drawn, real), [face] * 3)
    np.testing.assert_allclose(measure_lmd_face_share(drawn, real), [face / 50] * 3)
    plain = (15 * 5 + 5 * math.sqrt(41)) / 20
    np.testing.assert_allclose(measure_mouth_distance(drawn, real), [plain] * 3)


def test_lvd_sees_a_lip_that_jumps_and_not_one_that_stays_wrong():
    """The five points are 4 px down from frame 1 on: a step between frames 0 and 1 alone."""
    real = np.tile(make_landmarks(1), (4, 1, 1))
    drawn = real.copy()
    drawn[1:, LIPS[:5], 1] += 4
    np.testing.assert_allclose(measure_lmd_mouth(drawn, real), [0, 1.5, 1.5, 1.5], atol=1e-12)
    np.testing.assert_allclose(measure_lvd_mouth(drawn, real), [np.nan, 1.5, 0, 0], atol=1e-12)
    assert measure_lvd_face(drawn, real)[1] > 0.4


def test_frames_without_a_face_have_no_lmd():
    real, drawn = make_landmarks(), make_landmarks()
    real[0], drawn[2] = np.nan, np.nan
    assert np.isnan(measure_lmd_mouth(drawn, real)).tolist() == [True, False, True]


def test_lmd_of_other_numbers_of_frames_is_refused():
    with pytest.raises(ValueError, match="2 and 3 frames"):
        measure_lmd_mouth(make_landmarks(2), make_landmarks(3))


def test_no_point_of_the_lips_is_there_twice():
    assert len(set(LIPS)) == 20
    assert max(LANDMARKS68) < NUM_LANDMARKS


def test_of_68_points_as_of_meshes_the_lips_lose_their_own_centroid():
    """Ten of the 20 points go 2 to the right: the centroid goes 1, each point is 1 off."""
    real = np.random.default_rng(0).normal(size=(3, 68, 2))
    points = real + np.array([7, -5])
    points[:, 48:58, 0] += 2
    assert measure_lmd_mouth68(points, real) == pytest.approx(np.ones(3))
    meshes = make_landmarks(), make_landmarks() * 1.1
    views = (mesh[:, list(LANDMARKS68), :2] for mesh in meshes)
    assert measure_lmd_mouth68(*views).tolist() == measure_lmd_mouth(*meshes).tolist()
