"""Landmarks as pictures: by their pixels."""

import cv2
import numpy as np
import pytest

from tests.faces import MODEL
from zoo.landmarks.align import average_shapes, view68
from zoo.landmarks.raster import LINES, draw_landmarks

FACE = (average_shapes([view68(MODEL.mean_shape)]) * 0.8 + 1) / 2
"""Shares of a picture's side."""


def test_a_level_line_is_three_rows_of_its_colour_at_256():
    """Of 256 px lines are 2.9 px wide: about y = 100.0 rows 99 and 100, and half of the next."""
    points = np.full((68, 2), 1000.0)
    points[:17] = np.stack([np.linspace(40, 200, 17), np.full(17, 100.0)], axis=1)
    column = draw_landmarks(points, 256)[:, 120]
    assert column[99:101].min() == 255
    assert column[[97, 102]].max() == 0
    assert column[[98, 101]] / 255 == pytest.approx(0.45, abs=0.1)


def test_every_line_has_a_colour_of_its_own():
    colors = {color for _, _, color in LINES}
    assert len(colors) == len(LINES)
    drawn = draw_landmarks(FACE * 256, 256).reshape(-1, 3)
    seen = set(map(tuple, drawn.tolist()))
    assert colors <= seen


def test_every_point_is_on_a_line_once():
    assert sorted(p for line, _, _ in LINES for p in line) == list(range(68))


@pytest.mark.parametrize("size", [64, 128])
def test_a_smaller_picture_is_the_larger_one_made_smaller(size):
    large = draw_landmarks(FACE * 256, 256)
    small = draw_landmarks(FACE * size, size).astype(float)
    shrunk = cv2.resize(large, (size, size), interpolation=cv2.INTER_AREA).astype(float)
    assert np.abs(small - shrunk).max() <= 1  # rounded once more


def test_a_shift_by_a_pixel_shifts_the_picture():
    moved = draw_landmarks(FACE * 128 + [1, 2], 128)[2:, 1:].astype(int)
    assert np.abs(moved - draw_landmarks(FACE * 128, 128)[:-2, :-1]).max() <= 1


def test_a_quarter_of_a_pixel_is_seen():
    assert (draw_landmarks(FACE * 128 + [0.25, 0], 128) != draw_landmarks(FACE * 128, 128)).any()


def test_points_outside_are_cut_off():
    far = FACE * 128
    far[8] = [64, 1e7]
    assert draw_landmarks(far, 128).shape == (128, 128, 3)


@pytest.mark.parametrize("size", [0, 16, 1024])
def test_other_sizes_are_refused(size):
    with pytest.raises(ValueError, match="cannot be drawn"):
        draw_landmarks(FACE, size)


def test_no_numbers_are_refused():
    with pytest.raises(ValueError, match="cannot be drawn"):
        draw_landmarks(np.full((68, 2), np.nan), 128)
