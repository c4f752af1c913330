"""What a microphone, a room and a telephone do to speech: variety that the recordings lack.

Everything is drawn from the generator that is handed in, and from nothing else. Waveforms are
(S,) float32 of int16's scale over 32767, spectrograms (161, T) float32.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy.fft import irfft, next_fast_len, rfft

from toolkit.clock import SAMPLE_RATE
from toolkit.media.codec import BIT_RATES, CODECS, recode
from zoo.models.deepspeech.surroundings import make_surroundings

Wave = npt.NDArray[np.float32]
Rng = np.random.Generator

SPEED = (0.85, 1.18)
"""Factors of tempo and pitch together: a recording played faster or slower."""

TRACT = (0.88, 1.12)
"""Factors by which the spectrum is stretched: longer and shorter vocal tracts, tempo kept."""

SNR = (0.0, 30.0)
"""dB of speech over noise or babble."""

LOUDNESS = (-50.0, -12.0)
"""dBFS (root mean square) that recordings are brought to."""

REVERBERATION = (0.1, 0.7)
"""Seconds in which a room's echo falls by 60 dB."""

TELEPHONE = (300.0, 3400.0)
"""Hz that a telephone lets through."""

_CHANCES = {
    "speed": 0.8,
    "room": 0.3,
    "telephone": 0.12,
    "tilt": 0.3,
    "noise": 0.6,
    "tract": 0.5,
    "codec": 0.15,
}


class Augmenter:
    """Changes a recording as a day in another place would have."""

    def __init__(self, babble: Callable[[Rng], Wave], seed: int = 0) -> None:
        """`babble` gives a voice that may speak in the background."""
        self._babble = babble
        self._sounds = make_surroundings(seed)

    def change_wave(self, wave: Wave, rng: Rng, strength: float = 1.0) -> npt.NDArray[np.int16]:
        """Another recording of the same words, (S,) int16, every word where it was."""
        wave = self._filter(wave, rng, strength)
        if rng.random() < _CHANCES["noise"] * strength:
            wave = add_noise(wave, self.draw_noise(len(wave), rng), rng.uniform(*SNR))
        pcm = to_pcm(wave, rng.uniform(*LOUDNESS))
        return draw_coding(pcm, rng) if rng.random() < _CHANCES["codec"] * strength else pcm

    def _filter(self, wave: Wave, rng: Rng, strength: float) -> Wave:
        """Room, telephone and the microphone's colour, in one pass over the spectrum."""
        chances = {n: rng.random() < share * strength for n, share in _CHANCES.items()}
        if not any(chances[name] for name in ("room", "telephone", "tilt")):
            return wave
        tail = SAMPLE_RATE if chances["room"] else 0
        size = next_fast_len(len(wave) + tail, real=True)
        spectrum, hertz = rfft(wave, size), np.fft.rfftfreq(size, 1 / SAMPLE_RATE)
        if chances["room"]:
            spectrum = spectrum * rfft(make_room(rng), size)
        if chances["telephone"]:
            low, high = TELEPHONE
            spectrum = spectrum / ((1 + (low / (hertz + 1)) ** 8) * (1 + (hertz / high) ** 16))
        if chances["tilt"]:
            decibels = rng.uniform(-6, 6) * np.log2((hertz + 100) / 1000)
            spectrum = spectrum * 10 ** (decibels / 20)
        return np.asarray(irfft(spectrum, size)[: len(wave)], np.float32)

    def draw_noise(self, num_samples: int, rng: Rng) -> Wave:
        """(num_samples,) of a sound without words, or of voices in the background."""
        if rng.random() < 0.3:
            voices = [
                _repeat(self._babble(rng), num_samples, rng) for _ in range(rng.integers(1, 6))
            ]
            return np.asarray(np.sum(voices, axis=0), np.float32)
        return self.draw_sound(num_samples, rng)

    def draw_sound(self, num_samples: int, rng: Rng) -> Wave:
        """(num_samples,) of a sound without words, at a root mean square of about 1."""
        sound = self._sounds[rng.integers(len(self._sounds))]
        first = rng.integers(len(sound) - num_samples) if len(sound) > num_samples else 0
        return _repeat(sound[first : first + num_samples], num_samples, rng)


def draw_coding(pcm: npt.NDArray[np.int16], rng: Rng) -> npt.NDArray[np.int16]:
    """The samples after some codec at some bit rate."""
    return recode(pcm, str(rng.choice(list(CODECS))), int(rng.choice(BIT_RATES)))


def to_wave(pcm: npt.NDArray[np.int16]) -> Wave:
    """(S,) float32 from int16."""
    return pcm.astype(np.float32) / np.float32(32767)


def to_pcm(wave: Wave, loudness: float) -> npt.NDArray[np.int16]:
    """(S,) int16 at a level of `loudness` dBFS (root mean square), clipped."""
    gain = 10 ** (loudness / 20) / max(measure_level(wave), 1e-5)
    return np.clip(wave * np.float32(32767 * gain), -32768, 32767).astype(np.int16)


def draw_speed(rng: Rng, strength: float = 1.0) -> float:
    """How much faster a recording is to be played."""
    return float(rng.uniform(*SPEED)) if rng.random() < _CHANCES["speed"] * strength else 1.0


def change_speed(wave: Wave, factor: float) -> Wave:
    """Play faster (factor over 1) or slower: (S / factor,) samples."""
    if factor == 1.0:
        return wave
    positions = np.arange(int(len(wave) / factor)) * factor
    return np.interp(positions, np.arange(len(wave)), wave).astype(np.float32)


def add_noise(wave: Wave, noise: Wave, snr: float) -> Wave:
    """`wave` with noise so many dB under it (root mean square over the whole of either)."""
    level = measure_level(noise)
    gain = measure_level(wave) / level * 10 ** (-snr / 20) if level > 0 else 0.0
    return wave + noise * np.float32(gain)


def make_room(rng: Rng) -> Wave:
    """(16000,) impulse response: the direct sound, then noise that dies away."""
    seconds = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    decay = 10 ** (-3 * seconds / rng.uniform(*REVERBERATION))
    echo = rng.standard_normal(SAMPLE_RATE) * decay
    echo[: int(rng.uniform(0.002, 0.02) * SAMPLE_RATE)] = 0  # until the nearest wall answers
    echo *= rng.uniform(0.2, 1.0) / max(float(np.sqrt((echo**2).sum())), 1e-9)
    echo[0] = 1.0
    return echo.astype(np.float32)


def stretch_spectrum(spectrogram: Wave, factor: float) -> Wave:
    """Move what is at bin f to bin f · factor; the top repeats where nothing moves in."""
    bins = np.arange(len(spectrogram))
    source = np.minimum(bins / factor, bins[-1])
    low = np.minimum(source.astype(np.int64), bins[-1] - 1)
    share = (source - low).astype(np.float32)[:, None]
    moved: Wave = spectrogram[low] * (1 - share) + spectrogram[low + 1] * share
    return moved


def draw_tract(rng: Rng, strength: float = 1.0) -> float:
    """Factor for `stretch_spectrum`."""
    return float(rng.uniform(*TRACT)) if rng.random() < _CHANCES["tract"] * strength else 1.0


def mask_spectrogram(spectrogram: Wave, rng: Rng, strength: float = 1.0) -> Wave:
    """Hide bands and moments behind the mean, 0 (SpecAugment, arXiv:1904.08779)."""
    masked = spectrogram.copy()
    num_bins, num_frames = masked.shape
    for _ in range(2):
        width, first = int(rng.uniform(0, 25) * strength), int(rng.integers(num_bins))
        masked[first : first + width] = 0
    for _ in range(1 + num_frames // 300):
        width, first = int(rng.uniform(0, 15) * strength), int(rng.integers(num_frames))
        masked[:, first : first + width] = 0
    return masked


def _repeat(wave: Wave, num_samples: int, rng: Rng) -> Wave:
    """(num_samples,) of a sound that begins anywhere and goes round."""
    return np.take(wave, np.arange(num_samples) + rng.integers(len(wave)), mode="wrap")


def measure_level(wave: Wave) -> float:
    """Root mean square."""
    return float(np.sqrt(np.mean(np.square(wave), dtype=np.float64)))
