"""Alignment of points by hand, and the head's movement taken from drawn meshes."""

import numpy as np
import pytest

from tests.faces import MODEL, draw_mesh, draw_poses
from toolkit.mesh import EYES68, LANDMARKS68
from zoo.landmarks.align import (
    average_shapes,
    fit_similarity,
    measure_opening,
    remove_pose,
    view68,
)

SQUARE = np.array([[1.0, 1], [-1, 1], [-1, -1], [1, -1]])


def test_a_square_is_brought_onto_its_turned_larger_moved_copy():
    turned = np.array([[-1.0, 1], [-1, -1], [1, -1], [1, 1]])  # (x, y) -> (−y, x): a quarter turn
    found = fit_similarity(SQUARE, 3 * turned + [10, -20])
    assert found.matrix == pytest.approx(np.array([[0, 3], [-3, 0]]))
    assert found.offset == pytest.approx(np.array([10, -20]))
    assert found.scale == pytest.approx(3)
    assert found.apply([[1, 0]]) == pytest.approx(np.array([[10, -17]]))
    assert found.invert().apply([[10, -17]]) == pytest.approx(np.array([[1, 0]]))


def test_of_two_corners_that_are_pulled_out_the_scale_takes_the_mean():
    """(1, 1) and (−1, −1) go to twice as far: 2 of 4 points grow by 2, so the scale is 1.5."""
    pulled = SQUARE * np.array([2, 1, 2, 1])[:, None]
    assert fit_similarity(SQUARE, pulled).matrix == pytest.approx(1.5 * np.eye(2))


def test_a_mirrored_square_is_not_mirrored_back():
    points = np.array([[0.0, 0], [4, 0], [4, 1], [0, 1], [1, 3]])
    found = fit_similarity(points, points * [-1, 1])
    assert np.linalg.det(found.matrix) > 0


def test_points_without_weight_do_not_count():
    target = 2 * SQUARE + [0, 0]
    target[3] = [50, 60]
    found = fit_similarity(SQUARE, target, [1, 1, 1, 0])
    assert found.matrix == pytest.approx(2 * np.eye(2))


def test_points_in_one_place_are_refused():
    with pytest.raises(ValueError, match="in one place"):
        fit_similarity(np.ones((68, 2)), np.zeros((68, 2)))


def test_many_frames_are_aligned_at_once_as_one_by_one():
    rng = np.random.default_rng(0)
    frames, target = rng.normal(size=(5, 30, 3)), rng.normal(size=(30, 3))
    together = fit_similarity(frames, target)
    for k, frame in enumerate(frames):
        alone = fit_similarity(frame, target)
        assert together.matrix[k] == pytest.approx(alone.matrix)
        assert together.offset[k] == pytest.approx(alone.offset)


def test_a_nodding_head_is_still_once_the_pose_is_removed():
    """What is left is perspective alone: the same face without it leaves nothing."""
    rng = np.random.default_rng(1)
    poses = draw_poses(rng, 30)
    shape = MODEL.shape(rng.normal(0, 1, 80))
    seen = draw_mesh(np.repeat(shape[None], 30, axis=0), poses)
    still = view68(remove_pose(seen, MODEL.shape()))
    moved = view68(seen)
    moved = moved - moved.mean(axis=1, keepdims=True)
    width = np.ptp(still[..., 0], axis=1).mean()
    assert still.std(axis=0).max() / width < 0.03
    assert moved.std(axis=0).max() / np.ptp(moved[..., 0], axis=1).mean() > 0.1


def test_an_open_mouth_stays_open_when_the_head_turns():
    """A similarity over the skull's vertices leaves lips and jaw as they are: to rounding."""
    rng = np.random.default_rng(2)
    rest = MODEL.shape(rng.normal(0, 1, 80))
    open_mouth = rest + (MODEL.shape(None, rng.normal(0, 2, 64)) - MODEL.shape())
    rigid = np.flatnonzero(MODEL.rigidity)
    open_mouth[rigid] = rest[rigid]
    angle = 0.3
    turn = np.array(
        [[np.cos(angle), 0, -np.sin(angle)], [0, 1, 0], [np.sin(angle), 0, np.cos(angle)]]
    )
    seen = np.stack([7 * open_mouth @ turn + [1, 2, 3], open_mouth])
    found = remove_pose(seen, rest)
    assert found == pytest.approx(np.stack([open_mouth, open_mouth]), abs=1e-9)


def test_the_canonical_face_spans_two_and_lies_about_the_origin_with_level_eyes():
    rng = np.random.default_rng(3)
    base = MODEL.mean_shape[list(LANDMARKS68), :2].astype(np.float64)
    angle = 0.2
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    shapes = [s * (base + rng.normal(0, 1, base.shape)) @ turn + s for s in (1, 40, 0.01)]
    found = average_shapes(shapes)
    low, high = found.min(axis=0), found.max(axis=0)
    assert (high - low).max() == pytest.approx(2, abs=1e-12)
    assert low + high == pytest.approx(0, abs=1e-12)
    right, left = (found[eye].mean(axis=0) for eye in EYES68)
    assert left[1] == pytest.approx(right[1], abs=1e-9)
    assert left[0] > right[0]
    assert found[8, 1] > found[27, 1]  # the chin lies below the nose


def test_one_shape_is_its_own_average_but_for_place_size_and_turn():
    base = MODEL.mean_shape[list(LANDMARKS68), :2].astype(np.float64)
    found = average_shapes([base])
    back = fit_similarity(found, base).apply(found)
    assert back == pytest.approx(base, abs=1e-9)


def test_an_opening_is_the_mean_of_three_gaps_over_the_eyes():
    """Gaps of 3, 6 and 9, outer eye corners 60 apart: 6 / 60."""
    points = np.zeros((68, 2))
    points[45] = [60, 0]
    points[61], points[67] = [0, 10], [0, 13]
    points[62], points[66] = [5, 10], [5, 16]
    points[63], points[65] = [9, 10], [9, 19]
    assert measure_opening(points) == pytest.approx(0.1)
