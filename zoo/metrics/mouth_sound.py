"""How well a mouth follows its sound: the correlation of opening and loudness, and its lag.

The same measurement as the manifest's columns `mouth_audio_corr` and `mouth_audio_lag`.
"""

import math

import numpy as np
import numpy.typing as npt

from toolkit.dataset.rows import measure_opening_ratio
from toolkit.media.audio import measure_agreement
from zoo.metrics.series import fill_gaps


def measure_correlation(landmarks: npt.ArrayLike, pcm: npt.NDArray[np.int16], fps: int) -> float:
    """Largest correlation of opening and loudness over lags of ±0.3 s, −1 to 1.

    Args:
        landmarks: (n, 478, 2 or 3) px; frames without a face are interpolated.
        pcm: (S,) int16 of the same n frames.
        fps: frames a second.
    """
    return _measure(landmarks, pcm, fps)[0]


def measure_lag(landmarks: npt.ArrayLike, pcm: npt.NDArray[np.int16], fps: int) -> float:
    """The lag of that correlation, s; over 0 the picture is late; NaN where it is not sure."""
    lag = _measure(landmarks, pcm, fps)[1]
    return math.nan if lag is None else lag


def _measure(
    landmarks: npt.ArrayLike, pcm: npt.NDArray[np.int16], fps: int
) -> tuple[float, float | None]:
    opening = fill_gaps(measure_opening_ratio(np.asarray(landmarks, np.float32)))
    if not len(pcm) or not np.isfinite(opening).all():
        return math.nan, None
    return measure_agreement(opening, pcm, fps)
