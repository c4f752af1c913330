"""Ridge regression judged on recordings, or blocks of time, that it was not fitted on.

Axes: N frames, n windows, d numbers of a frame or of a window, P penalties.
"""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_factor, cho_solve, eigh

from tests.accuracy.sound import WINDOW

Floats = npt.NDArray[np.float64]
Frames = npt.NDArray[np.int64]
Key = TypeVar("Key", bound=Hashable)

PENALTIES = 10.0 ** np.arange(-3, 4)
"""What is added to the diagonal of the covariance of the standardised numbers."""

NUM_FOLDS = 5


MAX_NUMBERS = 128
"""Of a frame; of more, so many principal components are kept, of the frames fitted on."""


@dataclass(frozen=True)
class Rows:
    """The windows of one or more recordings that lie one after the other.

    Attributes:
        starts: (n,) first frame of each, ascending.
        recordings: (n,) which recording it is of.
    """

    starts: Frames
    recordings: Frames

    def take(self, positions: Frames) -> "Rows":
        """Some of them."""
        return Rows(self.starts[positions], self.recordings[positions])


def list_rows(lengths: Sequence[int]) -> Rows:
    """All whole windows of recordings of so many frames; none crosses from one to the next."""
    first = np.cumsum([0, *lengths[:-1]])
    counts = [max(0, length - WINDOW + 1) for length in lengths]
    starts = [start + np.arange(count) for start, count in zip(first, counts, strict=True)]
    return Rows(np.concatenate(starts), np.repeat(np.arange(len(lengths)), counts))


def read_windows(frames: Floats, starts: Frames) -> Floats:
    """(n, 16 · d) windows of (N, d) frames that begin at (n,) frames."""
    return np.hstack([frames[starts + k] for k in range(WINDOW)])


@dataclass(frozen=True)
class Reduction:
    """Principal components of standardised frames: ((x − mean) / scale) · vectors."""

    mean: Floats
    scale: Floats
    vectors: Floats

    def apply(self, frames: Floats) -> Floats:
        """(N, k) of (N, d) frames."""
        return np.asarray((frames - self.mean) / self.scale @ self.vectors, np.float64)


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


def fit_ridge(x: Floats, y: Floats, penalties: Floats, *, standardise: bool = True) -> Ridge:
    """Standardise each of the d numbers, or only take their means out; solve for every penalty."""
    mean = x.mean(0)
    scale = np.maximum(x.std(0), 1e-9) if standardise else np.ones(len(mean))
    z, offset = (x - mean) / scale, float(y.mean())
    if len(z) < len(mean):  # the dual form: as many equations as windows
        weights = [
            z.T @ part for part in _solve(z @ z.T / len(z), (y - offset) / len(z), penalties)
        ]
    else:
        weights = _solve(z.T @ z / len(z), z.T @ (y - offset) / len(z), penalties)
    return Ridge(mean, scale, np.stack(weights, axis=1), offset)


def _solve(matrix: Floats, target: Floats, penalties: Floats) -> list[Floats]:
    """(matrix + p · identity)⁻¹ · target for every penalty."""
    diagonal = np.eye(len(matrix))
    return [cho_solve(cho_factor(matrix + p * diagonal), target) for p in penalties]


def fit_reduction(frames: Floats, num_kept: int = MAX_NUMBERS) -> Reduction:
    """The strongest of (N, d) frames. Ridge on them is nearly that on all standardised numbers."""
    mean, scale = frames.mean(0), np.maximum(frames.std(0), 1e-9)
    standard = (frames - mean) / scale
    _, vectors = eigh(standard.T @ standard, subset_by_index=(len(mean) - num_kept, len(mean) - 1))
    return Reduction(mean, scale, vectors)


def cut_folds(rows: Rows, num_folds: int, gap: int) -> Iterator[tuple[Frames, Frames]]:
    """(fitted on, judged on), as positions in the rows.

    Several recordings: every `num_folds`-th is judged whole. One recording: contiguous blocks of
    time, and no row that is fitted on lies within `gap` frames of the block that is judged.
    """
    names = np.unique(rows.recordings)
    if len(names) > 1:
        for fold in range(num_folds):
            judged = np.isin(rows.recordings, names[fold::num_folds])
            yield np.flatnonzero(~judged), np.flatnonzero(judged)
        return
    starts = rows.starts
    for block in np.array_split(np.arange(len(starts)), num_folds):
        first, last = starts[block[0]], starts[block[-1]]
        outside = (starts < first - gap) | (starts > last + gap)
        yield np.flatnonzero(outside), block


def choose_penalty(
    x: Floats, y: Floats, rows: Rows, gap: int, *, standardise: bool = True
) -> float:
    """The penalty with the least squared error over folds within these rows."""
    errors = np.zeros(len(PENALTIES))
    for fitted, judged in cut_folds(rows, NUM_FOLDS - 1, gap):
        ridge = fit_ridge(x[fitted], y[fitted], PENALTIES, standardise=standardise)
        found = ridge.predict(x[judged])
        errors += ((found - y[judged, None]) ** 2).sum(0)
    return float(PENALTIES[int(errors.argmin())])


def predict_blocks(
    heard: Mapping[Key, Floats], clean: Key, y: Floats, rows: Rows
) -> dict[Key, Floats]:
    """Predictions of every row by a probe that was fitted on other recordings or blocks of time.

    Args:
        heard: condition -> (N, d) frames, of all recordings one after the other.
        clean: the condition that is fitted on; the others are only judged.
        y: (n,) what the windows are to tell.
        rows: where the windows begin.

    Returns:
        Condition -> (n,) predictions.
    """
    found = {name: np.empty(len(y)) for name in heard}
    for fitted, judged in cut_folds(rows, NUM_FOLDS, WINDOW):
        predict = fit_probe(heard[clean], y[fitted], rows.take(fitted))
        for name, frames in heard.items():
            found[name][judged] = predict(frames, rows.starts[judged])
    return found


def fit_probe(frames: Floats, y: Floats, rows: Rows) -> Callable[[Floats, Frames], Floats]:
    """A ridge from windows of (N, d) frames to (n,) numbers, its penalty chosen within them.

    Returns:
        (M, d) frames, (m,) starts of windows in them -> (m,) predictions.
    """
    few = frames.shape[1] <= MAX_NUMBERS
    reduce = _keep if few else fit_reduction(frames[rows.starts + WINDOW // 2]).apply
    x = read_windows(reduce(frames), rows.starts)
    penalty = choose_penalty(x, y, rows, WINDOW, standardise=few)
    ridge = fit_ridge(x, y, np.array([penalty]), standardise=few)
    return lambda heard, starts: ridge.predict(read_windows(reduce(heard), starts))[:, 0]


def _keep(frames: Floats) -> Floats:
    return frames


def measure_fit(found: Floats, true: Floats) -> tuple[float, float]:
    """R², the share of the variance about the mean that is told, and the correlation."""
    error, spread = ((found - true) ** 2).sum(), ((true - true.mean()) ** 2).sum()
    return 1 - float(error / spread), float(np.corrcoef(found, true)[0, 1])
