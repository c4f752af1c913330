"""Motion as the renderer wants it: smoothed, and of the face model's own pose.

The same in training, reenactment and synthesis, so that the network never sees a motion that
trembles in another way than what it was trained on. Legend: n frames of a clip.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch

from toolkit.facemodel.camera import euler_from_rotation, rotation_from_euler

Floats = npt.NDArray[np.float64]

SMOOTHING = (7, 3)
"""Frames and degree of the filter (Savitzky and Golay, 1964); centred, so that nothing moves in
time."""


def smooth_motion(values: npt.ArrayLike) -> Floats:
    """Expression (n, 64) or pose (n, 6) of one clip, smoothed along its frames.

    The ends follow the polynomial of the first and last 7 frames. Clips below 7 frames take the
    longest odd window that they have; below 5 they stay as they are. AU45 is never smoothed: a
    blink would lose its peak.
    """
    from scipy.signal import savgol_filter

    values = np.asarray(values, np.float64)
    length, degree = SMOOTHING
    length = min(length, len(values) - 1 + len(values) % 2)
    return np.asarray(savgol_filter(values, length, degree, axis=0)) if length > degree else values


@dataclass(frozen=True, kw_only=True, eq=False)
class PoseMap:
    """From `face/pose`, which motion models learn, to `face/model_pose`, which is drawn.

    Both are poses of one head, but in other axes, about another origin and in another size: with
    `R` and `t` of a pose, the model's are `R·turn` and `scale·t + R·shift`.

    Attributes:
        turn: (3, 3) float64 rotation.
        shift: (3,) mm.
        scale: of distances.
    """

    turn: Floats
    shift: Floats
    scale: float

    @classmethod
    def fit(cls, pose: npt.ArrayLike, model_pose: npt.ArrayLike) -> Self:
        """The map nearest to frames of one person, by least squares.

        Args:
            pose: (n, 6) rad and mm, n at least 1.
            model_pose: (n, 6) of the same frames.
        """
        pose, model_pose = np.asarray(pose, np.float64), np.asarray(model_pose, np.float64)
        R, M = rotation_from_euler(pose[:, :3]), rotation_from_euler(model_pose[:, :3])
        U, _, Vt = np.linalg.svd(np.einsum("nji,njk->ik", R, M))
        turn = U @ np.diag([1.0, 1.0, np.linalg.det(U @ Vt)]) @ Vt
        unknowns = np.concatenate([pose[:, 3:, None], R], axis=2).reshape(-1, 4)
        found = np.linalg.lstsq(unknowns, model_pose[:, 3:].reshape(-1), rcond=None)[0]
        return cls(turn=turn, shift=found[1:], scale=float(found[0]))

    def apply(self, pose: npt.ArrayLike) -> Floats:
        """Model poses (n, 6) of poses (n, 6)."""
        pose = np.asarray(pose, np.float64)
        R = rotation_from_euler(pose[:, :3])
        t = self.scale * pose[:, 3:] + R @ self.shift
        return np.concatenate([euler_from_rotation(R @ self.turn), t], axis=1)

    def to_state(self) -> dict[str, Any]:
        """Numbers and tensors alone, for a checkpoint."""
        return {
            "turn": torch.tensor(self.turn),
            "shift": torch.tensor(self.shift),
            "scale": self.scale,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """What `to_state` gave."""
        return cls(
            turn=state["turn"].numpy(), shift=state["shift"].numpy(), scale=float(state["scale"])
        )
