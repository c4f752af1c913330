"""Aligned faces out of stored crops.

Legend: n measured frames of a clip, B pictures, H their side.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from toolkit.errors import ToolkitError
from zoo.data.fingerprint import Fingerprint, digest_item, digest_parts
from zoo.data.order import Places
from zoo.data.source import (
    ClipSlice,
    describe_landmark_kind,
    require_frames,
    require_one_kind,
    select_clips,
)
from zoo.landmarks.align import Similarity, view68
from zoo.landmarks.cut import Picture, cut_square
from zoo.landmarks.ffhq import align_ffhq
from zoo.models.styleheat_prior.identity import place_chip
from zoo.training.face_alignment import PLACED
from zoo.training.pictures import to_tensor


@dataclass(frozen=True, eq=False, kw_only=True)
class PictureClip:
    """One clip, or what a holdout left of it.

    Attributes:
        id: the clip's.
        identity: who is seen.
        frames: (n,) int64, those of `part` in which the face is measured.
        points: (n, 68, 2) px of the stored pictures.
        placed: (n, 5, 2) px of those by which a face recogniser's picture is cut.
        part: where the pictures lie.
    """

    id: str
    identity: str
    frames: npt.NDArray[np.int64]
    points: npt.NDArray[np.float32]
    placed: npt.NDArray[np.float32]
    part: ClipSlice

    def __len__(self) -> int:
        """Its pictures, n."""
        return len(self.frames)

    def align(self, number: int) -> Similarity:
        """From px of a stored picture to the aligned one, whose side is 1."""
        return align_ffhq(self.points[number])

    def read(self, number: int, side: int) -> Picture:
        """The aligned face (side, side, 3)."""
        stored = self.part.reader.frame(self.part.index, self.part.first + int(self.frames[number]))
        return cut_square(stored, self.align(number), side)


def load_picture_clips(shards: Path, **choice: Any) -> tuple[PictureClip, ...]:
    """Clips with measured frames, sorted by id.

    Args:
        shards: see `select_clips`; errors as there.
        choice: see there.

    Raises:
        ToolkitError: no frame is measured.
        ShardError: a shard lacks crops or landmarks (names the option that makes them), or shards
            of several backends.
    """
    slices = sorted(select_clips(shards, **choice), key=lambda part: part.clip.id)
    if slices:
        require_one_kind(slices, describe_landmark_kind)
    clips = tuple(clip for part in slices if len(clip := _load_clip(part)))
    if not clips:
        whose = choice.get("identity") or choice.get("split") or "it"
        raise ToolkitError(f"{shards}: no frame of {whose} is measured")
    return clips


def _load_clip(part: ClipSlice) -> PictureClip:
    require_frames(part.reader)
    meshes = part.read("face/landmarks")
    points = view68(meshes).astype(np.float32)
    valid = part.read("face/valid").astype(bool) & np.isfinite(points).all(axis=(1, 2))
    frames = np.flatnonzero(valid)
    return PictureClip(
        id=part.clip.id,
        identity=part.clip.identity,
        frames=frames,
        points=points[frames],
        placed=np.asarray(meshes[:, list(PLACED), :2][frames], np.float32),
        part=part,
    )


def take_fingerprint(
    trained: Sequence[PictureClip], chosen_by: Sequence[PictureClip]
) -> Fingerprint:
    """Digests of what is read of the clips of a training; pictures by their clips' ids alone."""
    return digest_parts(trained, chosen_by, _digest)


def _digest(clip: PictureClip) -> str:
    return digest_item(clip.identity, clip.frames, clip.points)


@dataclass(frozen=True, eq=False, kw_only=True)
class PictureBatch:
    """Aligned faces of a step.

    Attributes:
        pictures: (B, 3, H, H), −1 to 1.
        chips: (B, 2, 3) where a face recogniser expects the face, see `place_chip`.
    """

    pictures: Tensor
    chips: Tensor

    def to(self, device: torch.device) -> Self:
        """The same on a device, pictures with channels last."""
        pictures = self.pictures.to(device, memory_format=torch.channels_last)
        return type(self)(pictures=pictures, chips=self.chips.to(device))


class Pictures:
    """All pictures of clips; with a seed, half of them mirrored, by seed, epoch and place alone."""

    def __init__(
        self,
        clips: Sequence[PictureClip],
        side: int,
        *,
        seed: int | None = None,
        epoch: int = 0,
    ) -> None:
        self._clips, self._side, self._seed, self._epoch = clips, side, seed, epoch
        self._ends = np.cumsum([len(clip) for clip in clips])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def gather(self, places: Places) -> PictureBatch:
        """Those at (B,) places."""
        pairs = [self._read(int(place)) for place in places]
        pictures, chips = (torch.stack(part) for part in zip(*pairs, strict=True))
        return PictureBatch(pictures=pictures, chips=chips)

    def _read(self, place: int) -> tuple[Tensor, Tensor]:
        number = int(np.searchsorted(self._ends, place, side="right"))
        clip = self._clips[number]
        frame = place - int(self._ends[number]) + len(clip)
        picture = to_tensor(clip.read(frame, self._side))
        chip = torch.from_numpy(place_chip(clip.placed[frame], clip.align(frame))).float()
        if self._seed is not None and np.random.default_rng(
            [self._seed, self._epoch, place]
        ).integers(2):
            picture, chip = picture.flip(-1), chip * torch.tensor([[-1.0], [1.0]])
        return picture, chip
