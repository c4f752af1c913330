"""Blinks as Das et al. (ECCV 2020, 4.2) find them: sharp drops of the eye aspect ratio (EAR).

The duration of theirs is the number of frames from the start to the end of the drop, and so longer
than at half height: people have 0.41 s by it. They give no threshold; here, n frames of a clip:

1. The signal is the mean EAR of both eyes; frames without one are interpolated.
2. Its level is the running median over `LEVEL_SECONDS`, which no blink moves. What is looked at is
   the share of the level by which the signal is below it.
3. A drop is a peak of that share whose prominence is at least `DEPTH`, and which rises by as much
   within `SHARP_SECONDS` (it is sharp). It reaches over the frames around its peak in which at
   least a tenth of the prominence is left, for at most `MAX_SECONDS`. One that the clip's ends cut
   off counts.
"""

import itertools
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.ndimage import median_filter
from scipy.signal import find_peaks, peak_widths

from toolkit.dataset.blink_stats import count_stretches
from toolkit.schema import Blink
from zoo.metrics.blinks import compare_stretches
from zoo.metrics.series import fill_gaps

Floats = npt.NDArray[np.float64]

LEVEL_SECONDS = 2.0
DEPTH = 0.3
SHARP_SECONDS = 0.1
MAX_SECONDS = 1.0
REST = 0.1
"""Share of a drop's prominence that is left at its ends."""


def find_drops(ear: npt.ArrayLike, fps: int) -> list[Blink]:
    """Drops of the eye aspect ratio (n, 2) of one clip, in order; frames from first to last."""
    signal = fill_gaps(np.asarray(ear, np.float64).mean(axis=1))
    if not np.isfinite(signal).all():
        return []
    level = median_filter(signal, 2 * round(LEVEL_SECONDS * fps / 2) + 1, mode="reflect")
    # clipped, for an eye that opens wide is no base; padded, for a drop may reach the clip's end
    share = np.pad(np.maximum(1 - signal / np.maximum(level, 1e-6), 0), 1)
    step = max(round(SHARP_SECONDS * fps), 1)
    rises = share - np.pad(share, (step, 0))[: len(share)]
    peaks, _ = find_peaks(share, prominence=DEPTH)
    _, _, starts, ends = peak_widths(share, peaks, rel_height=1 - REST)
    valleys = [a + int(share[a:b].argmin()) for a, b in itertools.pairwise(peaks.tolist())]
    first = np.maximum(np.ceil(starts), [1, *(valley + 1 for valley in valleys)][: len(peaks)])
    last = np.minimum(np.floor(ends), [*valleys, len(signal)][: len(peaks)])
    return [
        Blink(onset=start - 1, apex=peak - 1, offset=end - 1)
        for start, peak, end in np.stack([first, peaks, last], axis=1).astype(int).tolist()
        if end - start + 1 <= MAX_SECONDS * fps and rises[start : peak + 1].max() >= DEPTH
    ]


def measure_drop_rate(ear: npt.ArrayLike, fps: int) -> float:
    """Drops a measured second of (n, 2) ratios; NaN where nothing was measured."""
    num_known = int(np.isfinite(np.asarray(ear, np.float64)).all(axis=1).sum())
    return len(find_drops(ear, fps)) * fps / num_known if num_known else math.nan


def measure_drop_duration(ear: npt.ArrayLike, fps: int) -> float:
    """Mean duration of the drops of (n, 2) ratios, s; NaN where there are none."""
    lengths = [drop.offset - drop.onset + 1 for drop in find_drops(ear, fps)]
    return float(np.mean(lengths)) / fps if lengths else math.nan


def compare_drop_stretches(ear: npt.ArrayLike, real_ear: npt.ArrayLike, fps: int) -> float:
    """`blinks.compare_stretches` of the drops of (n, 2) and (m, 2) ratios."""
    return compare_stretches(_list_stretches(ear, fps), _list_stretches(real_ear, fps))


def _list_stretches(ear: npt.ArrayLike, fps: int) -> Sequence[int]:
    """How many 4-second stretches have 0, 1, 2 … drops."""
    onsets = np.array([drop.onset / fps for drop in find_drops(ear, fps)])
    counts = count_stretches(onsets, len(np.asarray(ear)) / fps).astype(np.int64)
    return [int(number) for number in np.bincount(counts)]
