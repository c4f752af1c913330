"""Mel spectra as StyleHEAT's audio branch reads them: 80 bands, 80 steps a second.

The supplement says "a ∈ R^80 per second"; the released loader reads 80 bands at 80 steps a second,
and its settings were not released. Those of Wav2Lip have the same numbers and are taken: pre-
emphasis 0.97, Hann windows of 800 samples every 200, 55 to 7600 Hz, Slaney's mel scale and
triangles of equal area, decibels less 20, of which −100 to 0 become −4 to 4.

Legend: S samples, n frames of a video, 401 bins.
"""

import functools

import numpy as np
import numpy.typing as npt

from toolkit.clock import SAMPLE_RATE

Floats = npt.NDArray[np.float64]

LENGTH, STEP = 800, 200
NUM_BANDS, NUM_STEPS = 80, 32
LEAST, MOST = 55.0, 7600.0
"""Hz."""

PRE_EMPHASIS = 0.97
REFERENCE, FLOOR, RANGE = 20.0, -100.0, 4.0
"""dB that are taken off, the least dB, and what 0 dB becomes."""

LEAD = 4
"""Frames at 25 a second by which a window begins before its frame."""

TICK = SAMPLE_RATE // 25
"""Samples of a frame at 25 a second."""

_BLOCK = 4096
"""Steps that are computed at once."""


def cut_mel_windows(pcm: npt.NDArray[np.int16], first: int, last: int) -> npt.NDArray[np.float32]:
    """Windows (n, 32, 80) of frames [first, last), 25 a second, of a video that begins with sound.

    The middle of step j of a frame's window lies 0.0125·j − 0.16 s from the frame; beyond its ends
    the sound is zeros.

    Args:
        pcm: (S,) 16 kHz, a sample at least.
        first: of the frames.
        last: one past the last frame.
    """
    starts = (np.arange(first, last) - LEAD) * TICK
    middles = starts[:, None] + STEP * np.arange(NUM_STEPS)  # (n, 32)
    unique, where = np.unique(middles, return_inverse=True)
    blocks = np.split(unique, range(_BLOCK, len(unique), _BLOCK))
    rows = np.concatenate([_measure_bands(pcm, block) for block in blocks])
    return np.asarray(rows[where.reshape(middles.shape)])


def _measure_bands(
    pcm: npt.NDArray[np.int16], middles: npt.NDArray[np.int64]
) -> npt.NDArray[np.float32]:
    """(k, 80) float32, −4 to 4, of windows about these samples."""
    places = middles[:, None] + np.arange(-LENGTH // 2 - 1, LENGTH // 2)
    inside = (places >= 0) & (places < len(pcm))
    samples = np.where(inside, pcm[np.clip(places, 0, len(pcm) - 1)] / 32768, 0.0)
    emphasised = samples[:, 1:] - PRE_EMPHASIS * samples[:, :-1]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(LENGTH) / LENGTH)
    bands = np.abs(np.fft.rfft(emphasised * hann)) @ make_triangles().T
    decibels = 20 * np.log10(np.maximum(bands, 10 ** (FLOOR / 20))) - REFERENCE
    scaled = 2 * RANGE * (decibels - FLOOR) / -FLOOR - RANGE
    return np.asarray(scaled.clip(-RANGE, RANGE), np.float32)


@functools.cache
def make_triangles() -> Floats:
    """(80, 401), each of area 1 over Hz."""
    edges = _to_hertz(np.linspace(_to_mel(LEAST), _to_mel(MOST), NUM_BANDS + 2))
    bins = np.linspace(0, SAMPLE_RATE / 2, LENGTH // 2 + 1)
    low, middle, high = (edges[k : k + NUM_BANDS, None] for k in range(3))
    rising, falling = (bins - low) / (middle - low), (high - bins) / (high - middle)
    return np.asarray(np.minimum(rising, falling).clip(0) * 2 / (high - low))


_LINEAR = 200 / 3
"""Hz of a mel up to 1000 Hz; above, 27 mel are a factor of 6.4 (Slaney's Auditory Toolbox)."""


def _to_mel(hertz: float) -> float:
    if hertz < 1000:
        return hertz / _LINEAR
    return float(1000 / _LINEAR + 27 * np.log(hertz / 1000) / np.log(6.4))


def _to_hertz(mel: Floats) -> Floats:
    linear = 1000 / _LINEAR
    above = 1000 * 6.4 ** (np.maximum(mel - linear, 0) / 27)
    return np.where(mel < linear, mel * _LINEAR, above)
