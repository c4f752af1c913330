"""Clips of a dataset to features of the faces in their stored crops: one vector a clip."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from zoo.data.source import ClipSlice, require_frames
from zoo.evaluation.identity import describe_faces

if TYPE_CHECKING:
    from zoo.training.face_network import FaceNetwork

NUM_FRAMES = 5
"""Frames of a clip at most."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ClipFace:
    """What the recogniser makes of a clip.

    Attributes:
        part: the clip.
        frames: those that were looked at, ascending.
        features: (K,) mean over them.
    """

    part: ClipSlice
    frames: tuple[int, ...]
    features: npt.NDArray[np.float32]


def require_crops(parts: Iterable[ClipSlice]) -> None:
    """ShardError where a shard holds no pictures, before any is looked at."""
    for reader in {part.reader.path: part.reader for part in parts}.values():
        require_frames(reader)


def describe_clips(parts: Iterable[ClipSlice], network: "FaceNetwork") -> Iterator[ClipFace | None]:
    """Features of each clip's face; None of a clip without a measured frame.

    Raises:
        ShardError: a picture is damaged, or a shard holds none.
    """
    for part in parts:
        frames = choose_frontal(part)
        if frames:
            pictures = (part.reader.frame(part.index, part.first + t) for t in frames)
            meshes = part.read("face/landmarks")[list(frames)]
            features = describe_faces(network, pictures, meshes).mean(axis=0)
            yield ClipFace(part=part, frames=frames, features=features.astype(np.float32))
        else:
            yield None


def choose_frontal(part: ClipSlice) -> tuple[int, ...]:
    """The most frontal of each of `NUM_FRAMES` equal stretches of a clip's measured frames.

    The least of pitch and yaw together (`face/pose`); the middle frame where no pose is stored.
    """
    valid = np.flatnonzero(part.read("face/valid"))
    stretches = np.array_split(valid, min(NUM_FRAMES, len(valid)) or 1)
    if "face/pose" not in part.reader.names:
        return tuple(int(each[len(each) // 2]) for each in stretches if len(each))
    turned = np.hypot(*np.asarray(part.read("face/pose")[:, :2], np.float64).T)
    return tuple(int(each[turned[each].argmin()]) for each in stretches if len(each))
