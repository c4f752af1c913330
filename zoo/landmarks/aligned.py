"""Landmarks as they are seen, brought onto a mean shape in the picture's plane: ATVGnet's.

A frame is moved by the similarity that brings its nose and the corners of its eyes onto those of
the mean shape: lips and jaw do not move them, and turns of the head out of the plane stay. The unit
is such that the mean shape's 136 numbers have a norm of 5, so that faces reach about ±0.9.

Legend: n frames, k = 6 directions.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt

from toolkit.errors import ToolkitError
from zoo.landmarks.align import Similarity, average_shapes, fit_similarity

Floats = npt.NDArray[np.float64]

LAYOUT = "aligned-landmarks-68-2/v1"
"""Name and version of aligned points; stands in every checkpoint."""

STEADY = (*range(27, 36), 36, 39, 42, 45)
"""Of the 68 points: nose, and corners of the eyes."""

NORM = 5.0
NUM_PCS = 6


class AlignedClip(Protocol):
    """What is read of a clip."""

    @property
    def points(self) -> npt.NDArray[np.float32]:
        """(n, 68, 2) aligned."""

    @property
    def valid(self) -> npt.NDArray[np.bool_]:
        """(n,) measured."""


def fit_alignment(points: npt.ArrayLike, mean_shape: npt.ArrayLike) -> Similarity:
    """From points (…, 68, 2) of any unit, x right, y down, each to a mean shape (68, 2).

    Raises:
        ValueError: a face whose points lie in one place.
    """
    steady, target = (np.asarray(x, np.float64)[..., STEADY, :] for x in (points, mean_shape))
    return fit_similarity(steady, target)


def align_points(points: npt.ArrayLike, mean_shape: npt.ArrayLike) -> Floats:
    """Points (…, 68, 2), each frame moved by its own `fit_alignment`."""
    return fit_alignment(points, mean_shape).apply(points)


def average_aligned(clips: Sequence[npt.ArrayLike]) -> Floats:
    """The mean shape (68, 2) of clips' points (n, 68, 2): every clip counts once.

    Its centroid is the origin, its norm 5, the line between its eyes level.

    Raises:
        ToolkitError: no frame in any of them.
    """
    known = [np.asarray(points, np.float64) for points in clips if len(np.asarray(points))]
    if not known:
        raise ToolkitError("no measured frame of which landmarks could be learnt")
    mean = average_shapes([align_points(points, points[0]).mean(axis=0) for points in known])
    mean -= mean.mean(axis=0)
    return np.asarray(NORM * mean / np.linalg.norm(mean))


@dataclass(frozen=True, eq=False, kw_only=True)
class AlignedStatistics:
    """Figures of the training part, float64; rows are x and y of the first point, of the next, ….

    Attributes:
        mean_shape: (68, 2) that faces are aligned to.
        mean: (136,) about which the directions are taken.
        pcs: (6, 136) orthonormal rows, the most varying direction first; each row's entry of
            greatest magnitude is positive.
    """

    mean_shape: Floats
    mean: Floats
    pcs: Floats

    @classmethod
    def fit(cls, clips: Iterable[AlignedClip], mean_shape: npt.ArrayLike) -> Self:
        """Of measured frames of the clips of the training part, aligned to `mean_shape`.

        Raises:
            ToolkitError: none is measured.
        """
        count, total, squares = 0, np.zeros(136), np.zeros((136, 136))
        for clip in clips:
            rows = clip.points[clip.valid].reshape(-1, 136).astype(np.float64)
            count, total, squares = (
                count + len(rows),
                total + rows.sum(axis=0),
                squares + rows.T @ rows,
            )
        if not count:
            raise ToolkitError("no measured frame of which landmarks could be learnt")
        mean = total / count
        _, vectors = np.linalg.eigh(squares / count - np.outer(mean, mean))
        pcs = vectors.T[::-1][:NUM_PCS]
        largest = np.abs(pcs).argmax(axis=1)
        pcs = pcs * np.sign(pcs[np.arange(NUM_PCS), largest])[:, None]
        return cls(mean_shape=np.asarray(mean_shape, np.float64), mean=mean, pcs=pcs)

    def encode(self, points: npt.ArrayLike) -> Floats:
        """Coefficients (…, 6) of aligned points (…, 68, 2)."""
        points = np.asarray(points, np.float64)
        return np.asarray((points.reshape(*points.shape[:-2], 136) - self.mean) @ self.pcs.T)

    def decode(self, coefficients: npt.ArrayLike) -> Floats:
        """Aligned points (…, 68, 2) of coefficients (…, 6)."""
        rows = self.mean + np.asarray(coefficients, np.float64) @ self.pcs
        return rows.reshape(*rows.shape[:-1], 68, 2)

    def to_state(self) -> dict[str, Any]:
        """As a checkpoint holds it: tensors of float64 by field."""
        import torch

        return {
            field.name: torch.from_numpy(np.array(getattr(self, field.name), np.float64))
            for field in fields(self)
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The inverse of `to_state`."""
        return cls(**{field.name: state[field.name].numpy().copy() for field in fields(cls)})
