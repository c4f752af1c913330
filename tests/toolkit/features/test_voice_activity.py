"""Share of time with speech: Silero's own numbers, what is speech and what is not, at any level."""

import csv
import wave
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from scipy.signal import lfilter

from tests import REAL_DATA
from tests.media import run_ffmpeg
from tests.numbered import Samples
from toolkit.errors import SetupError
from toolkit.features import voice_activity
from toolkit.features.voice_activity import (
    compute_speech_probability,
    mark_speech,
    measure_speech_share,
)

Pcm = npt.NDArray[np.int16]
RATE = 16_000
LEVELS = (-40.0, -25.0, -12.0, -6.0)
VOWELS = ((700, 1200, 2600), (300, 2200, 3000), (500, 900, 2500), (400, 1900, 2600))

SILERO = """
0.2365 0.3465 0.2534 0.1970 0.3088 0.1796 0.8008 0.8649 0.9616 0.9505 0.9482 0.9668 0.9218 0.8962
0.7818 0.8260 0.7958 0.9316 0.8615 0.7841 0.9369 0.9547 0.9537 0.9464 0.9061 0.9482 0.9005 0.8355
0.7950 0.7218 0.7139 0.8182 0.8038 0.6360 0.8084 0.8998 0.9245 0.9263 0.9110 0.0460 0.0035 0.0088
0.0211 0.0179 0.0140 0.0115 0.0106 0.0109 0.0108 0.0101 0.0094 0.0087 0.0081 0.0075 0.0070 0.0066
0.0062 0.0059 0.0056 0.0053 0.0051 0.0048 0.0046
"""
"""What silero_vad.onnx of silero-vad 6.2.3 says of `make_vowels`, in onnxruntime."""


def make_vowels() -> Pcm:
    """1.25 s of a falling and rising voice through four vowels' resonances, 0.75 s of silence."""
    times = np.arange(2 * RATE) / RATE
    phase = np.cumsum(110 + 25 * np.sin(2 * np.pi * 0.9 * times)) / RATE
    pulses = np.diff(np.floor(phase), prepend=0.0)
    voice = np.zeros(len(times))
    for index, vowel in enumerate(VOWELS):
        sound = pulses
        for hertz, width in zip(vowel, (80, 90, 120), strict=True):
            radius, angle = np.exp(-np.pi * width / RATE), 2 * np.pi * hertz / RATE
            sound = lfilter([1], [1, -2 * radius * np.cos(angle), radius**2], sound)
        gate = np.clip(1.6 * np.sin(2 * np.pi * (2.2 * times - index / 4)), 0, 1)
        voice += sound / np.abs(sound).max() * gate
    pcm = np.round(voice / np.abs(voice).max() * 12_000).astype(np.int16)
    pcm[20_000:] = 0
    return pcm


def set_level(samples: Samples, level: float) -> Pcm:
    """Root mean square of so many dBFS; clipped where it must be."""
    scale = 10 ** (level / 20) / np.sqrt(np.mean(samples**2))
    return np.clip(np.round(samples * scale * 32_768), -32_768, 32_767).astype(np.int16)


def test_probabilities_are_those_of_silero() -> None:
    expected = np.array(SILERO.split(), float)
    np.testing.assert_allclose(compute_speech_probability(make_vowels()), expected, atol=1e-4)


def test_a_long_clip_has_no_seams(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = compute_speech_probability(make_vowels())
    monkeypatch.setattr(voice_activity, "_BLOCK", 7)
    np.testing.assert_allclose(compute_speech_probability(make_vowels()), expected, atol=1e-5)


def test_what_follows_does_not_change_what_was_said() -> None:
    whole, part = make_vowels(), make_vowels()[: 512 * 20]
    np.testing.assert_allclose(
        compute_speech_probability(part), compute_speech_probability(whole)[:20], atol=1e-5
    )


@pytest.mark.parametrize(("length", "steps"), [(1, 1), (512, 1), (513, 2), (16_000, 32)])
def test_there_is_one_probability_for_each_step_begun(length: int, steps: int) -> None:
    probability = compute_speech_probability(np.zeros(length, np.int16))
    assert probability.shape == (steps,)
    assert probability.dtype == np.float32


def test_a_short_flicker_is_no_speech_and_a_short_pause_is() -> None:
    """Runs of 8 steps (0.25 s) and pauses of 16 (0.5 s) are the first and the last that count."""
    runs = [(0, 5), (1, 7), (0, 4), (1, 8), (0, 16), (1, 9), (0, 17), (1, 8), (0, 2)]
    probability = np.concatenate([np.full(num, value, np.float32) for value, num in runs])
    expected = [False] * 16 + [True] * 33 + [False] * 17 + [True] * 8 + [False] * 2
    assert mark_speech(probability).tolist() == expected
    assert not mark_speech(np.zeros(5, np.float32)).any()
    assert mark_speech(np.ones(5, np.float32)).tolist() == [False] * 5
    assert mark_speech(np.full(9, 0.5, np.float32)).tolist() == [False] * 9  # over, not at


def test_no_sound_is_no_speech() -> None:
    for length in (0, 10, 48_000):
        assert measure_speech_share(np.zeros(length, np.int16)) == 0


# --- what is not speech -------------------------------------------------------------------------

TIMES = np.arange(10 * RATE) / RATE


def make_noise(slope: float) -> Samples:
    """Noise whose power falls with frequency^slope: 0 white, 1 pink, 2 brown."""
    spectrum = np.fft.rfft(np.random.default_rng(0).normal(size=len(TIMES)))
    return np.fft.irfft(spectrum / np.arange(1, len(spectrum) + 1) ** (slope / 2), len(TIMES))


def make_hum(hertz: float) -> Samples:
    return np.sum([np.sin(2 * np.pi * hertz * k * TIMES) / k for k in range(1, 12)], axis=0)


def make_music(num_notes: int) -> Samples:
    """Plucked strings: chords of so many notes, two a second."""
    rng = np.random.default_rng(num_notes)
    song = np.zeros(len(TIMES) + RATE)
    decay = np.exp(-4 * TIMES[:RATE])
    for first in range(0, len(TIMES), RATE // 2):
        for semitones in rng.choice([0, 2, 4, 5, 7, 9, 11, 12], num_notes, replace=False):
            hertz = 220 * 2 ** (semitones / 12)
            strings = [np.sin(2 * np.pi * hertz * k * TIMES[:RATE]) / k for k in range(1, 9)]
            song[first : first + RATE] += decay * np.sum(strings, axis=0)
    return song[: len(TIMES)]


NO_SPEECH = {
    "white": make_noise(0),
    "pink": make_noise(1),
    "brown": make_noise(2),
    "hum-50": make_hum(50),
    "hum-60": make_hum(60),
    "tone": np.sin(2 * np.pi * 440 * TIMES),
    "beating": make_noise(1) * (1 + np.sin(2 * np.pi * 4 * TIMES)),
    "melody": make_music(1),
    "chords": make_music(3),
}


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("sound", NO_SPEECH)
def test_noise_hum_and_music_are_no_speech_at_any_level(sound: str, level: float) -> None:
    assert measure_speech_share(set_level(NO_SPEECH[sound], level)) <= 0.1


# --- what is ------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", LEVELS)
def test_a_synthetic_voice_is_speech_at_any_level(level: float) -> None:
    pytest.importorskip("espeakng_loader")
    from toolkit.sample.speech import Voice, open_synthesiser

    with open_synthesiser(Voice(name="en-us+m7", rate=160, pitch=50)) as say:
        spoken = say("The quick brown fox jumps over the lazy dog, and the dog does not mind.")
    assert measure_speech_share(set_level(spoken, level)) >= 0.8


@pytest.mark.real
@pytest.mark.parametrize("corpus", ["ljspeech", "librispeech"])
def test_read_sentences_are_speech_at_any_level(corpus: str, tmp_path: Path) -> None:
    folder = REAL_DATA / "speech"
    if not (folder / "transcripts.csv").is_file():
        pytest.skip("needs the real speech")
    with (folder / "transcripts.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["corpus"] == corpus]
    spoken = np.concatenate([read(folder / row["path"], tmp_path) for row in rows[:100:10]])
    for level in LEVELS:
        assert measure_speech_share(set_level(spoken, level)) >= 0.8


def read(path: Path, folder: Path) -> Samples:
    run_ffmpeg("-i", path, "-ar", "16000", "-ac", "1", folder / "one.wav")
    with wave.open(str(folder / "one.wav")) as file:
        return np.frombuffer(file.readframes(file.getnframes()), np.int16) / 32_768


# --- weights ------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [None, b"", b"no weights"])
def test_weights_that_are_missing_or_others_are_a_set_up_error(
    content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "silero_vad" / "data").mkdir(parents=True)
    (tmp_path / "silero_vad" / "__init__.py").touch()
    if content is not None:
        (tmp_path / "silero_vad" / voice_activity.WEIGHTS).write_bytes(content)
    monkeypatch.syspath_prepend(str(tmp_path))
    voice_activity._load_layers.cache_clear()
    with pytest.raises(SetupError, match=r"pip install silero-vad==6\.2\.3"):
        measure_speech_share(np.zeros(512, np.int16))
    voice_activity._load_layers.cache_clear()
