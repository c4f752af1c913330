"""When a mouth follows speech: in it and between words, not in silence or in a room's noise."""

import numpy as np
import pytest

from tests.toolkit.features.test_voice_activity import make_vowels
from toolkit.clock import SAMPLE_RATE
from toolkit.features.voice_activity import STEP
from zoo.speaking import voice as module
from zoo.speaking.voice import measure_voice


def make_noise(seconds: float, level: float = -50) -> np.ndarray:
    noise = np.random.default_rng(0).normal(size=round(seconds * SAMPLE_RATE))
    return np.round(noise * 10 ** (level / 20) * 32767).astype(np.int16)


def test_the_mouth_follows_speech_and_rests_in_silence() -> None:
    """Vowels end after 1.25 s, the detector 0.1 s later; from 0.6 s behind that on it is 0."""
    pcm = np.concatenate([make_vowels(), make_noise(2)])
    voice = measure_voice(pcm, 120, 30)
    assert voice.dtype == np.float32
    assert (voice[:48] == 1).all()
    assert (voice[60:] == 0).all()
    assert np.diff(voice[48:60]).max() <= 0


@pytest.mark.parametrize("pcm", [np.zeros(48_000, np.int16), make_noise(3, -60), make_noise(3)])
def test_without_speech_it_never_moves(pcm: np.ndarray) -> None:
    assert (measure_voice(pcm, 90, 30) == 0).all()


def test_it_opens_before_speech_by_half_a_cosine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Speech is steps 50 to 99, 1.6 to 3.2 s: 0.4 s before it is all, 0.5 s a half, 0.6 s nothing.

    At 20 frames a second middles of frames lie 25 ms beside 1.0, 1.1 and 1.2 s.
    """
    probability = np.zeros(150, np.float32)
    probability[50:100] = 1
    monkeypatch.setattr(module, "compute_speech_probability", lambda pcm: probability)
    voice = measure_voice(np.zeros(150 * STEP, np.int16), 96, 20)
    assert voice[24:72].tolist() == [1] * 48
    before = 0.5 + 0.5 * np.cos(np.pi * np.array([0.175, 0.125, 0.075, 0.025]) / 0.2)
    assert voice[20:24] == pytest.approx(before, abs=1e-6)
    assert voice[72:76] == pytest.approx(before[::-1], abs=1e-6)
    assert not voice[:20].any()
    assert not voice[76:].any()


def test_a_long_recording_is_heard_in_parts_as_it_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    pcm = np.concatenate([make_noise(1), make_vowels(), make_noise(3), make_vowels()] * 3)
    num_frames = len(pcm) * 30 // SAMPLE_RATE
    whole = measure_voice(pcm, num_frames, 30)
    monkeypatch.setattr(module, "_BLOCK", 190)
    parts = measure_voice(pcm, num_frames, 30)
    assert np.abs(parts - whole).mean() < 0.02
