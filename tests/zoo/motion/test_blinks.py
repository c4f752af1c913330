"""Blinks as often as they are asked for, and where a model would have them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.features.blink import find_blinks
from zoo.motion.blink_rate import MODEL, PERSON, parse_blink_rate
from zoo.motion.blinks import choose_blinks, move_lids
from zoo.motion.lids import LidMap


@given(
    rate=st.floats(0, 60),
    num_frames=st.integers(1, 2000),
    fps=st.sampled_from([25, 30]),
    seed=st.integers(0, 99),
)
def test_there_are_as_many_blinks_as_are_asked_for(rate, num_frames, fps, seed):
    """Each one found by the toolkit's own measurement, whatever the model says."""
    au45 = np.random.default_rng(seed).uniform(0, 5, num_frames)
    shown = move_lids(au45, fps, lids=None, rate=rate)
    assert shown.shape == (num_frames,)
    assert len(find_blinks(shown, fps)) == round(rate * num_frames / (60 * fps))
    assert shown.min() >= 0
    assert shown.max() <= 3.5


def test_lids_close_where_the_model_has_them_lowest():
    """Twelve a minute over 10 s: one in each half, where AU45 is highest."""
    au45 = np.zeros(300)
    au45[[40, 90, 200, 250]] = [0.3, 0.2, 0.4, 0.7]
    assert choose_blinks(au45, 30, 12.0) == [40, 250]
    shown = move_lids(au45, 30, lids=None, rate=12.0)
    assert [blink.apex for blink in find_blinks(shown, 30)] == [40, 250]
    assert shown[40] == shown[250] == 3.5
    assert not shown[60:240].any()


def test_a_blink_falls_in_twelve_hundredths_of_a_second_and_rises_in_twice_as_many():
    """At 25 frames a second the lids are half-way after 0.06 and 0.12 s: 3.5 times cosines."""
    au45 = np.zeros(25)
    au45[10] = 1
    shown = move_lids(au45, 25, lids=None, rate=60.0)
    assert np.flatnonzero(shown).tolist() == list(range(8, 16))
    assert shown[8] == pytest.approx(3.5 * (0.5 + 0.5 * np.cos(np.pi * 0.08 / 0.12)))
    assert shown[13] == pytest.approx(3.5 / 2)


def test_without_blinks_the_lids_rest_where_the_persons_do():
    au45 = np.linspace(0, 5, 300)
    lids = LidMap.fit("ann", [au45], np.linspace(0, 0.8, 501), fps=30)
    np.testing.assert_array_equal(move_lids(au45, 30, lids=None, rate=0.0), 0)
    np.testing.assert_allclose(move_lids(au45, 30, lids=lids, rate=0.0), 0.4)


def test_a_person_who_closes_the_lids_further_does_so_in_each_blink():
    """One frame in a hundred of theirs exceeds 4.95; their lids rest too low, at 2.5, to be seen
    blinking: a quarter of 4.95 is where they rest then.
    """
    lids = LidMap.fit("ann", [np.zeros(9)], np.linspace(0, 5, 501), fps=30)
    shown = move_lids(np.zeros(300), 30, lids=lids, rate=6.0)
    assert (shown.min(), shown.max()) == (pytest.approx(1.2375), pytest.approx(4.95))


def test_a_rate_that_is_no_number_takes_the_persons_lids_or_the_models():
    au45 = np.linspace(0, 1, 300)
    lids = LidMap.fit("ann", [au45], 4 * au45, fps=30)
    np.testing.assert_array_equal(move_lids(au45, 30, lids=lids), lids.apply(au45))
    np.testing.assert_array_equal(move_lids(au45, 30, lids=lids, rate=MODEL), au45)
    np.testing.assert_array_equal(move_lids(au45, 30, lids=None, rate=PERSON), au45)


def test_a_rate_is_a_number_of_blinks_a_minute_or_one_of_two_words():
    assert [parse_blink_rate(text) for text in ("person", "model", "0", "17.5")] == [
        "person", "model", 0.0, 17.5,
    ]  # fmt: skip
    for text in ("own", "", "-1", "61", "nan", "inf", "1/2"):
        with pytest.raises(ValueError, match=r"--blink-rate .*: choose person, model or a number"):
            parse_blink_rate(text)
