"""The one clock: integer frames at a fixed rate, integer samples at 16 kHz.

Every stage that turns a duration into a count uses these functions and no other arithmetic.
"""

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # every command imports this module: `ttk --help` must not wait for numpy
    import numpy as np
    import numpy.typing as npt

SAMPLE_RATE = 16_000
"""Audio samples a second, everywhere."""

FRAME_RATES = (25, 30)
"""Frame rates a dataset may have."""

TOLERANCE = 5e-4
"""Seconds by which a source frame may be late and still be shown (container rounding)."""

MAX_SHIFT = 0.5
"""Clock frames: a source frame is shown by less than this before its time, or after the time of
the next one, and only so that none is lost."""

_REACH = 15
"""Clock frames that are shifted at most so that one source frame is not lost."""

_FEW, _CROWDED = 8, 0.1
"""Frames stand still where more than so many in a row come by steps of at most this share of the
usual one: a few in a row do in many files, after a stall for example."""

HOLE = 0.2
"""Seconds between frames that are no rate's, in a source that has shorter ones too."""


def suits_25(source_fps: float, fps: int) -> bool:
    """Whether a source's frames fit a clock of 25 (to 6 %), but are repeated on this faster one."""
    return fps > 25 and abs(source_fps - 25) <= 1.5


def frame_to_sample(frame: int, fps: int) -> int:
    """First audio sample of a frame: `frame · 16000 // fps`, so that neighbouring clips tile."""
    return frame * SAMPLE_RATE // fps


def count_samples(start_frame: int, num_frames: int, fps: int) -> int:
    """Audio samples of a clip: those of `[start, start + num)` on the source's clock."""
    return frame_to_sample(start_frame + num_frames, fps) - frame_to_sample(start_frame, fps)


def show_frames(
    times: "npt.NDArray[np.float64]", first: int, last: int, fps: int
) -> "npt.NDArray[np.int64]":
    """Index of the source frame shown at each clock frame of `[first, last)`.

    A source frame is shown from its presentation time (to within 0.5 ms) to that of the next one.
    Where times jitter, two may thereby fall on one clock frame and none on another near by: those
    between are shown one clock frame earlier, or later, so that none is lost, if that is less than
    half a clock frame outside the time of each. A steady rate has no such places.

    Args:
        times: (F,) presentation times of all the source's frames, s, ascending.
        first: first clock frame.
        last: one past the last clock frame.
        fps: clock rate.

    Returns:
        (last − first,) index; −1 before the first source frame. It depends on the source's times
        alone, not on where `first` and `last` lie.
    """
    import numpy as np

    clock = np.arange(max(last, math.ceil(times[-1] * fps) + 1))
    shown = np.searchsorted(times, clock / fps + TOLERANCE, side="right").astype(np.int64) - 1
    _recover_lost(shown[: np.searchsorted(shown, len(times) - 1) + 1], times * fps)
    return shown[first:last]


def find_stuck(times: "npt.NDArray[np.float64]") -> "npt.NDArray[np.bool_]":
    """Frames whose times stand still, as those of recordings joined without their times do.

    The usual step is the one up to which steps fill half of the time, holes aside: so it does not
    depend on how many frames stand still.

    Args:
        times: (F,) presentation times, s, ascending.

    Returns:
        (F,) bool; the first frame at such a time is none of them.
    """
    import numpy as np

    steps = np.diff(times)
    by_length = np.sort(steps[steps <= HOLE])
    filled = np.cumsum(by_length)
    usual = by_length[np.searchsorted(filled, filled[-1] / 2)] if len(filled) else 0.0
    return keep_runs(np.append(False, steps <= _CROWDED * usual), _FEW + 1)


def keep_runs(flags: "npt.NDArray[np.bool_]", shortest: int) -> "npt.NDArray[np.bool_]":
    """The flags (N,) whose run is at least so long."""
    import numpy as np

    kept = np.zeros(len(flags), bool)
    for start, stop in find_runs(flags):
        kept[start:stop] = stop - start >= shortest
    return kept


def find_runs(flags: "npt.NDArray[np.bool_]") -> list[tuple[int, int]]:
    """(first, one past the last) of each run of flags (N,)."""
    import numpy as np

    edges = np.flatnonzero(np.diff(flags, prepend=False, append=False)).reshape(-1, 2)
    return [(start, stop) for start, stop in edges.tolist()]


def _recover_lost(shown: "npt.NDArray[np.int64]", times: "npt.NDArray[np.float64]") -> None:
    """Show, in place, frames that jitter makes fall on one clock frame with another.

    Args:
        shown: (n,) index of the source frame at each clock frame, up to where the last is shown.
        times: (F,) of the source frames, in clock frames.
    """
    import numpy as np

    steps = np.diff(shown, prepend=-1)
    if not (np.any(steps > 1) and np.any(steps[shown >= 0] == 0)):
        return  # a steady rate, higher or lower than the clock's
    repeats, losses = list[int](), list[int]()  # clock frames to make up for
    for frame in np.flatnonzero(steps != 1).tolist():
        if steps[frame] == 0 and not _shift(shown, times, losses, frame, -1):
            repeats.append(frame)
        for _ in range(steps[frame] - 1):
            if not _shift(shown, times, repeats, frame, 1):
                losses.append(frame)
    _shift(shown, times, repeats, len(shown) - 1, 1)


def _shift(
    shown: "npt.NDArray[np.int64]",
    times: "npt.NDArray[np.float64]",
    starts: list[int],
    stop: int,
    step: int,
) -> bool:
    """Whether the next (`step` 1) or previous (−1) source frames can be shown at [start, stop).

    If so, they are, and the last of `starts` is used up; if not, all are: later ones hold this
    stretch too.
    """
    import numpy as np

    if not starts:
        return False
    start = starts.pop()
    here = shown[start:stop]
    distance = np.arange(start, stop) - times[here + (step > 0)]
    if stop - start > _REACH or np.any(-step * distance >= MAX_SHIFT):
        starts.clear()
        return False
    here += step
    return True
