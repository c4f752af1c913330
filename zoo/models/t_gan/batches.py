"""Pictures of one person as the networks see them, and episodes of meta-learning.

Legend: B pictures to draw, N that the texture is taken from, H their side.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from zoo.data.order import Places
from zoo.landmarks.raster import draw_landmarks
from zoo.models.t_gan.pictures import Person, Picture
from zoo.training.pictures import to_tensor


@dataclass(frozen=True, eq=False, kw_only=True)
class PersonBatch:
    """Of one person; colours from −1 to 1.

    Attributes:
        target: (B, 3, H, H) pictures.
        raster: (B, 3, H, H) their landmarks, drawn.
        pictures: (N, 3, H, H).
        rasters: (N, 3, H, H) their landmarks, drawn.
    """

    target: Tensor
    raster: Tensor
    pictures: Tensor
    rasters: Tensor

    def to(self, device: torch.device) -> Self:
        """The same on a device, with channels last."""
        moved = {
            name: value.to(device, memory_format=torch.channels_last)
            for name, value in vars(self).items()
        }
        return replace(self, **moved)

    def join(self, other: Self) -> Self:
        """With another's pictures to draw, of the same person."""
        parts = {
            name: torch.cat([getattr(self, name), getattr(other, name)])
            for name in ("target", "raster")
        }
        return replace(self, **parts)


@dataclass(frozen=True, eq=False)
class Episode:
    """A task: one person's pictures to learn from, and those to be asked for."""

    support: PersonBatch
    queries: PersonBatch

    def to(self, device: torch.device) -> Self:
        """The same on a device."""
        return type(self)(self.support.to(device), self.queries.to(device))


def draw_rasters(landmarks: npt.ArrayLike, size: int) -> Tensor:
    """(n, 3, H, H), −1 to 1, of landmarks (n, 68, 2) px."""
    points = np.asarray(landmarks, np.float64)
    return to_tensor(np.stack([draw_landmarks(face, size) for face in points]))


def make_batch(
    pictures: Picture, landmarks: npt.ArrayLike, references: Sequence[int] | npt.NDArray[np.int64]
) -> PersonBatch:
    """Of pictures (n, H, H, 3) uint8 and landmarks (n, 68, 2); `references`: N of their numbers."""
    target, raster = to_tensor(pictures), draw_rasters(landmarks, pictures.shape[1])
    chosen = torch.as_tensor(np.asarray(references, np.int64))
    return PersonBatch(
        target=target, raster=raster, pictures=target[chosen], rasters=raster[chosen]
    )


def cut_episode(batch: PersonBatch, support: int) -> Episode:
    """The first pictures as support, the rest as queries."""
    first, rest = (
        replace(batch, target=batch.target[part], raster=batch.raster[part])
        for part in (slice(support), slice(support, None))
    )
    return Episode(first, rest)


@dataclass(frozen=True, kw_only=True)
class EpisodeShape:
    """How many pictures of a person make an episode; references are the first of the support."""

    support: int
    queries: int
    references: int

    @property
    def size(self) -> int:
        """Pictures of an episode."""
        return self.support + self.queries


class Episodes:
    """An episode for each person, drawn anew in every epoch; read when it is asked for."""

    def __init__(self, people: Sequence[Person], shape: EpisodeShape, *, seed: int) -> None:
        self._people, self._shape, self._seed = people, shape, seed
        self.epoch = 0

    def __len__(self) -> int:
        """As many as there are people."""
        return len(self._people)

    def gather(self, places: Places) -> list[Episode]:
        """Those of the people at (B,) places."""
        return [self._draw(place) for place in places.tolist()]

    def _draw(self, place: int) -> Episode:
        person, shape = self._people[place], self._shape
        rng = np.random.default_rng([self._seed, self.epoch, place])
        chosen = rng.permutation(len(person))[: shape.size]
        batch = make_batch(
            person.read(chosen), person.landmarks[chosen], np.arange(shape.references)
        )
        return cut_episode(batch, shape.support)


def summarise_errors(errors: Sequence[npt.NDArray[Any]]) -> dict[str, float]:
    """`score`, mean absolute, and `psnr`, dB over the mean square, of errors in levels of 255."""
    square = float(np.mean([np.square(error).mean() for error in errors]))
    score = float(np.mean([np.abs(error).mean() for error in errors]))
    return {"score": score, "psnr": 10 * math.log10(255**2 / max(square, 1e-12))}
