"""Sounds without words: level, and what tells one from another."""

import numpy as np
import numpy.typing as npt
import pytest

from zoo.models.deepspeech.surroundings import make_applause, make_music, make_surroundings


def measure_spread(sound: npt.NDArray[np.float32]) -> float:
    """The decibels by which the level varies from second to second."""
    return float((10 * np.log10(np.square(sound.reshape(-1, 16000)).mean(axis=1))).std())


def test_the_noise_of_a_place_comes_and_goes_and_plain_noise_does_not() -> None:
    sounds = make_surroundings(0)
    assert len(sounds) == 26
    assert max(map(measure_spread, sounds[:2])) < 0.5
    assert min(map(measure_spread, sounds[5:15])) > 1.0
    for sound in sounds:
        assert sound.std() == pytest.approx(1, abs=1e-3)
        assert not sound.flags.writeable


def test_music_has_tones_and_applause_has_none() -> None:
    """Share of the power in the strongest hundredth of the spectrum."""
    shares = []
    for make in (make_music, make_applause):
        sound = make(np.random.default_rng(3))
        power = np.sort(np.abs(np.fft.rfft(sound)) ** 2)[::-1]
        shares.append(power[: len(power) // 100].sum() / power.sum())
    assert shares[0] > 0.7
    assert shares[1] < 0.3


def test_sounds_are_those_of_their_seed() -> None:
    first, again, other = (make_applause(np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
