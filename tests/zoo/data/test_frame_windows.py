"""AT-net's windows of cepstra: where a row of a frame lies in the sound, at either rate."""

import numpy as np
import pytest

from zoo.data.mfcc import compute_mfcc, cut_frame_windows


def make_noise(num_samples, seed=0):
    return np.random.default_rng(seed).integers(-9000, 9000, num_samples, dtype=np.int16)


@pytest.mark.parametrize(("fps", "frame"), [(25, 7), (30, 7), (30, 8), (30, 9)])
def test_an_impulse_is_in_the_rows_whose_25_ms_hold_it(fps, frame):
    """Row j of frame t holds samples 160 j − 1920 to 160 j − 1520 after t · 16000 / fps, rounded.

    Pre-emphasis makes an impulse two samples long. Of digital silence all cepstra but the first are
    zeros.
    """
    begin = {(25, 7): 4480, (30, 7): 3733, (30, 8): 4266, (30, 9): 4800}[fps, frame]
    for place in (begin - 1920, begin - 1000, begin, begin + 333, begin + 2798):
        pcm = np.zeros(9600, np.int16)
        pcm[place] = 20000
        window = cut_frame_windows(pcm, 0, 15, fps)[frame]
        heard = np.flatnonzero(np.abs(window).max(axis=1) > 0.1)
        starts = begin - 1920 + 160 * np.arange(28)
        expected = [j for j in range(28) if starts[j] - 1 <= place < starts[j] + 400]
        assert heard.tolist() == expected, place
        assert heard.size


def test_what_lies_outside_of_a_window_is_not_heard():
    """0.12 s before frame 7 and 0.175 s behind its beginning, at 25 frames a second."""
    for place in (4480 - 1922, 4480 + 2800):
        pcm = np.zeros(9600, np.int16)
        pcm[place] = 20000
        window = cut_frame_windows(pcm, 7, 8, 25)[0]
        assert np.abs(window).max() < 1e-3


def test_windows_are_rows_of_the_padded_sound_at_25_frames_a_second():
    """Output k reads rows 4k … 4k + 27 of the sound behind 1,920 zeros, less the first cepstrum."""
    pcm = make_noise(16000)
    rows = compute_mfcc(np.pad(pcm, (1920, 4000)))[:, 1:]
    found = cut_frame_windows(pcm, 0, 25, 25)
    assert found.shape == (25, 28, 12)
    assert found.dtype == np.float32
    for k in range(25):
        np.testing.assert_allclose(found[k], rows[4 * k : 4 * k + 28], atol=1e-3)


def test_a_moment_has_one_window_at_either_rate():
    """Frame 6 of 30 a second and frame 5 of 25 begin after 0.2 s both."""
    pcm = make_noise(16000)
    at_25, at_30 = cut_frame_windows(pcm, 5, 6, 25), cut_frame_windows(pcm, 6, 7, 30)
    np.testing.assert_array_equal(at_25, at_30)


@pytest.mark.parametrize("fps", [25, 30])
def test_a_part_is_the_same_as_cut_from_the_whole(fps, monkeypatch):
    pcm = make_noise(32000)
    whole = cut_frame_windows(pcm, 0, 2 * fps, fps)
    monkeypatch.setattr("zoo.data.mfcc._BLOCK", 17)
    np.testing.assert_allclose(cut_frame_windows(pcm, 11, 19, fps), whole[11:19], atol=1e-4)


@pytest.mark.parametrize("num_samples", [0, 80])
def test_sound_shorter_than_a_window_gives_finite_numbers(num_samples):
    assert np.isfinite(cut_frame_windows(np.ones(num_samples, np.int16), 0, 1, 25)).all()
