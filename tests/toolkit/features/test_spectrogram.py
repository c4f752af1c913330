"""What a network reads of a moment: its own samples alone, or normalised with its utterance."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.features import spectrogram
from toolkit.features.spectrogram import Scaling, Spectrogram, compute_spectrogram, find_stretches

SCALING = Scaling(gain=1000.0, mean=3.0, deviation=2.0)
STEP = 512


def make_pcm(seconds: float, seed: int = 0, loudness: float = 3000) -> npt.NDArray[np.int16]:
    noise = np.random.default_rng(seed).standard_normal(round(seconds * 16000))
    return (noise * loudness).astype(np.int16)


def say_speech(
    monkeypatch: pytest.MonkeyPatch, spans: Sequence[tuple[float, float]], seconds: float
) -> None:
    """Let the voice detector find speech in these seconds."""
    steps = np.arange(-(-round(seconds * 16000) // STEP)) * STEP / 16000
    probability = sum((steps >= first) & (steps < last) for first, last in spans)
    monkeypatch.setattr(
        spectrogram, "compute_speech_probability", lambda pcm: np.float32(probability > 0)
    )


# --- one scale for every recording --------------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 20), st.integers(0, 20), st.integers(0, 9))
def test_with_a_scale_a_frame_depends_on_its_own_samples_alone(
    before: int, behind: int, seed: int
) -> None:
    pcm = make_pcm(0.5, seed)
    alone = compute_spectrogram(pcm, SCALING)
    loud = make_pcm(2.0, seed + 100, loudness=12000)
    around = np.concatenate([loud[: 160 * before], pcm, loud[: 160 * behind]])
    within = compute_spectrogram(around, SCALING)[:, before : before + alone.shape[1]]
    np.testing.assert_array_equal(within[:, 1:-2], alone[:, 1:-2])  # the ends see neighbours


def test_a_scale_is_what_it_says() -> None:
    """A tone of 1 kHz, amplitude 1/4: half that times the window's sum, 320 · 0.54, in bin 20."""
    time = np.arange(16000) / 16000
    pcm = np.round(32767 / 4 * np.sin(2 * np.pi * 1000 * time)).astype(np.int16)
    wanted = (np.log1p(1000 * 0.125 * 320 * 0.54) - 3) / 2
    assert compute_spectrogram(pcm, SCALING)[20, 50] == pytest.approx(wanted, abs=1e-3)
    assert compute_spectrogram(np.zeros(3200, np.int16), SCALING) == pytest.approx(-1.5)


def test_another_level_moves_all_bins_alike_where_the_gain_is_high() -> None:
    """12 dB are log(4) over the deviation, wherever there is sound."""
    pcm = make_pcm(1.0, loudness=1000)
    change = compute_spectrogram(4 * pcm, SCALING) - compute_spectrogram(pcm, SCALING)
    assert np.median(change) == pytest.approx(np.log(4) / 2, rel=0.01)
    assert np.percentile(change, 5) == pytest.approx(np.log(4) / 2, rel=0.03)


# --- each utterance by itself -------------------------------------------------------------------


def test_speech_is_normalised_the_same_whatever_stands_around_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pcm = make_pcm(3.0)
    say_speech(monkeypatch, [(0.5, 2.5)], 3.0)
    alone = compute_spectrogram(pcm)[:, 50:250]
    for sound in (np.zeros(160 * 6400, np.int16), make_pcm(64.0, 5, loudness=12000)):
        say_speech(monkeypatch, [(64.5, 66.5)], 67.0)
        within = compute_spectrogram(np.concatenate([sound, pcm]))[:, 6450:6650]
        np.testing.assert_allclose(within, alone, atol=0.02)  # steps of 32 ms fall otherwise


def test_a_stretch_has_mean_0_and_deviation_1(monkeypatch: pytest.MonkeyPatch) -> None:
    pcm = np.concatenate([make_pcm(4.0), make_pcm(4.0, 1, 300), make_pcm(4.0, 2, 9000)])
    say_speech(monkeypatch, [(0, 3.2), (4.48, 7.04), (8.32, 12.0)], 12.0)
    stretches = find_stretches(pcm, 1201)
    assert stretches == [(0, 345), (423, 729), (807, 1201)]  # 0.25 s more on either side
    values = Spectrogram(pcm).read(0, 1201)
    for first, last in stretches:
        assert values[:, first:last].mean() == pytest.approx(0, abs=1e-4)
        assert values[:, first:last].std(ddof=1) == pytest.approx(1, abs=1e-4)


def test_frames_of_a_pause_are_normalised_as_the_nearer_stretch(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same noise throughout, ten times as loud in the second stretch: its factor differs."""
    noise = make_pcm(10.0, loudness=200)
    pcm = np.concatenate([noise, noise[:32000] * 40])
    say_speech(monkeypatch, [(0.64, 2.56), (10.24, 11.52)], 12.0)
    values = compute_spectrogram(pcm)
    levels = values[:, ::20].mean(0)
    (edge,) = np.flatnonzero(np.abs(np.diff(levels[:50])) > 0.5)
    assert (edge + 1) * 20 == pytest.approx((2.56 + 0.25 + 10.24 - 0.25) / 2 * 100, abs=21)


def test_long_speech_is_cut_into_equal_parts_of_half_a_minute(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    say_speech(monkeypatch, [(0, 64.0)], 64.0)
    parts = find_stretches(np.zeros(64 * 16000, np.int16), 6401)
    assert parts == [(0, 2133), (2133, 4267), (4267, 6401)]


def test_without_speech_the_whole_is_one_stretch() -> None:
    assert find_stretches(make_pcm(2.0), 201) == [(0, 201)]
    assert find_stretches(np.zeros(160, np.int16), 2) == [(0, 2)]
