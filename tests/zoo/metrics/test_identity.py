"""Identity from features, by hand."""

import math

import numpy as np
import pytest

from zoo.metrics.identity import (
    _ROWS,
    measure_acd_pairwise,
    measure_acd_reference,
    measure_cosine,
    measure_distance,
    measure_map_distance,
)

NAN = [math.nan, math.nan]


def test_the_cosine_does_not_depend_on_lengths_and_the_distance_does():
    """(3, 4) and (6, 8) point the same way, 5 apart; (3, 4) and (−4, 3) are at a right angle."""
    pred, target = [[3, 4], [3, 4], NAN], [[6, 8], [-4, 3], [1, 0]]
    assert measure_cosine(pred, target)[:2] == pytest.approx([1, 0])
    assert measure_distance(pred, target)[:2] == pytest.approx([5, math.sqrt(50)])
    assert math.isnan(measure_cosine(pred, target)[2])
    assert math.isnan(measure_distance(pred, target)[2])


def test_content_distance_in_a_clip_is_the_mean_over_all_pairs():
    """Sides of a triangle: 3, 4 and 5; frames without a face are in no pair."""
    assert measure_acd_pairwise([[0, 0], NAN, [3, 0], [0, 4]]) == pytest.approx(4)


def test_content_distance_is_the_same_computed_in_several_blocks():
    """Of n at 0 and n at 1, n² of the n(2n − 1) pairs are 1 apart."""
    n = _ROWS
    features = np.repeat([[0.0], [1.0]], n, axis=0)
    assert measure_acd_pairwise(features) == pytest.approx(n / (2 * n - 1))


def test_content_distance_of_one_face_is_unknown():
    assert math.isnan(measure_acd_pairwise([[1, 2], NAN]))


def test_content_distance_to_a_reference_takes_the_first_real_face():
    pred, real = [[1, 0], NAN, [1, 2]], [NAN, [1, 0], [9, 9]]
    distances = measure_acd_reference(pred, real)
    assert distances[[0, 2]] == pytest.approx([0, 2])
    assert math.isnan(distances[1])
    with pytest.raises(ValueError, match="no real frame"):
        measure_acd_reference(pred, [NAN])


def test_a_clip_that_keeps_to_a_stranger_differs_from_the_reference_alone():
    """The two conventions answer different questions."""
    stranger, real = np.tile([0.0, 1.0], (4, 1)), np.tile([1.0, 0.0], (4, 1))
    assert measure_acd_pairwise(stranger) == 0
    assert measure_acd_reference(stranger, real) == pytest.approx([math.sqrt(2)] * 4)


def test_maps_are_compared_by_direction_at_each_place():
    """One place of two: the same direction 0, a right angle 2; mean 1. The deeper map: 0."""
    maps = [np.array([[[1.0, 0.0]], [[0.0, 5.0]]]), np.ones((3, 1, 1))]
    real = [np.array([[[7.0, 5.0]], [[0.0, 0.0]]]), 2 * np.ones((3, 1, 1))]
    assert measure_map_distance(maps, real) == pytest.approx(0.5)
    assert measure_map_distance(maps, maps) == 0


def test_features_of_other_shapes_are_refused():
    with pytest.raises(ValueError, match="cannot be compared"):
        measure_cosine([[1, 2]], [[1, 2], [3, 4]])
    with pytest.raises(ValueError, match=r"not \(n, K\)"):
        measure_acd_pairwise([1, 2])
