"""The spectrogram of deepspeech.pytorch, brought to the scale that a network was trained on.

Axes: S samples at 16 kHz, T spectrogram frames (100 a second); frame i is centred on sample 160·i.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.fft import rfft

from toolkit.clock import SAMPLE_RATE
from toolkit.features.voice_activity import STEP, compute_speech_probability, mark_speech

WINDOW, HOP = 320, 160
"""Samples of the Hamming window (20 ms) and between two frames (10 ms) at 16 kHz."""

NUM_BINS = WINDOW // 2 + 1

STATISTICS_BLOCK = 6000
"""Spectrogram frames (1 minute) that are measured together."""

MAX_STRETCH = 30 * SAMPLE_RATE // HOP
"""Frames of the longest stretch that is normalised by itself: an utterance of LibriSpeech."""

MARGIN = SAMPLE_RATE // 4 // HOP
"""Frames on either side of speech that count as its utterance."""

Pcm = npt.NDArray[np.int16]
Frames = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Scaling:
    """Numbers (log(1 + gain · |STFT|) − mean) / deviation that a network was trained on.

    They are the same for every recording: what a network reads of a moment does not depend on what
    stands before or behind it. With a gain of 1000 and more the logarithm's 1 lies under the noise
    of a quiet room, so that another level moves the numbers and hardly changes their pattern.
    """

    gain: float = 1.0
    mean: float
    deviation: float


class Spectrogram:
    """Normalised spectrogram of a signal, computed in stretches so that memory stays bounded.

    |STFT| of the int16 samples over 32767, as deepspeech.pytorch scales them, frames centred and
    the ends mirrored. With a `Scaling` each frame depends on its own samples alone.

    Without one the rule of deepspeech.pytorch holds, log(1 + |STFT|) with mean 0 and standard
    deviation 1 over an utterance: here a stretch of speech (Silero's voice activity, 0.25 s more
    on either side) of at most 30 s, as a recording may hold minutes of silence or noise. Frames
    between two stretches are normalised as the nearer one is; a signal without speech as a whole
    (all 0 where it has no variance).
    """

    def __init__(self, pcm: Pcm, scaling: Scaling | None = None) -> None:
        """Take (S,) int16 samples at 16 kHz; ValueError for anything else."""
        if pcm.ndim != 1 or pcm.dtype != np.int16 or not len(pcm):
            raise ValueError(f"need (S,) int16 samples, got {pcm.shape} {pcm.dtype}")
        self.num_frames = 1 + len(pcm) // HOP
        self._pcm = pcm
        phase = 2 * np.pi * np.arange(WINDOW) / WINDOW
        self._window = (0.54 - 0.46 * np.cos(phase)).astype(np.float32)
        self._gain = np.float32(scaling.gain if scaling else 1.0)
        self._scaling = scaling
        self._ends, self._means, self._factors = self._measure()

    def read(self, first: int, last: int) -> Frames:
        """(161, last − first) float32: frames `[first, last)`."""
        part = np.searchsorted(self._ends, np.arange(first, last), side="right")
        frames: Frames = (self._transform(first, last) - self._means[part]) * self._factors[part]
        return frames

    def _measure(self) -> tuple[npt.NDArray[np.int64], Frames, Frames]:
        """Frames before which each part ends, and its mean and the factor that follows."""
        if self._scaling:
            ends = [self.num_frames]
            values = [(self._scaling.mean, 1 / self._scaling.deviation)]
        else:
            stretches = find_stretches(self._pcm, self.num_frames)
            middles = [(a + b) // 2 for (_, a), (b, _) in itertools.pairwise(stretches)]
            ends = [*middles, self.num_frames]
            values = [self._measure_stretch(*stretch) for stretch in stretches]
        means, factors = np.array(values, np.float32).T
        return np.array(ends, np.int64), means, factors

    def _measure_stretch(self, first: int, last: int) -> tuple[float, float]:
        total = square = 0.0
        for start in range(first, last, STATISTICS_BLOCK):
            block = self._transform(start, min(start + STATISTICS_BLOCK, last))
            total += float(block.sum(dtype=np.float64))
            square += float(np.square(block).sum(dtype=np.float64))
        count = (last - first) * NUM_BINS
        variance = max(square - total**2 / count, 0.0) / (count - 1)
        return total / count, 1 / np.sqrt(variance) if variance > 1e-12 else 0.0

    def _transform(self, first: int, last: int) -> Frames:
        index = np.arange(first * HOP - WINDOW // 2, (last - 1) * HOP + WINDOW // 2)
        samples = self._pcm[_mirror(index, len(self._pcm))].astype(np.float32) / 32767
        frames = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::HOP]
        magnitude: Frames = np.abs(rfft(frames * self._window, axis=1))
        logarithm: Frames = np.log1p(self._gain * magnitude).T
        return logarithm


def _mirror(index: npt.NDArray[np.int64], length: int) -> npt.NDArray[np.int64]:
    """Fold indices into `[0, length)` by mirroring at the first and last sample."""
    if length == 1:
        return np.zeros_like(index)
    folded = np.abs(index) % (2 * (length - 1))
    return np.minimum(folded, 2 * (length - 1) - folded)


def find_stretches(pcm: Pcm, num_frames: int) -> list[tuple[int, int]]:
    """Frames [first, last) of each stretch of speech, apart and in order; all without speech."""
    speech = np.pad(mark_speech(compute_speech_probability(pcm)), 1)
    edges = np.flatnonzero(np.diff(speech.astype(np.int8))) * STEP // HOP
    stretches = list[tuple[int, int]]()
    for start, stop in edges.reshape(-1, 2).tolist():
        first = max(start - MARGIN, stretches[-1][1] if stretches else 0)
        last = min(stop + MARGIN, num_frames)
        stretches += _cut(first, last)
    return stretches or [(0, num_frames)]


def _cut(first: int, last: int) -> Iterator[tuple[int, int]]:
    """Equal parts of at most `MAX_STRETCH`."""
    num_parts = -(-(last - first) // MAX_STRETCH)
    bounds = [first + k * (last - first) // num_parts for k in range(num_parts)]
    return zip(bounds, [*bounds[1:], last], strict=True)


def compute_spectrogram(pcm: Pcm, scaling: Scaling | None = None) -> Frames:
    """(161, 1 + S // 160) float32 normalised spectrogram of (S,) int16 samples at 16 kHz."""
    spectrogram = Spectrogram(pcm, scaling)
    return spectrogram.read(0, spectrogram.num_frames)
