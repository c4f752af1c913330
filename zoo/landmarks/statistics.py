"""What the networks of landmarks know of the training part; stands in their checkpoints.

Legend: k directions, E = 22 points of the eye region.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, Protocol, Self

import numpy as np
import numpy.typing as npt

from toolkit.errors import ToolkitError

Floats = npt.NDArray[np.float64]

EYE_REGION68 = (*range(36, 48), *range(17, 27))
"""Of the 68 points: 12 of the eyes, then 10 of the brows."""

NUM_DISPLACEMENT_PCS = 33
EYE_VARIANCE = 0.99
"""Of the eye region's displacements, that is kept."""

EYE_FRAMES = 75
"""Of a stretch over which the eyes' least and greatest displacements are taken."""


class CanonicalClip(Protocol):
    """What is read of a clip."""

    @property
    def canonical(self) -> npt.NDArray[np.float32]:
        """(n, 68, 2)."""

    @property
    def valid(self) -> npt.NDArray[np.bool_]:
        """(n,) measured."""


class CanonicalClips(Protocol):
    """What is read of the clips of a part."""

    @property
    def canonical_neutral(self) -> Floats:
        """(68, 2), against which their canonical points were made."""

    def __iter__(self) -> Iterator[CanonicalClip]: ...


@dataclass(frozen=True, eq=False, kw_only=True)
class LandmarkStatistics:
    """Figures of the training part in canonical space, float64.

    Displacements are canonical points less the canonical face at rest, flattened: x and y of the
    first point, then of the next.

    Attributes:
        canonical_neutral: (68, 2) the average face at rest.
        displacement_mean: (136,) about which the directions are taken.
        displacement_pcs: (33, 136) orthonormal rows, the most varying direction first; each row's
            entry of greatest magnitude is positive.
        eye_mean: (44,) of the displacements of the eye region.
        eye_pcs: (k, 44) as many directions as hold 99 % of its variance.
        eye_min, eye_max: (44,) least and greatest displacement within 75 frames, on average.
    """

    canonical_neutral: Floats
    displacement_mean: Floats
    displacement_pcs: Floats
    eye_mean: Floats
    eye_pcs: Floats
    eye_min: Floats
    eye_max: Floats

    @classmethod
    def fit(cls, clips: CanonicalClips) -> Self:
        """Of the clips of the training part, of measured frames alone.

        Raises:
            ToolkitError: none is measured.
        """
        neutral = clips.canonical_neutral
        moved = [(clip.canonical - neutral)[clip.valid].reshape(-1, 136) for clip in clips]
        moved = [rows.astype(np.float64) for rows in moved if len(rows)]
        if not moved:
            raise ToolkitError("no measured frame of which landmarks could be learnt")
        all_rows = np.concatenate(moved)
        eyes = [take_eyes(rows) for rows in moved]
        mean, pcs, _ = _find_directions(all_rows)
        eye_mean, eye_pcs, variances = _find_directions(take_eyes(all_rows))
        total = np.cumsum(variances) / max(variances.sum(), np.finfo(float).tiny)
        kept = int((total < EYE_VARIANCE).sum()) + 1
        stretches = [part for rows in eyes for part in _cut_stretches(rows)]
        return cls(
            canonical_neutral=np.asarray(neutral, np.float64),
            displacement_mean=mean,
            displacement_pcs=pcs[:NUM_DISPLACEMENT_PCS],
            eye_mean=eye_mean,
            eye_pcs=eye_pcs[:kept],
            eye_min=np.mean([part.min(axis=0) for part in stretches], axis=0),
            eye_max=np.mean([part.max(axis=0) for part in stretches], axis=0),
        )

    def to_state(self) -> dict[str, Any]:
        """As a checkpoint holds it: tensors of float64 by field."""
        import torch

        values = ((field.name, getattr(self, field.name)) for field in fields(self))
        return {name: torch.from_numpy(np.array(value, np.float64)) for name, value in values}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """The inverse of `to_state`."""
        return cls(**{field.name: state[field.name].numpy().copy() for field in fields(cls)})


def take_eyes(displacements: npt.ArrayLike) -> Floats:
    """The eye region's (…, 44) of displacements (…, 136) or (…, 68, 2), as `EYE_REGION68`."""
    values = np.asarray(displacements)
    points = values if values.shape[-2:] == (68, 2) else values.reshape(*values.shape[:-1], 68, 2)
    return np.asarray(points[..., EYE_REGION68, :].reshape(*points.shape[:-2], -1), np.float64)


def _find_directions(rows: Floats) -> tuple[Floats, Floats, Floats]:
    """Mean (D,), principal directions (D, D) and their variances (D,), the greatest first."""
    mean = rows.mean(axis=0)
    variances, vectors = np.linalg.eigh((rows - mean).T @ (rows - mean) / len(rows))
    directions = vectors.T[::-1]
    largest = np.abs(directions).argmax(axis=1)
    signs = np.sign(directions[np.arange(len(directions)), largest])
    return mean, np.ascontiguousarray(directions * signs[:, None]), variances[::-1].clip(0)


def _cut_stretches(rows: Floats) -> list[Floats]:
    """Whole stretches of `EYE_FRAMES` rows; all of them where there are fewer."""
    whole = len(rows) // EYE_FRAMES
    return np.split(rows[: whole * EYE_FRAMES], whole) if whole else [rows]
