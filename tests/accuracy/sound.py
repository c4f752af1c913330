"""What the speech features are measured beside: log-mel and MFCC frames; and noise to bury speech.

Axes: S samples at 16 kHz, n frames on the clock.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.fft import dct, irfft, rfft

from toolkit.clock import SAMPLE_RATE

Floats = npt.NDArray[np.float64]
Pcm = npt.NDArray[np.int16]
Frames = npt.NDArray[np.int64]

WINDOW = 16
"""Frames of a window; index 8 is the frame itself."""

NUM_BANDS, NUM_CEPSTRA = 40, 13
"""Mel bands, and cepstra of them that are kept."""

CLAP = 480
"""Samples of a clap of hands."""

_SAMPLES = 1024
"""Of the Hann window (64 ms) around a frame: two frames of the clock overlap by half."""

_FLOOR = 1e-6
"""Power under which a band counts as silent: about that of one step of int16."""


# --- frames -------------------------------------------------------------------------------------


def compute_mel(pcm: Pcm, num_frames: int, fps: int, num_bands: int = NUM_BANDS) -> Floats:
    """(n, 40) log-mel power, frame t centred at t / fps; the ends are silence."""
    padded = np.pad(pcm / 32768, _SAMPLES)
    centres = np.round(np.arange(num_frames) * SAMPLE_RATE / fps).astype(int) + _SAMPLES
    frames = padded[centres[:, None] + np.arange(-_SAMPLES // 2, _SAMPLES // 2)]
    power = np.abs(rfft(frames * np.hanning(_SAMPLES), axis=1)) ** 2
    return np.asarray(np.log(power @ make_bands(num_bands).T + _FLOOR), np.float64)


def make_bands(num_bands: int = NUM_BANDS) -> Floats:
    """(40, 513) triangles, even from 0 to 8000 Hz on the mel scale 2595 · log10(1 + f / 700)."""
    top = 2595 * np.log10(1 + SAMPLE_RATE / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, top, num_bands + 2) / 2595) - 1)
    hertz = np.fft.rfftfreq(_SAMPLES, 1 / SAMPLE_RATE)
    low, middle, high = (edges[k : k + num_bands, None] for k in range(3))
    rise, fall = (hertz - low) / (middle - low), (high - hertz) / (high - middle)
    return np.maximum(0.0, np.minimum(rise, fall))


def compute_mfcc(mel: Floats) -> Floats:
    """(n, 13) cepstra of (n, 40) log-mel frames."""
    return np.asarray(dct(mel, norm="ortho", axis=1)[:, :NUM_CEPSTRA], np.float64)


def rescale(frames: Floats, clean: Floats) -> Floats:
    """(n, d) frames, each number brought to the mean and standard deviation it has in `clean`."""
    standard = (frames - frames.mean(0)) / np.maximum(frames.std(0), 1e-9)
    return standard * clean.std(0) + clean.mean(0)


# --- noise --------------------------------------------------------------------------------------


def make_pink(num_samples: int, seed: int = 0) -> Floats:
    """(S,) noise whose power falls with frequency from 50 Hz on, standard deviation 1."""
    spectrum = rfft(np.random.default_rng(seed).standard_normal(num_samples))
    hertz = np.fft.rfftfreq(num_samples, 1 / SAMPLE_RATE)
    noise = np.asarray(irfft(spectrum / np.sqrt(np.maximum(hertz, 50)), num_samples), np.float64)
    return noise / noise.std()


def make_babble(voices: Sequence[Pcm], num_samples: int) -> Floats:
    """(S,) of voices that all talk at once, equally loud, each over and over."""
    total = np.zeros(num_samples)
    for voice in voices:
        total += np.resize(voice / np.std(voice), num_samples)
    return total / total.std()


def mix(pcm: Pcm, noise: Floats, decibels: float) -> Pcm:
    """(S,) int16: speech and noise so many dB under it, root mean square over all of either.

    The sum is made quieter as a whole where it would not fit into int16.
    """
    speech = pcm.astype(np.float64)
    gain = np.sqrt(np.mean(speech**2) / np.mean(noise**2)) * 10 ** (-decibels / 20)
    total = speech + gain * noise
    return np.round(total * min(1.0, 32767 / np.abs(total).max())).astype(np.int16)


def make_applause(num_samples: int, seed: int = 0) -> Floats:
    """(S,) of 60 pairs of hands, each clapping three to five times a second, standard deviation 1.

    A clap is a short burst of noise with a pitch of its own, as loud as its hands are near.
    """
    rng = np.random.default_rng(seed)
    total = np.zeros(num_samples + CLAP)
    for _ in range(60):
        clap, pause = rng.uniform(0.2, 1) * _make_clap(rng), 1 / rng.uniform(3, 5)
        start = rng.uniform(0, pause)
        while (first := round(start * SAMPLE_RATE)) < num_samples:
            total[first : first + CLAP] += clap
            start += pause * rng.uniform(0.9, 1.1)
    return total[:num_samples] / total[:num_samples].std()


def _make_clap(rng: np.random.Generator) -> Floats:
    """(480,) a resonance of 700 to 2500 Hz and noise, which fade in 5 ms."""
    seconds = np.arange(CLAP) / SAMPLE_RATE
    tone = np.sin(2 * np.pi * rng.uniform(700, 2500) * seconds)
    return np.asarray((tone + rng.normal(0, 1, CLAP)) * np.exp(-seconds / 0.005), np.float64)


def make_music(num_samples: int, seed: int = 0) -> Floats:
    """(S,) of chords of eight harmonics, one a second, with drums, standard deviation 1."""
    rng = np.random.default_rng(seed)
    total = np.zeros(num_samples)
    seconds = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    fade = np.minimum(1, 50 * seconds) * np.exp(-1.5 * seconds)
    for beat in range(-(-num_samples // SAMPLE_RATE)):
        root = 110 * 2 ** (rng.choice([0, 5, 7, 9]) / 12)
        sound = fade * sum(_make_note(root * 2 ** (k / 12), seconds) for k in (0, 4, 7))
        sound += 2 * np.exp(-seconds / 0.05) * np.sin(2 * np.pi * 60 * seconds)
        half = SAMPLE_RATE // 2
        sound[half:] += np.exp(-seconds[:-half] / 0.03) * rng.normal(0, 1, half)
        part = total[beat * SAMPLE_RATE : (beat + 1) * SAMPLE_RATE]
        part += sound[: len(part)]
    return total / total.std()


def _make_note(hertz: float, seconds: Floats) -> Floats:
    """The first eight harmonics, each weaker than the one before."""
    orders = np.arange(1, 9)[:, None]
    return np.asarray((np.sin(2 * np.pi * hertz * orders * seconds) / orders).sum(0), np.float64)


def set_level(sound: npt.NDArray[np.floating | np.int16], dbfs: float) -> Pcm:
    """(S,) int16 with that root mean square, a full-scale square wave being 0 dB.

    Quieter as a whole where it would not fit into int16.
    """
    wave = np.asarray(sound, np.float64)
    gain = 32767 * 10 ** (dbfs / 20) / np.sqrt(np.mean(wave**2))
    return np.round(wave * min(gain, 32767 / np.abs(wave).max())).astype(np.int16)
