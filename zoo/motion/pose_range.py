"""How far a head was turned in what a renderer learnt, and poses that are kept near to that.

Angles are taken about the line of sight, for a head at the side of a picture is seen from the side.
Where it is in the picture is not limited: crops follow it. Legend: n frames.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch

from toolkit.facemodel.camera import euler_from_rotation, rotation_from_euler

Floats = npt.NDArray[np.float64]

ROOM = float(np.deg2rad(5))
"""What a limited angle comes near to beyond the greatest that was learnt, rad."""

_MARGIN = 1e-6
"""Rad, so that what was learnt stays as it is wherever it is computed."""


@dataclass(frozen=True, kw_only=True, eq=False)
class PoseRange:
    """Pitch, yaw and roll about the line of sight between which a head was seen.

    Attributes:
        low: (3,) the least, rad.
        high: (3,) the greatest, rad.
    """

    low: Floats
    high: Floats

    @classmethod
    def fit(cls, pose: npt.ArrayLike) -> Self:
        """Of poses (n, 6) in rad and mm, n at least 1."""
        seen = _look_at(np.asarray(pose, np.float64))[1]
        return cls(low=seen.min(axis=0), high=seen.max(axis=0))

    def limit(self, pose: npt.ArrayLike) -> Floats:
        """Poses (n, 6) whose angles go at most `ROOM` beyond the range, softly.

        A pose within the range, and every translation, stay as they are, to the bit.
        """
        pose = np.array(pose, np.float64)
        sight, seen = _look_at(pose)
        kept = soften(seen, self.low - _MARGIN, self.high + _MARGIN)
        beyond = (kept != seen).any(axis=1)
        turned = sight[beyond] @ rotation_from_euler(kept[beyond])
        pose[beyond, :3] = euler_from_rotation(turned)
        return pose

    def to_state(self) -> dict[str, Any]:
        """Tensors alone, for a checkpoint."""
        return {"low": torch.tensor(self.low), "high": torch.tensor(self.high)}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """What `to_state` gave."""
        return cls(low=state["low"].numpy(), high=state["high"].numpy())


def soften(values: Floats, low: Floats, high: Floats) -> Floats:
    """Values (n, K) as they are within limits (K,); beyond, a tanh that ends `ROOM` outside."""
    above = high + ROOM * np.tanh((values - high) / ROOM)
    below = low - ROOM * np.tanh((low - values) / ROOM)
    return np.where(values > high, above, np.where(values < low, below, values))


def measure_turns(pose: npt.ArrayLike, others: npt.ArrayLike) -> Floats:
    """(n,) angles in rad by which the heads of poses (n, 6) are turned against others."""
    R, S = (rotation_from_euler(np.asarray(p, np.float64)[:, :3]) for p in (pose, others))
    half = np.linalg.norm(R - S, axis=(1, 2)) / np.sqrt(8)  # the sine of half the angle
    return np.asarray(2 * np.arcsin(np.minimum(half, 1)))


def _look_at(pose: Floats) -> tuple[Floats, Floats]:
    """Rotations (n, 3, 3) of the line of sight to heads, and their angles (n, 3) about it."""
    x, y, z = pose[:, 3:].T
    aim = np.stack([np.arctan2(-y, z), np.arctan2(x, np.hypot(y, z)), np.zeros_like(x)], axis=1)
    sight = rotation_from_euler(aim)
    R = rotation_from_euler(pose[:, :3])
    return sight, euler_from_rotation(np.swapaxes(sight, -1, -2) @ R)
