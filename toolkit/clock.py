"""The one clock: integer frames at a fixed rate, integer samples at 16 kHz.

Every stage that turns a duration into a count uses these functions and no other arithmetic.
"""

import numpy as np
import numpy.typing as npt

SAMPLE_RATE = 16_000
"""Audio samples a second, everywhere."""

FRAME_RATES = (25, 30)
"""Frame rates a dataset may have."""

TOLERANCE = 5e-4
"""Seconds by which a source frame may be late and still be shown (container rounding)."""


def frame_to_sample(frame: int, fps: int) -> int:
    """First audio sample of a frame: `frame · 16000 // fps`, so that neighbouring clips tile."""
    return frame * SAMPLE_RATE // fps


def count_samples(start_frame: int, num_frames: int, fps: int) -> int:
    """Audio samples of a clip: those of `[start, start + num)` on the source's clock."""
    return frame_to_sample(start_frame + num_frames, fps) - frame_to_sample(start_frame, fps)


def show_frames(
    times: npt.NDArray[np.float64], first: int, last: int, fps: int
) -> npt.NDArray[np.int64]:
    """Index of the source frame shown at each clock frame of `[first, last)`.

    Args:
        times: (F,) presentation times of the source frames, s, ascending.
        first: first clock frame.
        last: one past the last clock frame.
        fps: clock rate.

    Returns:
        (last − first,) index of the last source frame whose time is ≤ t/fps + 0.5 ms;
        −1 before the first source frame.
    """
    clock = np.arange(first, last) / fps + TOLERANCE
    return np.searchsorted(times, clock, side="right").astype(np.int64) - 1
