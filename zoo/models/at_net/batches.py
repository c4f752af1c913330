"""Stretches of consecutive frames, each with another frame of its clip as the picture.

Legend: B stretches, T frames of each.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from zoo.data.order import Places
from zoo.data.sound_landmarks import SoundClip
from zoo.landmarks.aligned import AlignedStatistics


@dataclass(frozen=True, eq=False)
class SoundBatch:
    """Stretches of a step.

    Attributes:
        windows: (B, T, 28, 12) cepstra.
        faces: (B, 6) coefficients of the picture.
        coefficients: (B, T, 6) of the frames.
        valid: (B, T) bool; False too for frames that a short clip lacks.
    """

    windows: Tensor
    faces: Tensor
    coefficients: Tensor
    valid: Tensor

    def to(self, device: torch.device) -> Self:
        """The same on a device."""
        parts = (self.windows, self.faces, self.coefficients, self.valid)
        return type(self)(*(x.to(device) for x in parts))


class Stretches:
    """An epoch's stretches: as many as fit into each clip, side by side from a random frame on.

    The picture is a random measured frame of the clip. A clip shorter than a stretch is one, its
    last frame repeated.
    """

    def __init__(
        self,
        clips: Sequence[SoundClip],
        statistics: AlignedStatistics,
        num_frames: int,
        *,
        seed: int,
        epoch: int,
    ) -> None:
        rng = np.random.default_rng([seed, epoch, 1])
        self._clips, self._statistics, self._num_frames = clips, statistics, num_frames
        self._places = list[tuple[int, int, int]]()
        for k, clip in enumerate(clips):
            count = max(1, clip.num_frames // num_frames)
            first = int(rng.integers(max(1, clip.num_frames - count * num_frames + 1)))
            pictures = rng.choice(np.flatnonzero(clip.valid), count)
            starts = first + num_frames * np.arange(count)
            self._places += [(k, int(a), int(b)) for a, b in zip(starts, pictures, strict=True)]

    def __len__(self) -> int:
        return len(self._places)

    def gather(self, places: Places) -> SoundBatch:
        """Those at (B,) places."""
        parts = [self._cut(*self._places[place]) for place in places]
        return SoundBatch(*(torch.from_numpy(np.stack(x)) for x in zip(*parts, strict=True)))

    def _cut(self, number: int, first: int, picture: int) -> tuple[npt.NDArray[Any], ...]:
        clip, encode = self._clips[number], self._statistics.encode
        frames = np.arange(first, first + self._num_frames)
        there = np.minimum(frames, clip.num_frames - 1)
        return (
            clip.windows[there],
            encode(clip.points[picture]).astype(np.float32),
            encode(clip.points[there]).astype(np.float32),
            clip.valid[there] & (frames < clip.num_frames),
        )
