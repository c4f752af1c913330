"""Mel-frequency cepstra as SyncNet and AT-net know them: those of python_speech_features.

Its defaults: windows of 25 ms every 10 ms, cut by a rectangle; pre-emphasis 0.97; a spectrum of 512
points; 26 triangles up to 8 kHz; 13 cepstra, lifted by 22, the first replaced by the logarithm of
the window's energy. Samples count as integers of 16 bits.

Legend: S samples, R rows, F = 257 bins, n frames of a video.
"""

import functools

import numpy as np
import numpy.typing as npt
from scipy.fft import dct

from toolkit.clock import SAMPLE_RATE, frame_to_sample

Floats = npt.NDArray[np.float64]

LENGTH, STEP, NUM_POINTS = 400, 160, 512
NUM_FILTERS, NUM_CEPSTRA, LIFT = 26, 13, 22
PRE_EMPHASIS = 0.97

_BLOCK = 4096
"""Rows that are computed at once."""

WARPED = 0.6
"""Share of the spectrum in which all frequencies are multiplied by a warp."""

FRAME_ROWS = 28
"""Rows of AT-net's window: three frames either side of a frame, at 25 frames a second."""

FRAME_LEAD = 1920
"""Samples by which the first of them begins before the frame: 0.12 s."""

FRAME_CEPSTRA = NUM_CEPSTRA - 1
"""Of each row, all but the first."""


def compute_mfcc(pcm: npt.NDArray[np.int16], warp: float = 1.0) -> npt.NDArray[np.float32]:
    """(R, 13) of samples (S,), 100 a second; R is 1 + ⌈(S − 400)/160⌉, at least 1.

    The last row sees zeros behind the sound.

    Args:
        pcm: 16 kHz.
        warp: by which the bands' frequencies are multiplied, but for the highest: above 1 a voice
            sounds as if its vocal tract were longer.
    """
    samples = np.asarray(pcm, np.float64)
    emphasised = np.append(samples[:1], samples[1:] - PRE_EMPHASIS * samples[:-1])
    num_rows = 1 + max(0, -(-(len(samples) - LENGTH) // STEP))
    padded = np.pad(emphasised, (0, max(0, (num_rows - 1) * STEP + LENGTH - len(samples))))
    rows = np.lib.stride_tricks.sliding_window_view(padded, LENGTH)[::STEP][:num_rows]
    return _compute_rows(rows, warp)


def cut_frame_windows(
    pcm: npt.NDArray[np.int16], first: int, last: int, fps: int
) -> npt.NDArray[np.float32]:
    """Windows (n, 28, 12) of frames [first, last) of a video that begins with the sound.

    Row j of a frame's window begins 0.01·j − 0.12 s after the frame does, whatever the rate of the
    video, and lasts 25 ms; beyond its ends the sound is zeros.

    Args:
        pcm: (S,) 16 kHz.
        first: of the frames.
        last: one past the last frame.
        fps: frames a second.
    """
    frames = np.array([frame_to_sample(frame, fps) for frame in range(first, last)], np.int64)
    starts = frames[:, None] - FRAME_LEAD + STEP * np.arange(FRAME_ROWS)  # (n, 28)
    unique, where = np.unique(starts, return_inverse=True)
    blocks = np.split(unique, range(_BLOCK, len(unique), _BLOCK))
    rows = np.concatenate([_compute_rows(_emphasise_at(pcm, block)) for block in blocks])
    return np.asarray(rows[where.reshape(starts.shape), 1:])


def _emphasise_at(pcm: npt.NDArray[np.int16], starts: npt.NDArray[np.int64]) -> Floats:
    """(R, 400) emphasised samples of windows that begin at these samples."""
    places = starts[:, None] + np.arange(-1, LENGTH)
    inside = (places >= 0) & (places < len(pcm))
    heard = pcm[np.clip(places, 0, len(pcm) - 1)] if len(pcm) else np.zeros_like(places)
    samples = np.where(inside, heard, 0).astype(np.float64)
    return np.asarray(samples[:, 1:] - PRE_EMPHASIS * samples[:, :-1])


def _compute_rows(rows: Floats, warp: float = 1.0) -> npt.NDArray[np.float32]:
    """(R, 13) of emphasised samples (R, 400)."""
    power = np.abs(np.fft.rfft(rows, NUM_POINTS)) ** 2 / NUM_POINTS  # (R, F)
    bands = _keep_off_zero(power @ _make_filters(warp).T)
    cepstra = dct(np.log(bands), type=2, norm="ortho", axis=1)[:, :NUM_CEPSTRA]
    cepstra *= 1 + LIFT / 2 * np.sin(np.pi * np.arange(NUM_CEPSTRA) / LIFT)
    cepstra[:, 0] = np.log(_keep_off_zero(power.sum(axis=1)))
    return np.asarray(cepstra, np.float32)


def _keep_off_zero(values: Floats) -> Floats:
    return np.where(values == 0, np.finfo(float).eps, values)


@functools.cache
def _make_filters(warp: float = 1.0) -> Floats:
    """(26, F) triangles, even on the mel scale."""
    half = SAMPLE_RATE / 2
    top = 2595 * np.log10(1 + half / 700)
    edges = 700 * (10 ** (np.linspace(0, top, NUM_FILTERS + 2) / 2595) - 1)
    if warp != 1:
        bend = WARPED * half / max(warp, 1)
        edges = np.interp(edges, [0, bend, half], [0, warp * bend, half])
    places = np.floor((NUM_POINTS + 1) * edges / SAMPLE_RATE)
    low, middle, high = (places[k : k + NUM_FILTERS, None] for k in range(3))
    bins = np.arange(NUM_POINTS // 2 + 1)
    rising, falling = (bins - low) / (middle - low), (high - bins) / (high - middle)
    inside = (bins >= low) & (bins < high)
    return np.asarray(np.where(bins < middle, rising, falling) * inside)
