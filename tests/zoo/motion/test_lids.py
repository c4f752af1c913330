"""Lids: what a model makes becomes what the person does."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.features.blink import find_blinks
from zoo.motion.lids import LidMap


def make_wave(num_frames: int, height: float) -> np.ndarray:
    """Dips of the lids, one a second of 30 frames, each half a sine over 8 frames."""
    one = np.zeros(30)
    one[11:19] = height * np.sin(np.pi * np.arange(1, 9) / 9)
    return np.tile(one, num_frames // 30)


def test_shallow_dips_become_blinks_as_often_and_as_long_as_the_persons():
    """Dips to 0.9 are no blinks; the person's are a second apart and reach 3.5."""
    made, real = make_wave(600, 0.9), make_wave(900, 3.5)
    assert not find_blinks(made, 30)
    other = np.roll(make_wave(300, 0.9), 7)
    blinks = find_blinks(LidMap.fit("ann", [made], real, fps=30).apply(other), 30)
    assert [blink.apex for blink in blinks] == [30 * k + 21 for k in range(10)]
    length = np.mean([blink.offset - blink.onset for blink in find_blinks(real, 30)])
    assert np.mean([blink.offset - blink.onset for blink in blinks]) == pytest.approx(length, abs=1)


def test_blinks_come_as_often_in_a_voice_in_which_dips_are_shallower():
    """A fifth as deep: 20 s of the recording's own levels outweigh those that were learnt."""
    lids = LidMap.fit("ann", [make_wave(600, 0.9)], make_wave(900, 3.5), fps=30)
    blinks = find_blinks(lids.apply(make_wave(600, 0.18)), 30)
    assert [blink.apex for blink in blinks] == [30 * k + 14 for k in range(20)]


def test_of_dips_of_all_depths_as_many_become_blinks_as_the_person_has():
    """The person blinks every other second; a model dips every second, from 0.4 to 1 deep."""
    depths = np.random.default_rng(0).permutation(np.linspace(0.4, 1, 40))
    made, real = make_wave(1200, 1.0), make_wave(1200, 3.0)
    made.reshape(-1, 30)[:] *= depths[:, None]
    real.reshape(-1, 30)[1::2] = 0
    lids = LidMap.fit("ann", [made], real, fps=30)
    by_levels = replace(lids, least=1.0).apply(made)
    assert len(find_blinks(by_levels, 30)) > 30
    blinks = find_blinks(lids.apply(made), 30)
    assert len(blinks) == pytest.approx(20, abs=2)  # equally deep ones are not told apart
    deepest = np.sort(np.argsort(depths)[-len(blinks) :])
    assert [blink.apex // 30 for blink in blinks] == deepest.tolist()


def test_what_reaches_the_least_level_reaches_a_blinks():
    """By hand: 0 to 2 becomes 0 to 1, 2 to 4 becomes 1 to 4."""
    quantiles = np.linspace(0, 4, 501)
    lids = LidMap(identity="ann", made=quantiles, real=quantiles, least=2.0)
    level = np.array([0.0, 1.0, 2.0, 3.0, 4.0])
    np.testing.assert_allclose(lids._deepen(level), [0, 0.5, 1, 2.5, 4])


def test_the_levels_of_a_recording_weigh_by_its_length():
    """128 frames count as much as what was learnt: half-way between made and heard."""
    lids = LidMap.fit("ann", [np.linspace(0, 1, 4001)], np.linspace(0, 4, 4001), fps=30)
    heard = np.linspace(0, 3, 128)
    np.testing.assert_allclose(lids.apply(heard), np.clip(4 * heard / 2, 0, 4), atol=0.02)


def test_levels_are_mapped_rank_by_rank():
    """Made 0 to 1, real its square times 4, evenly spread: x becomes 4·x²; beyond, the last."""
    ramp = np.linspace(0, 1, 4001)
    lids = LidMap.fit("ann", [ramp], 4 * ramp**2, fps=30)
    np.testing.assert_allclose(lids.apply(ramp), 4 * ramp**2, atol=0.01)
    assert lids.apply(np.full(9, 1.7)) == pytest.approx(np.full(9, 4), abs=1e-9)
    assert lids.apply(np.full(9, -1.0)) == pytest.approx(np.zeros(9), abs=1e-9)


def test_stretches_are_smoothed_apart():
    """A step between two stretches is none of their own: smoothed, it would overshoot."""
    lids = LidMap.fit("ann", [np.zeros(50), np.full(50, 2.0)], np.linspace(0, 4, 100), fps=30)
    assert lids.made.min() > -1e-5
    assert lids.made.max() < 2 + 1e-5


INTENSITIES = st.lists(st.integers(0, 5_000_000).map(lambda n: n / 1e6), min_size=1, max_size=60)
"""AU45 in millionths: what lies closer together is rounding, and its levels may become one."""


@given(made=INTENSITIES, real=INTENSITIES, other=INTENSITIES)
def test_a_map_stays_within_the_persons_range_and_goes_up_alone(made, real, other):
    lids = LidMap.fit("ann", [np.array(made)], np.array(real), fps=30)
    mapped = lids.apply(np.array(other))
    assert mapped.shape == (len(other),)
    assert min(real) - 1e-9 <= mapped.min()
    assert mapped.max() <= max(real) + 1e-9
    flat = [lids.apply(np.full(1, level))[0] for level in np.linspace(0, 5, 23)]
    assert np.all(np.diff(flat) >= -1e-9)


def test_a_map_goes_into_a_checkpoint_and_back():
    lids = LidMap.fit("ann", [make_wave(300, 0.9)], make_wave(300, 3.5), fps=30)
    again = LidMap.from_state(lids.to_state())
    values = np.linspace(0, 2, 50)
    np.testing.assert_array_equal(again.apply(values), lids.apply(values))


@pytest.mark.parametrize(("made", "real"), [([], [1.0]), ([np.zeros(0)], [1.0]), ([[1.0]], [])])
def test_nothing_to_learn_from_is_refused(made, real):
    with pytest.raises(ValueError, match="no frames"):
        LidMap.fit("ann", made, real, fps=30)
