"""How good predicted landmarks are, beside a still face, the mean face and ridge regression.

Legend: n frames of a clip.
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from zoo.data.sound_landmarks import SoundClip
from zoo.landmarks.align import measure_opening
from zoo.landmarks.aligned import AlignedStatistics
from zoo.metrics.baselines import PENALTIES, Ridge, RidgeSums
from zoo.metrics.landmarks import measure_lmd_mouth68
from zoo.metrics.mouth import correlate

Floats = npt.NDArray[np.floating[Any]]
Predict = Callable[[Floats, Floats], Floats]
"""Windows (n, 28, 12) and a face (68, 2), aligned, to aligned landmarks (n, 68, 2)."""

_FLOOR = 1e-4
"""Least deviation that is divided by."""


class Judge:
    """Measures on the measured frames of the clips to choose by; the baselines' figures are kept.

    Attributes:
        ridge: from a frame's standardised window and the face's coefficients to its own
            coefficients, fitted on the clips to train on, each with its first measured face; its
            penalty is the best on the clips to choose by.
    """

    def __init__(
        self,
        trained: Iterable[SoundClip],
        chosen_by: Iterable[SoundClip],
        statistics: AlignedStatistics,
    ) -> None:
        """Fit ridge, and measure what stands beside the model."""
        self._statistics, self._clips = statistics, tuple(chosen_by)
        self.ridge = self._fit(tuple(trained))
        still = measure_landmarks(_repeat, self._clips)
        mean = measure_landmarks(self._predict_mean, self._clips)
        self._beside = {"lmd still": still["lmd"], "lmd mean": mean["lmd"]} | {
            f"{name} ridge": value
            for name, value in measure_landmarks(self.predict_ridge, self._clips).items()
        }

    def measure(self, predict: Predict) -> dict[str, float]:
        """`lmd` and `opening r` of a model, see `measure_landmarks`, and those of the baselines."""
        return measure_landmarks(predict, self._clips) | self._beside

    def predict_ridge(self, windows: Floats, face: Floats) -> Floats:
        """Aligned landmarks (n, 68, 2) by ridge regression."""
        return self._statistics.decode(self.ridge.predict_rows(self._make_rows(windows, face)))

    def _predict_mean(self, windows: Floats, face: Floats) -> Floats:
        return self._statistics.decode(np.zeros((len(windows), len(self._statistics.pcs))))

    def _fit(self, clips: tuple[SoundClip, ...]) -> Ridge:
        self._mean, self._scale = _standardise(clips)
        sums = RidgeSums()
        for clip in clips:
            target = self._statistics.encode(clip.points[clip.valid])
            sums.add_rows(self._make_rows(clip.windows, take_face(clip))[clip.valid], target)
        return min(map(sums.solve, PENALTIES), key=self._sum_squares)

    def _sum_squares(self, ridge: Ridge) -> float:
        total = 0.0
        for clip in self._clips:
            pred = ridge.predict_rows(self._make_rows(clip.windows, take_face(clip)))
            error = pred - self._statistics.encode(clip.points)
            total += float(np.square(error)[clip.valid].sum())
        return total

    def _make_rows(self, windows: Floats, face: Floats) -> Floats:
        sound = ((windows - self._mean) / self._scale).reshape(len(windows), -1)
        code = self._statistics.encode(face)
        return np.concatenate([sound, np.tile(code, (len(windows), 1))], axis=1)


def take_face(clip: SoundClip) -> npt.NDArray[np.float32]:
    """The first measured face (68, 2) of a clip: the picture that is given when it is judged."""
    return np.asarray(clip.points[clip.valid.argmax()])


def measure_landmarks(predict: Predict, clips: Iterable[SoundClip]) -> dict[str, float]:
    """Figures over the measured frames of clips, each given its first measured face.

    Returns:
        `lmd`: mean distance of the 20 points of the lips, less their centroid, of aligned faces;
        `opening r`: correlation of how far the mouth is open with how far it really is, all frames
        together.
    """
    distances, openings, real = list[npt.NDArray[np.float64]](), [], []
    for clip in clips:
        pred = np.asarray(predict(clip.windows, take_face(clip)))
        distances.append(measure_lmd_mouth68(pred, clip.points)[clip.valid])
        openings.append(measure_opening(pred)[clip.valid])
        real.append(measure_opening(clip.points)[clip.valid])
    return {
        "lmd": float(np.concatenate(distances).mean()),
        "opening r": correlate(np.concatenate(openings), np.concatenate(real)),
    }


def _repeat(windows: Floats, face: Floats) -> Floats:
    return np.repeat(face[None], len(windows), axis=0)


def _standardise(clips: Iterable[SoundClip]) -> tuple[Floats, Floats]:
    """Mean and deviation (12,) of the first row of every frame's window."""
    rows = np.concatenate([clip.windows[:, 0] for clip in clips]).astype(np.float64)
    return rows.mean(axis=0), np.maximum(rows.std(axis=0), _FLOOR)
