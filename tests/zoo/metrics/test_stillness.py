"""Flicker and drift where nothing should move, by hand."""

import numpy as np
import pytest

from zoo.metrics.stillness import measure_flicker, measure_picture_drift

LEFT = np.array([[True, False], [True, False]])
"""Of pictures of 2 × 2 px."""


def make(*levels):
    """Frames whose left column has these levels; the right one goes between black and white."""
    frames = []
    for t, level in enumerate(levels):
        frame = np.full((2, 2, 3), 255 * (t % 2), np.uint8)
        frame[:, 0] = level
        frames.append(frame)
    return frames


def test_flicker_is_the_mean_change_from_frame_to_frame_within_the_region():
    """Changes of 4, 4 and 10 levels, whatever their direction."""
    assert measure_flicker(iter(make(100, 104, 100, 110)), LEFT) == pytest.approx(18 / 3)


def test_a_change_in_one_pixel_and_channel_counts_by_its_share():
    frames = make(100, 100)
    frames[1][0, 0, 2] = 112
    assert measure_flicker(frames, LEFT) == pytest.approx(12 / 6)


def test_drift_is_from_the_first_seconds_mean_to_the_lasts():
    """At 2 a second: 101 at first, 107 at last, whatever is between."""
    frames = make(100, 102, 255, 0, 106, 108)
    assert measure_picture_drift(iter(frames), LEFT, 2) == pytest.approx(6)


def test_flicker_is_no_drift_and_opposite_drifts_do_not_cancel():
    assert measure_picture_drift(make(100, 110, 100, 110), LEFT, 2) == 0
    frames = make(100, 100, 100, 100)
    for frame in frames[2:]:
        frame[0, 0], frame[1, 0] = 103, 97
    assert measure_picture_drift(frames, LEFT, 2) == pytest.approx(3)


def test_too_few_frames_and_no_pixels_are_refused():
    with pytest.raises(ValueError, match="two frames"):
        measure_flicker(make(100), LEFT)
    with pytest.raises(ValueError, match="3 frames hold no"):
        measure_picture_drift(make(1, 2, 3), LEFT, 2)
    for measure in (measure_flicker, lambda f, r: measure_picture_drift(f, r, 1)):
        with pytest.raises(ValueError, match="without pixels"):
            measure(make(1, 2), np.zeros((2, 2), bool))
