"""Blinks as Das et al. (ECCV 2020, 4.2) find them: sharp drops of the eye aspect ratio (EAR).

The duration of theirs is the number of frames from the start to the end of the drop, and so longer
than at half height: people have 0.41 s by it. They give no threshold; here, n frames of a clip:

1. The signal is the mean EAR of both eyes; frames without one are interpolated.
2. Its level is the running median over `LEVEL_SECONDS`, which no blink moves.
3. A drop is a run of frames below `1 - EDGE` of the level whose lowest is below `1 - DEPTH` of it.
   From its first to its lowest frame it takes at most `FALL_SECONDS` (it is sharp), from its first
   to its last at most `MAX_SECONDS`. One that the clip's ends cut off counts.
"""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.ndimage import median_filter

from toolkit.dataset.blink_stats import count_stretches
from toolkit.schema import Blink
from zoo.metrics.blinks import compare_stretches
from zoo.metrics.series import fill_gaps, list_runs

LEVEL_SECONDS = 2.0
EDGE, DEPTH = 0.1, 0.3
"""Shares of the level by which the ratio falls where a drop begins and ends, and at its lowest."""

FALL_SECONDS = 0.25
MAX_SECONDS = 1.0


def find_drops(ear: npt.ArrayLike, fps: int) -> list[Blink]:
    """Drops of the eye aspect ratio (n, 2) of one clip, in order; frames from first to last."""
    signal = fill_gaps(np.asarray(ear, np.float64).mean(axis=1))
    if not np.isfinite(signal).all():
        return []
    level = median_filter(signal, 2 * round(LEVEL_SECONDS * fps / 2) + 1, mode="nearest")
    share = signal / np.maximum(level, 1e-6)
    drops = [
        Blink(onset=first, apex=first + int(share[first:last].argmin()), offset=last - 1)
        for first, last in list_runs(share < 1 - EDGE)
    ]
    return [
        drop
        for drop in drops
        if share[drop.apex] < 1 - DEPTH
        and drop.apex - drop.onset + 1 <= FALL_SECONDS * fps
        and drop.offset - drop.onset + 1 <= MAX_SECONDS * fps
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
