"""What each clock frame of a source shows, and where it shows nothing new.

Time without pictures is no measurement, whether the file leaves it out (a hole, a recording of
variable rate, a slide show) or fills it with copies of one picture (a still).
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from toolkit.clock import TOLERANCE, keep_runs, show_frames
from toolkit.ingest.track import Track
from toolkit.media.video import check_span

MAX_REPEATS = 5
"""Clock frames in a row that may show a picture again; more of them belong to no clip."""

SAME = 4.0
"""A picture whose thumbnail differs by at most so many levels anywhere is a copy of the one before.
Of 51 real files, 44 have none of these, six have no more than two on end, in rates that were
raised, and one begins with three; stills are made of them but for a key frame now and then."""

_OVERDUE = 1.75
"""A picture that stays for more than so many times the mean time between pictures is stale: the
next one is missing. At 25 pictures a second on a clock of 30, every fifth stays for 1.67."""

_DUE = 0.85
"""The next picture is due after so many times the mean, which missing ones lengthen."""


@dataclass(frozen=True)
class Timeline:
    """What the N clock frames show from the source's start to the end of its picture.

    Attributes:
        shown: (N,) int64 source frame; −1 before the first.
        pictures: (N,) int64 its distinct picture, copies counted as one; −1 before the first.
        stale: (N,) bool, the picture shown is shown again though the next one was due.
        still: (N,) bool, frames of stretches without a new picture for over `MAX_REPEATS` frames.
    """

    shown: npt.NDArray[np.int64]
    pictures: npt.NDArray[np.int64]
    stale: npt.NDArray[np.bool_]
    still: npt.NDArray[np.bool_]

    @property
    def first(self) -> int:
        """The first frame that shows a picture."""
        return int(np.searchsorted(self.shown, 0))


def lay_out(track: Track, fps: int) -> Timeline:
    """The timeline of a source on a clock of `fps` frames a second.

    Raises:
        SourceError: see `check_span`.
    """
    check_span(track.times)
    shown = show_frames(track.times, 0, count_picture_frames(track, fps), fps)
    copies = track.changes <= SAME
    pictures = _number(copies, shown)
    usual = _measure_interval(track.times[~copies & ~track.stuck], fps)
    return Timeline(shown, pictures, _find_stale(track, shown, usual, fps), _find_still(pictures))


def count_picture_frames(track: Track, fps: int) -> int:
    """Clock frames a source's picture lasts, its last frame being shown as long as most are.

    At least one shows it, however short it is.
    """
    end = float(track.times[-1]) + track.frame_seconds
    first = max(0, math.ceil((float(track.times[0]) - TOLERANCE) * fps))
    return max(first + 1, math.ceil((end - TOLERANCE) * fps))


def _number(copies: npt.NDArray[np.bool_], shown: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """(N,) number of the picture that each clock frame shows, copies (F,) not counted."""
    return np.asarray(np.where(shown < 0, -1, (np.cumsum(~copies) - 1)[shown]), np.int64)


def _measure_interval(times: npt.NDArray[np.float64], fps: int) -> float:
    """Mean time (s) between pictures, holes aside; endless where there is nothing but holes."""
    steps = np.diff(times)
    steps = steps[steps * fps <= MAX_REPEATS + 1]
    return float(steps.mean()) if len(steps) else math.inf


def _find_stale(
    track: Track, shown: npt.NDArray[np.int64], usual: float, fps: int
) -> npt.NDArray[np.bool_]:
    copies = keep_runs(track.changes <= SAME, 2)  # one alone may be a quiet moment
    pictures, times = _number(copies, shown), track.times[~copies]
    end = track.times[-1] + track.frame_seconds
    stays = np.diff(times, append=end) > _OVERDUE * usual
    is_due = np.arange(len(shown)) / fps >= times[pictures] + _DUE * usual
    repeated = np.diff(pictures, prepend=-1) == 0
    return np.asarray(repeated & (pictures >= 0) & stays[pictures] & is_due)


def _find_still(pictures: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Long repeats, and what is too short between them to be anything else."""
    repeated = (np.diff(pictures, prepend=-1) == 0) & (pictures >= 0)
    still = keep_runs(repeated, MAX_REPEATS + 1)
    visible = pictures >= 0
    return visible & ~keep_runs(visible & ~still, MAX_REPEATS + 1) if still.any() else still
