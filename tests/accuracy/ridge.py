"""Ridge regression judged on blocks of time that it was not fitted on.

Axes: n frames, d numbers of a window, P penalties.
"""

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_factor, cho_solve

Floats = npt.NDArray[np.float64]
Frames = npt.NDArray[np.int64]
Key = TypeVar("Key", bound=Hashable)

PENALTIES = 10.0 ** np.arange(-3, 4)
"""What is added to the diagonal of the covariance of the standardised numbers."""

NUM_FOLDS = 5


@dataclass(frozen=True)
class Ridge:
    """Fits for all penalties: y = offset + ((x − mean) / scale) · weights[:, p]."""

    mean: Floats
    scale: Floats
    weights: Floats
    offset: float

    def predict(self, x: Floats) -> Floats:
        """(n, P) predictions of (n, d) windows."""
        return self.offset + ((x - self.mean) / self.scale) @ self.weights


def fit_ridge(x: Floats, y: Floats, penalties: Floats) -> Ridge:
    """Standardise each of the d numbers, and solve for every penalty."""
    mean, scale = x.mean(0), np.maximum(x.std(0), 1e-9)
    z, offset = (x - mean) / scale, float(y.mean())
    covariance, target = z.T @ z / len(z), z.T @ (y - offset) / len(z)
    diagonal = np.eye(len(covariance))
    weights = [cho_solve(cho_factor(covariance + p * diagonal), target) for p in penalties]
    return Ridge(mean, scale, np.stack(weights, axis=1), offset)


def cut_folds(frames: Frames, num_folds: int, gap: int) -> Iterator[tuple[Frames, Frames]]:
    """(fitted on, judged on) for contiguous blocks of (n,) ascending frames, as positions in them.

    No frame that is fitted on lies within `gap` frames of the block that is judged.
    """
    for block in np.array_split(np.arange(len(frames)), num_folds):
        first, last = frames[block[0]], frames[block[-1]]
        outside = (frames < first - gap) | (frames > last + gap)
        yield np.flatnonzero(outside), block


def choose_penalty(x: Floats, y: Floats, frames: Frames, gap: int) -> float:
    """The penalty with the least squared error over folds within these frames."""
    errors = np.zeros(len(PENALTIES))
    for fitted, judged in cut_folds(frames, NUM_FOLDS - 1, gap):
        found = fit_ridge(x[fitted], y[fitted], PENALTIES).predict(x[judged])
        errors += ((found - y[judged, None]) ** 2).sum(0)
    return float(PENALTIES[int(errors.argmin())])


def predict_blocks(
    x: Floats, y: Floats, heard: Mapping[Key, Floats], gap: int
) -> dict[Key, Floats]:
    """Predictions of every frame by a probe that was fitted on blocks at least `gap` frames away.

    Args:
        x: (n, d) windows that are fitted on.
        y: (n,) what they are to tell.
        heard: condition -> (n, d) windows of the same frames, only ever judged on.
        gap: frames left out between what is fitted on and what is judged, also where the
            penalty is chosen.

    Returns:
        Condition -> (n,) predictions.
    """
    found = {name: np.empty(len(y)) for name in heard}
    frames = np.arange(len(y))
    for fitted, judged in cut_folds(frames, NUM_FOLDS, gap):
        penalty = choose_penalty(x[fitted], y[fitted], fitted, gap)
        probe = fit_ridge(x[fitted], y[fitted], np.array([penalty]))
        for name, windows in heard.items():
            found[name][judged] = probe.predict(windows[judged])[:, 0]
    return found


def measure_fit(found: Floats, true: Floats) -> tuple[float, float]:
    """R², the share of the variance about the mean that is told, and the correlation."""
    error, spread = ((found - true) ** 2).sum(), ((true - true.mean()) ** 2).sum()
    return 1 - float(error / spread), float(np.corrcoef(found, true)[0, 1])
