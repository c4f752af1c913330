"""What of a person stays the same in training, reenactment and synthesis.

Identity, texture and light are means over the training part, so that what a network saw in
training is what it sees later, and nothing of a frame reaches it through that frame's own light.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch

from toolkit.facemodel.model import FaceModel
from zoo.data.frames import RenderClip
from zoo.graphics.surface import Surface
from zoo.motion.pose_map import PoseMap
from zoo.motion.pose_range import PoseRange

Floats = npt.NDArray[np.float64]

_MEANS = ("identity_coefficients", "texture_coefficients", "illumination")


@dataclass(frozen=True, kw_only=True, eq=False)
class Person:
    """A person as the renderer draws them; goes into every checkpoint of a renderer.

    Attributes:
        identity: who.
        identity_coefficients: (80,) float64, mean over clips by their training frames; a clip's own
            were found in the whole of it at ingest, held-out frames included.
        texture_coefficients: (80,) likewise.
        illumination: (27,) mean over measured training frames.
        pose_map: from `face/pose` to the model's pose, over the same frames.
        backends: feature -> what made it, as `RenderClip.backends`.
        num_frames: measured training frames.
        pose_range: of the model's pose in all training frames; None in checkpoints of before.
    """

    identity: str
    identity_coefficients: Floats
    texture_coefficients: Floats
    illumination: Floats
    pose_map: PoseMap
    backends: dict[str, str]
    num_frames: int
    pose_range: PoseRange | None = None

    def make_surface(
        self, model: FaceModel, *, threshold: float | None = None, whole_triangles: bool = False
    ) -> Surface:
        """What is drawn of this person; `threshold` (mm²) and triangles as in `find_regions`."""
        return Surface.of_model(
            model,
            identity=self.identity_coefficients,
            texture=self.texture_coefficients,
            illumination=self.illumination,
            threshold=threshold,
            whole_triangles=whole_triangles,
        )

    def to_state(self) -> dict[str, Any]:
        """Text, numbers and tensors alone, for a checkpoint."""
        return {
            "identity": self.identity,
            "backends": self.backends,
            "num_frames": self.num_frames,
            "pose_map": self.pose_map.to_state(),
            "pose_range": self.pose_range and self.pose_range.to_state(),
            **{name: torch.tensor(getattr(self, name)) for name in _MEANS},
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """What `to_state` gave."""
        known = state.get("pose_range")
        return cls(
            identity=str(state["identity"]),
            backends=dict(state["backends"]),
            num_frames=int(state["num_frames"]),
            pose_map=PoseMap.from_state(state["pose_map"]),
            pose_range=PoseRange.from_state(known) if known else None,
            **{name: state[name].numpy() for name in _MEANS},
        )


def fit_person(clips: Sequence[RenderClip]) -> Person:
    """The means over the training part of one person, of measured frames alone where there are any.

    Raises:
        ValueError: no clip, or clips of several identities.
    """
    if len({clip.identity for clip in clips}) != 1:
        raise ValueError("a person is fitted to clips of one identity")
    counts = np.array([clip.num_frames for clip in clips], np.float64)
    measured = np.concatenate([clip.valid for clip in clips])
    rows = measured if measured.any() else ~measured

    def gather(name: str) -> Floats:
        values = np.concatenate([getattr(clip, name) for clip in clips])
        return np.asarray(values[rows], np.float64)

    def average(name: str) -> Floats:
        values = np.stack([getattr(clip, name) for clip in clips]).astype(np.float64)
        return np.asarray(np.average(values, axis=0, weights=counts))

    return Person(
        identity=clips[0].identity,
        identity_coefficients=average("identity_coefficients"),
        texture_coefficients=average("texture_coefficients"),
        illumination=gather("illumination").mean(axis=0),
        pose_map=PoseMap.fit(gather("pose"), gather("model_pose")),
        pose_range=PoseRange.fit(np.concatenate([clip.model_pose for clip in clips])),
        backends=clips[0].backends,
        num_frames=int(rows.sum()),
    )
