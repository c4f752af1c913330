"""Pictures of persons with their landmarks: from shards, of any person with enough of them.

Legend: n pictures of a person, H their side.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from zoo.data.fingerprint import digest_item
from zoo.data.picture_files import resize_square
from zoo.data.source import (
    ClipSlice,
    describe_backend,
    describe_landmark_kind,
    require_frames,
    require_one_kind,
    select_clips,
)
from zoo.landmarks.align import view68
from zoo.landmarks.spread import choose_spread

__all__ = ["Person", "Picture", "Points", "choose_spread", "load_people"]

Picture = npt.NDArray[np.uint8]
"""(H, H, 3) uint8 RGB."""

Points = npt.NDArray[np.float64]
"""(n, 68, 2) px of pictures of side H."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Person:
    """One person's measured frames in shards.

    Attributes:
        identity: who.
        landmarks: (n, 68, 2) px of pictures of side `size`.
        places: (n, 2) int64: which of `slices`, and which frame of it.
        slices: of the person's clips.
        size: H, to which stored crops are reduced.
        backend: of the landmarks: name, version and weights' digest.
    """

    identity: str
    landmarks: Points
    places: npt.NDArray[np.int64]
    slices: Sequence[ClipSlice]
    size: int
    backend: str

    def __len__(self) -> int:
        """How many pictures, n."""
        return len(self.places)

    def read(self, numbers: Sequence[int] | npt.NDArray[np.int64]) -> Picture:
        """Pictures (k, H, H, 3) of these numbers."""
        return np.stack([self._read_one(int(number)) for number in numbers])

    def read_meshes(
        self, numbers: Sequence[int] | npt.NDArray[np.int64]
    ) -> npt.NDArray[np.float32]:
        """Meshes (k, 478, 3) of these numbers, px of pictures of side `size`."""
        found = []
        for slice_number, frame in self.places[np.asarray(numbers, np.int64)].tolist():
            part = self.slices[slice_number]
            mesh = part.read("face/landmarks")[frame]
            found.append(mesh * np.float32(self.size / part.reader.frame_size))
        return np.stack(found)

    def _read_one(self, number: int) -> Picture:
        part = self.slices[self.places[number, 0]]
        stored = part.reader.frame(part.index, part.first + int(self.places[number, 1]))
        return resize_square(stored, self.size)

    def digest(self) -> str:
        """Stands for what is read of the clips, for a run's fingerprint."""
        ids = (part.clip.id for part in self.slices)
        return digest_item(self.identity, self.landmarks, self.places, *ids)


def load_people(
    shards: Path, size: int, *, split: str | None, where: str | None = None
) -> tuple[Person, ...]:
    """Everyone in a part of the split, sorted by identity.

    Args:
        shards: as `split` and `where`, see `select_clips`; errors as there.
        size: H.
        split: see there.
        where: see there.

    Raises:
        ShardError: a shard lacks crops or landmarks (names the option that makes them), or shards
            of several backends.
    """
    slices = select_clips(shards, split=split, where=where)
    require_one_kind(slices, describe_landmark_kind)
    of_person: dict[str, list[ClipSlice]] = {}
    for part in sorted(slices, key=lambda part: part.clip.id):
        of_person.setdefault(part.clip.identity, []).append(part)
    return tuple(_load_person(who, of_person[who], size) for who in sorted(of_person))


def _load_person(identity: str, slices: Sequence[ClipSlice], size: int) -> Person:
    points, places = list[Points](), list[npt.NDArray[np.int64]]()
    for number, part in enumerate(slices):
        require_frames(part.reader)
        view = view68(part.read("face/landmarks")) * (size / part.reader.frame_size)
        valid = part.read("face/valid").astype(bool) & np.isfinite(view).all(axis=(1, 2))
        frames = np.flatnonzero(valid)
        points.append(view[frames])
        places.append(np.stack([np.full(len(frames), number), frames], axis=1))
    return Person(
        identity=identity,
        landmarks=np.concatenate(points),
        places=np.concatenate(places).astype(np.int64),
        slices=slices,
        size=size,
        backend=describe_backend(slices[0].reader.provenance.get("landmarks")),
    )
