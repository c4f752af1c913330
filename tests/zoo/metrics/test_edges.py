"""Errors around a person, and steps of brightness where a square's border was, by hand."""

import math

import numpy as np
import pytest

from zoo.metrics.edges import Step, measure_border_step, measure_ring_error


def flat(level, size=60):
    return np.full((size, size, 3), level, np.uint8)


def test_a_ring_holds_what_is_not_the_persons_and_no_farther_than_its_width():
    """One pixel and a ring 1 px wide: four neighbours; to 1.5, eight. Two of them are 30 off."""
    matte = np.zeros((9, 9))
    matte[4, 4] = 0.5
    drawn = flat(100, 9)
    drawn[4, 3] = drawn[3, 3] = 130
    drawn[4, 4] = drawn[0, 0] = 255  # the person's own, and far away
    assert measure_ring_error(drawn, flat(100, 9), matte, 1) == 30 / 4
    assert measure_ring_error(drawn, flat(100, 9), matte, 1.5) == 60 / 8


def test_a_ring_is_12_px_wide():
    """Beside a half plane 12 columns; one of them is 24 off in one channel of three."""
    matte = np.zeros((60, 60))
    matte[:, :30] = 1
    drawn = flat(100)
    drawn[:, 41, 0] = 124
    drawn[:, 42] = 255
    assert measure_ring_error(drawn, flat(100), matte) == pytest.approx(24 / 3 / 12)


@pytest.mark.parametrize("level", [0, 1])
def test_without_a_ring_there_is_no_error(level):
    assert math.isnan(measure_ring_error(flat(1), flat(2), np.full((60, 60), level)))


def test_pictures_and_mattes_of_other_sizes_are_refused():
    with pytest.raises(ValueError, match="do not belong"):
        measure_ring_error(flat(1), flat(1), np.zeros((6, 6)))


def test_a_squares_border_is_a_step_of_its_difference():
    """10 levels brighter within, with a soft border 4 px wide; beside it all is flat."""
    picture = flat(100)
    picture[20:40, 20:40] = 105
    picture[24:36, 24:36] = 110
    found = measure_border_step(picture, (20, 20, 40, 40), soft=4, strip=2)
    # of the 20 places of a side 12 are 10 brighter behind the border, and 2 · 4 are 5
    assert found.across == pytest.approx((12 * 10 + 8 * 5) / 20)
    assert found.beside == 0


def test_a_gradient_steps_across_a_line_as_beside_it():
    """3 levels a column: strips of 2 px whose middles are 6 apart differ by 18; rows are alike."""
    picture = flat(0)
    picture[:] = (3 * np.arange(60)).astype(np.uint8)[None, :, None]
    assert measure_border_step(picture, (20, 20, 40, 40), soft=4, strip=2) == Step(9, 9)


def test_sides_that_leave_the_picture_are_left_out():
    """A square over the left and upper border of the picture has two sides in it."""
    picture = flat(100)
    picture[:30, :30] = 140
    found = measure_border_step(picture, (-10, -10, 30, 30), soft=0, strip=2)
    assert found == Step(40, 0)
    whole = measure_border_step(picture, (0, 0, 60, 60), soft=4)
    assert math.isnan(whole.across)
    assert math.isnan(whole.beside)
