"""What needs no network: the best constant, and ridge regression on each frame's audio.

Legend: n frames of a clip, A numbers of a frame's speech features, F = 16 · A of its local audio
window, K dimensions.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from zoo.data import CONTEXT, pad_audio

Floats = npt.NDArray[np.float64]
Pair = tuple[npt.ArrayLike, npt.ArrayLike]
"""Audio (n, A), standardised, and motion (n, K) of a clip."""

MAX_NUMBERS = 64
"""Of a frame's audio, in ridge regression; of wider features so many principal components are."""

PENALTIES = (1.0, 10.0, 100.0, 1e3, 1e4, 1e5)
"""Tried by `choose_ridge`."""


def fit_constant(motions: Iterable[npt.ArrayLike]) -> Floats:
    """The best constant (K,) in least squares: the mean over all frames of motions (n, K).

    Raises:
        ValueError: no frames.
    """
    frames = np.concatenate([np.asarray(motion, np.float64) for motion in motions])
    if not len(frames):
        raise ValueError("no frames to average")
    return np.asarray(frames.mean(axis=0))


def fit_components(audios: Iterable[npt.ArrayLike]) -> npt.NDArray[np.float32] | None:
    """(A, 64): the directions in which standardised frames (n, A) of clips vary most.

    None where a frame has no more than `MAX_NUMBERS`.
    """
    square: Any = sum(a.T @ a for a in (np.asarray(audio, np.float64) for audio in audios))
    if len(square) <= MAX_NUMBERS:
        return None
    _, vectors = np.linalg.eigh(square)
    return np.asarray(vectors[:, -MAX_NUMBERS:], np.float32)


def cut_local_windows(audio: npt.ArrayLike) -> npt.NDArray[Any]:
    """Windows (n, F) of 16 frames around each frame of audio (n, A), index 8 being the frame.

    Zeros stand beyond the clip's ends, as the networks see it; so the audio must be standardised.
    """
    padded = pad_audio(np.asarray(audio))
    windows = np.lib.stride_tricks.sliding_window_view(padded, sum(CONTEXT) + 1, axis=0)
    return np.ascontiguousarray(windows.swapaxes(1, 2)).reshape(len(windows), -1)


@dataclass(frozen=True, eq=False)
class Ridge:
    """A linear map from a frame's audio window to its motion.

    Attributes:
        weight: (F, K).
        bias: (K,).
        penalty: it was fitted with.
    """

    weight: Floats
    bias: Floats
    penalty: float

    def predict(self, audio: npt.ArrayLike) -> Floats:
        """Motion (n, K) from audio (n, A) of a whole clip, standardised."""
        return self.predict_rows(cut_local_windows(audio))

    def predict_rows(self, rows: npt.ArrayLike) -> Floats:
        """Motion (n, K) from rows (n, F), as `RidgeSums.add_rows` took them."""
        return np.asarray(np.asarray(rows) @ self.weight + self.bias)


@dataclass
class RidgeSums:
    """Sums over frames that ridge regressions of any penalty are solved from, clip by clip."""

    num_frames: int = 0
    _x: Floats | float = 0.0
    _y: Floats | float = 0.0
    _xx: Floats | float = 0.0
    _xy: Floats | float = 0.0

    def add(self, audio: npt.ArrayLike, motion: npt.ArrayLike) -> None:
        """Take in a clip's audio (n, A) and motion (n, K); rows of motion with NaN are left out.

        Raises:
            ValueError: another number of frames.
        """
        self.add_rows(cut_local_windows(np.asarray(audio, np.float64)), motion)

    def add_rows(self, rows: npt.ArrayLike, motion: npt.ArrayLike) -> None:
        """Take in rows (n, F) of any numbers and motion (n, K), likewise."""
        x, y = np.asarray(rows, np.float64), np.asarray(motion, np.float64)
        if len(x) != len(y):
            raise ValueError(f"{len(x)} frames of audio, {len(y)} of motion")
        known = np.isfinite(y).all(axis=1)
        x, y = x[known], y[known]
        self.num_frames += len(x)
        self._x, self._y = self._x + x.sum(axis=0), self._y + y.sum(axis=0)
        self._xx, self._xy = self._xx + x.T @ x, self._xy + x.T @ y

    def solve(self, penalty: float) -> Ridge:
        """Minimise Σ‖y − W·x − b‖² + penalty·‖W‖² over all frames; b is free.

        Raises:
            ValueError: no frames, or a penalty that is not positive.
        """
        if not self.num_frames or penalty <= 0:
            raise ValueError(f"{self.num_frames} frames, penalty {penalty}")
        mean_x = np.asarray(self._x) / self.num_frames
        mean_y = np.asarray(self._y) / self.num_frames
        covariance = self._xx - self.num_frames * np.outer(mean_x, mean_x)
        shared = self._xy - self.num_frames * np.outer(mean_x, mean_y)
        weight = np.linalg.solve(covariance + penalty * np.eye(len(mean_x)), shared)
        return Ridge(weight, mean_y - mean_x @ weight, penalty)


def choose_ridge(trained: Iterable[Pair], chosen_by: Iterable[Pair]) -> Ridge:
    """Fit on some clips with the penalty of `PENALTIES` that has the least error on others.

    Args:
        trained: clips to fit on.
        chosen_by: clips of the validation part.
    """
    sums = RidgeSums()
    for audio, motion in trained:
        sums.add(audio, motion)
    checks = list(chosen_by)
    return min(map(sums.solve, PENALTIES), key=lambda ridge: _sum_squares(ridge, checks))


def _sum_squares(ridge: Ridge, pairs: Iterable[Pair]) -> float:
    return float(
        sum(np.nansum((ridge.predict(audio) - np.asarray(motion)) ** 2) for audio, motion in pairs)
    )
