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

WINDOW = 16
"""Frames of a window; index 8 is the frame itself."""

NUM_BANDS, NUM_CEPSTRA = 40, 13
"""Mel bands, and cepstra of them that are kept."""

_SAMPLES = 1024
"""Of the Hann window (64 ms) around a frame: two frames of the clock overlap by half."""

_FLOOR = 1e-6
"""Power under which a band counts as silent: about that of one step of int16."""


# --- frames -------------------------------------------------------------------------------------


def compute_mel(pcm: Pcm, num_frames: int, fps: int) -> Floats:
    """(n, 40) log-mel power, frame t centred at t / fps; the ends are silence."""
    padded = np.pad(pcm / 32768, _SAMPLES)
    centres = np.round(np.arange(num_frames) * SAMPLE_RATE / fps).astype(int) + _SAMPLES
    frames = padded[centres[:, None] + np.arange(-_SAMPLES // 2, _SAMPLES // 2)]
    power = np.abs(rfft(frames * np.hanning(_SAMPLES), axis=1)) ** 2
    return np.asarray(np.log(power @ make_bands().T + _FLOOR), np.float64)


def make_bands() -> Floats:
    """(40, 513) triangles, even from 0 to 8000 Hz on the mel scale 2595 · log10(1 + f / 700)."""
    top = 2595 * np.log10(1 + SAMPLE_RATE / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, top, NUM_BANDS + 2) / 2595) - 1)
    hertz = np.fft.rfftfreq(_SAMPLES, 1 / SAMPLE_RATE)
    low, middle, high = (edges[k : k + NUM_BANDS, None] for k in range(3))
    rise, fall = (hertz - low) / (middle - low), (high - hertz) / (high - middle)
    return np.maximum(0.0, np.minimum(rise, fall))


def compute_mfcc(mel: Floats) -> Floats:
    """(n, 13) cepstra of (n, 40) log-mel frames."""
    return np.asarray(dct(mel, norm="ortho", axis=1)[:, :NUM_CEPSTRA], np.float64)


def rescale(frames: Floats, clean: Floats) -> Floats:
    """(n, d) frames, each number brought to the mean and standard deviation it has in `clean`."""
    standard = (frames - frames.mean(0)) / np.maximum(frames.std(0), 1e-9)
    return standard * clean.std(0) + clean.mean(0)


def make_windows(frames: npt.NDArray[np.floating]) -> Floats:
    """(n − 15, 16 · d) windows of (n, d) frames: row k is about frame k + 8."""
    rows = len(frames) - WINDOW + 1
    return np.hstack([np.asarray(frames[k : k + rows], np.float64) for k in range(WINDOW)])


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
