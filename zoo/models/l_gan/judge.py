"""How good predicted landmarks are, beside a still face and ridge regression on the same window.

Legend: n frames of a clip, K taps of a frame.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from zoo.data.landmarks import LandmarkClip, LandmarkClips
from zoo.landmarks.align import measure_opening
from zoo.metrics.baselines import PENALTIES, Ridge, RidgeSums
from zoo.metrics.landmarks import measure_lmd_mouth68
from zoo.metrics.mouth import correlate

Floats = npt.NDArray[np.float32]
Predict = Callable[[Floats], npt.NDArray[np.floating[Any]]]
"""Scores (n, K, 29) to canonical landmarks (n, 68, 2)."""

_FLOOR = 1e-4
"""Least deviation that is divided by."""


def standardise(clips: LandmarkClips, *, centred: bool = False) -> tuple[Floats, Floats]:
    """Mean and deviation (29,) of the frames' own scores.

    Args:
        clips: that are trained on.
        centred: of each frame's scores their mean over the symbols is taken away first.
    """
    rows = np.concatenate([clip.scores[:, clip.scores.shape[1] // 2] for clip in clips])
    if centred:
        rows = rows - rows.mean(axis=1, keepdims=True)
    mean = rows.mean(axis=0, dtype=np.float64)
    deviation = np.sqrt(np.square(rows - mean).mean(axis=0))
    return mean.astype(np.float32), np.maximum(deviation, _FLOOR).astype(np.float32)


class Judge:
    """Measures on the measured frames of the clips to choose by; the baselines' figures are kept.

    Attributes:
        ridge: from the standardised window of a frame to its landmarks, fitted on the clips to
            train on; its penalty is the best on the clips to choose by.
    """

    def __init__(
        self, trained: LandmarkClips, chosen_by: LandmarkClips, mean: Floats, scale: Floats
    ) -> None:
        """Fit ridge and measure it and the still face; `mean` and `scale` as `standardise`'s."""
        self._clips, self._mean, self._scale = chosen_by.clips, mean, scale
        neutral = trained.canonical_neutral
        self.ridge = self._fit(trained)
        still = measure_landmarks(
            lambda scores: np.repeat(neutral[None], len(scores), axis=0), self._clips
        )
        self._beside = {"lmd still": still["lmd"]} | {
            f"{name} ridge": value
            for name, value in measure_landmarks(self.predict_ridge, self._clips).items()
        }

    def measure(self, predict: Predict) -> dict[str, float]:
        """`lmd` and `opening r` of a model, see `measure_landmarks`, and those of the baselines."""
        return measure_landmarks(predict, self._clips) | self._beside

    def predict_ridge(self, scores: Floats) -> npt.NDArray[np.float64]:
        """Canonical landmarks (n, 68, 2) by ridge regression."""
        return self.ridge.predict_rows(self._make_rows(scores)).reshape(-1, 68, 2)

    def _fit(self, trained: LandmarkClips) -> Ridge:
        sums = RidgeSums()
        for clip in trained:
            target = clip.canonical[clip.valid].reshape(-1, 136)
            sums.add_rows(self._make_rows(clip.scores)[clip.valid], target)
        return min(map(sums.solve, PENALTIES), key=self._sum_squares)

    def _sum_squares(self, ridge: Ridge) -> float:
        total = 0.0
        for clip in self._clips:
            pred = ridge.predict_rows(self._make_rows(clip.scores)).reshape(-1, 68, 2)
            total += float(np.square(pred - clip.canonical)[clip.valid].sum())
        return total

    def _make_rows(self, scores: Floats) -> Floats:
        standard: Floats = (scores - self._mean) / self._scale
        return standard.reshape(len(scores), -1)


def measure_landmarks(predict: Predict, clips: tuple[LandmarkClip, ...]) -> dict[str, float]:
    """Figures over the measured frames of clips.

    Returns:
        `lmd`: mean distance of the 20 points of the lips, less their centroid, in canonical units;
        `opening r`: correlation of how far the mouth is open with how far it really is, all frames
        together.
    """
    distances, openings, real = list[npt.NDArray[np.float64]](), [], []
    for clip in clips:
        pred = np.asarray(predict(clip.scores))
        distances.append(measure_lmd_mouth68(pred, clip.canonical)[clip.valid])
        openings.append(measure_opening(pred)[clip.valid])
        real.append(measure_opening(clip.canonical)[clip.valid])
    return {
        "lmd": float(np.concatenate(distances).mean()),
        "opening r": correlate(np.concatenate(openings), np.concatenate(real)),
    }
