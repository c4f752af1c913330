"""Stored crops of people with their landmarks, in stretches of measured frames.

Legend: n frames of a clip.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from zoo.data.fingerprint import Fingerprint, digest_item, digest_parts
from zoo.data.holdout import Holdout
from zoo.data.source import (
    ClipSlice,
    describe_backend,
    describe_landmark_kind,
    require_frames,
    require_one_kind,
    select_clips,
)
from zoo.data.stretches import Stretches, find_stretches, load_measured
from zoo.landmarks.align import view68
from zoo.models.vg_net.framing import Floats, Picture


@dataclass(frozen=True, eq=False, kw_only=True)
class FaceClip:
    """One clip, or what a holdout left of it.

    Attributes:
        id: the clip's.
        identity: who is seen.
        landmarks: (n, 68, 2) px of the stored pictures.
        stretches: first frame of each run of measured frames, and the one behind its last.
        part: where the pictures lie.
    """

    id: str
    identity: str
    landmarks: Floats
    stretches: Stretches
    part: ClipSlice

    @property
    def measured(self) -> npt.NDArray[np.int64]:
        """Frames that are."""
        return np.concatenate([np.arange(*stretch) for stretch in self.stretches])

    def read(self, frame: int) -> Picture:
        """A stored picture, (side, side, 3) RGB."""
        return self.part.reader.frame(self.part.index, self.part.first + frame)


def load_face_clips(
    shards: Path,
    *,
    num_frames: int,
    split: str | None,
    identity: str | None = None,
    holdout: Holdout | None = None,
    held: bool = False,
    where: str | None = None,
) -> tuple[FaceClip, ...]:
    """Clips with at least one stretch of so many measured frames, sorted by id.

    Args:
        shards: as all from `split` on, see `select_clips`; they may be of several frame rates.
        num_frames: of a stretch.
        split: see there.
        identity: see there.
        holdout: see there.
        held: see there.
        where: see there.

    Raises:
        ToolkitError: no clip has such a stretch; and see `select_clips`.
        ShardError: a shard lacks crops or landmarks (names the option that makes them), or shards
            of several backends.
    """
    slices = select_clips(
        shards, split=split, identity=identity, holdout=holdout, held=held, where=where
    )
    require_one_kind(slices, describe_landmark_kind)
    return load_measured(slices, _load_clip, num_frames, f"{shards}: no clip of {split or 'it'}")


def describe_landmarks(clips: Sequence[FaceClip]) -> str:
    """What measured their landmarks: name, version and weights' digest."""
    return describe_backend(clips[0].part.reader.provenance.get("landmarks"))


def take_fingerprint(trained: Sequence[FaceClip], chosen_by: Sequence[FaceClip]) -> Fingerprint:
    """Digests of what is read of the clips of a training; pictures by their clips' ids alone."""
    return digest_parts(trained, chosen_by, _digest)


def _digest(clip: FaceClip) -> str:
    return digest_item(clip.identity, clip.landmarks, repr(clip.stretches))


def _load_clip(part: ClipSlice, num_frames: int) -> FaceClip:
    require_frames(part.reader)
    points = view68(part.read("face/landmarks"))
    valid = part.read("face/valid").astype(bool) & np.isfinite(points).all(axis=(1, 2))
    return FaceClip(
        id=part.clip.id,
        identity=part.clip.identity,
        landmarks=points,
        stretches=find_stretches(valid, num_frames),
        part=part,
    )
