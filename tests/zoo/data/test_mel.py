"""Mel windows of sounds whose spectrum is known."""

import numpy as np
import numpy.typing as npt
import pytest

from zoo.data.mel import FLOOR, LEAD, PRE_EMPHASIS, TICK, cut_mel_windows, make_triangles


def make_tone(hertz: float, level: float, num: int = 16000) -> npt.NDArray[np.int16]:
    wave = level * 32767 * np.sin(2 * np.pi * hertz * np.arange(num) / 16000)
    return wave.round().astype(np.int16)


def test_silence_is_the_least_there_is() -> None:
    windows = cut_mel_windows(np.zeros(16000, np.int16), 0, 25)
    assert windows.shape == (25, 32, 80)
    assert windows.dtype == np.float32
    assert (windows == -4).all()


@pytest.mark.parametrize("hertz", [300.0, 1000.0, 4000.0])
def test_a_tone_is_loudest_in_the_band_whose_triangle_it_lies_in(hertz: float) -> None:
    window = cut_mel_windows(make_tone(hertz, 0.1), 12, 13)[0]
    triangles = make_triangles()
    expected = triangles[:, round(hertz / 20)].argmax()
    assert (window.argmax(axis=1) == expected).all()


def test_a_tone_has_the_level_that_its_amplitude_gives() -> None:
    """A sine of 1000 Hz lies in bin 50: Hann's sum is 400, so that |X| = 200·A · |1 − 0.97·e^{-iω}|
    there and half of it in the bins beside; weighed by the triangle, in dB less 20, of −100 to 0.
    """
    omega = 2 * np.pi * 1000 / 16000
    size = 200 * 0.1 * abs(1 - PRE_EMPHASIS * np.exp(-1j * omega))
    band = make_triangles()[:, 50].argmax()
    weights = make_triangles()[band, 49:52]
    decibels = 20 * np.log10(size * (weights * (0.5, 1, 0.5)).sum()) - 20
    window = cut_mel_windows(make_tone(1000, 0.1), 12, 13)[0]
    np.testing.assert_allclose(window[:, band], 8 * (decibels - FLOOR) / 100 - 4, atol=2e-3)


def test_ten_times_louder_is_a_fifth_of_the_range_more() -> None:
    """20 dB of 100, which are 8."""
    quiet, loud = (cut_mel_windows(make_tone(1000, x), 12, 13)[0, 0] for x in (0.02, 0.2))
    band = quiet.argmax()
    assert loud[band] - quiet[band] == pytest.approx(1.6, abs=2e-3)


def test_triangles_have_an_area_of_one_and_reach_from_55_to_7600_hertz() -> None:
    triangles = make_triangles()
    wide = triangles[50:]  # narrower ones are sampled too coarsely
    np.testing.assert_allclose(wide.sum(axis=1) * 20, 1, rtol=0.02)
    heard = np.flatnonzero(triangles.any(axis=0)) * 20
    assert (heard.min(), heard.max()) == (60, 7580)


def test_a_window_begins_four_frames_before_its_frame() -> None:
    """A click lies in the window's step 0.16 s behind the first."""
    pcm = np.zeros(32000, np.int16)
    pcm[20 * TICK] = 20000
    window = cut_mel_windows(pcm, 20, 21)[0]
    loudest = window.mean(axis=1).argmax()
    assert loudest == round(LEAD * TICK / 200)


def test_windows_depend_on_their_frame_alone() -> None:
    """Whatever is cut beside; beyond the ends there is silence."""
    pcm = np.random.default_rng(0).integers(-3000, 3000, 16000).astype(np.int16)
    np.testing.assert_array_equal(cut_mel_windows(pcm, 3, 9)[2], cut_mel_windows(pcm, 5, 6)[0])
    assert (cut_mel_windows(pcm, 100, 101) == -4).all()
