"""Blinks by both definitions, and how they are spread over 4-second stretches, by hand."""

import math

import av
import numpy as np
import pytest

from tests import REAL_DATA
from toolkit.features.blink import compute_ear
from toolkit.features.landmarks import FaceMesh
from zoo.metrics.aspect_blinks import (
    compare_drop_stretches,
    find_drops,
    measure_drop_duration,
    measure_drop_rate,
)
from zoo.metrics.blinks import (
    compare_half_stretches,
    compare_stretches,
    measure_half_duration,
    measure_half_rate,
)
from zoo.metrics.landmark_distance import find_landmarks

BLINK = (0.28, 0.18, 0.06, 0.06, 0.12, 0.18, 0.24, 0.26)
"""Eye aspect ratio of a blink; open eyes have 0.30, nine tenths of which are 0.27."""


def make_ear(num_frames, starts, shape=BLINK):
    """(n, 2) of open eyes that blink from these frames on."""
    ear = np.full((num_frames, 2), 0.30)
    for start in starts:
        ear[start : start + len(shape)] = np.array(shape)[:, None]
    return ear


def test_a_drop_lasts_from_its_start_to_its_end():
    """0.8 under the level at its lowest: a tenth is left from 0.18 to 0.26, seven frames."""
    (drop,) = find_drops(make_ear(300, [100]), 30)
    assert (drop.onset, drop.apex, drop.offset) == (101, 102, 107)
    ear = make_ear(300, [100, 200])
    assert measure_drop_duration(ear, 30) == pytest.approx(7 / 30)
    assert measure_drop_rate(ear, 30) == pytest.approx(0.2)


@pytest.mark.parametrize(("lowest", "num_drops"), [(0.20, 1), (0.22, 0)])
def test_a_drop_falls_by_three_tenths(lowest, num_drops):
    """Of the level: seven tenths of 0.30 are 0.21."""
    assert len(find_drops(make_ear(300, [100], (lowest,) * 3), 30)) == num_drops


def test_a_gaze_that_goes_down_slowly_is_no_drop_and_neither_is_a_closed_eye():
    """By 0.06 of the level a frame it falls by 0.18 in 0.1 s; 31 closed ones are 1.03 s."""
    slow = (*np.linspace(0.282, 0.10, 11), 0.2, 0.25)
    assert find_drops(make_ear(300, [100], slow), 30) == []
    assert len(find_drops(make_ear(300, [100], slow[3:]), 30)) == 1
    assert find_drops(make_ear(300, [100], (0.1,) * 29), 30) != []
    assert find_drops(make_ear(300, [100], (0.1,) * 31), 30) == []


def test_two_blinks_between_which_the_eye_does_not_open_wholly_are_two():
    """Up to 0.24 between them, which is 0.2 under the level, from 0.8 at their lowest.

    The frame in which it is opened furthest, 103, is the first one's last.
    """
    drops = find_drops(make_ear(300, [100], (0.06, 0.06, 0.15, 0.24, 0.15, 0.06, 0.2)), 30)
    assert [(drop.onset, drop.offset) for drop in drops] == [(100, 103), (104, 106)]
    assert drops[1].apex == 105


@pytest.mark.parametrize(("start", "frames"), [(-4, (0, 3)), (293, (294, 299))])
def test_a_drop_that_the_clips_ends_cut_off_counts(start, frames):
    ear = make_ear(320, [start + 10])[10:310]
    (drop,) = find_drops(ear, 30)
    assert (drop.onset, drop.offset) == frames


def test_the_level_follows_eyes_that_narrow():
    """Half as wide from frame 150 on: no drop where they narrow, and blinks count as before."""
    ear = make_ear(300, [50, 250])
    ear[150:] /= 2
    assert [drop.onset for drop in find_drops(ear, 30)] == [51, 251]


def test_frames_without_eyes_are_bridged_and_do_not_count_as_time():
    """One blink in 150 measured frames of 300: 0.2 a second; nothing measured: no number."""
    ear = make_ear(300, [100])
    ear[150:] = np.nan
    assert measure_drop_rate(ear, 30) == pytest.approx(0.2)
    nothing = np.full((300, 2), np.nan)
    assert math.isnan(measure_drop_rate(nothing, 30))
    assert math.isnan(measure_drop_duration(nothing, 30))
    assert math.isnan(measure_drop_duration(make_ear(300, []), 30))


def make_au45(num_frames, starts):
    """(n,) with blinks of six frames at half height or more."""
    au45 = np.zeros(num_frames)
    for start in starts:
        au45[start : start + 8] = (1, 2, 4, 4, 4, 3, 2, 1)
    return au45


def test_the_same_blink_lasts_longer_by_its_drop_than_at_half_height():
    """AU45 of 4 at its peak: 2, 4, 4, 4, 3, 2 are six frames."""
    au45 = make_au45(300, [50, 150, 250])
    assert measure_half_rate(au45, 30) == pytest.approx(0.3)
    assert measure_half_duration(au45, 30) == pytest.approx(6 / 30)
    au45[150:] = np.nan
    assert measure_half_rate(au45, 30) == pytest.approx(0.2)
    assert math.isnan(measure_half_rate(np.full(300, np.nan), 30))
    assert math.isnan(measure_half_duration(np.zeros(300), 30))


def test_the_distance_of_two_histograms_is_the_number_of_blinks_to_move():
    """All stretches with two blinks, beside half with none and half with one: 1.5 in the mean."""
    assert compare_stretches((0, 0, 7), (2, 2)) == pytest.approx(1.5)
    assert compare_stretches((3, 1), (6, 2)) == 0
    assert math.isnan(compare_stretches((), (1,)))


def test_stretches_of_four_seconds_are_compared_by_both_definitions():
    """Three stretches of 120 frames: two blinks and none twice, beside one in each: 2/3 + 1/3."""
    both, one = [10, 60], [10, 130, 250]
    assert compare_half_stretches(make_au45(360, both), make_au45(360, one), 30) == pytest.approx(1)
    assert compare_drop_stretches(make_ear(360, both), make_ear(360, one), 30) == pytest.approx(1)
    assert compare_drop_stretches(make_ear(360, one), make_ear(360, one), 30) == 0


@pytest.mark.real
def test_drops_of_a_real_video_are_the_blinks_that_were_read_by_eye():
    """Their lowest frames, ± 3; 200 frames at 25 a second. They last from 0.1 to 0.5 s."""
    path = REAL_DATA / "OpenTalker_SadTalker/examples/ref_video/WDA_KatieHill_000.mp4"
    if not path.exists():
        pytest.skip(f"no {path}")
    with av.open(path) as container:
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    drops = find_drops(compute_ear(find_landmarks(pictures, FaceMesh())), 25)
    np.testing.assert_allclose([drop.apex for drop in drops], [24, 32, 113, 171], atol=3)
    assert all(3 <= drop.offset - drop.onset + 1 <= 13 for drop in drops)
