"""Stretches of consecutive frames.

Legend: B stretches, T frames of each, K taps of a frame.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor

from zoo.data.landmarks import LandmarkClip
from zoo.data.order import Places


@dataclass(frozen=True, eq=False)
class LandmarkBatch:
    """Stretches of a step.

    Attributes:
        scores: (B, T, K, 29).
        points: (B, T, 68, 2) canonical.
        valid: (B, T) bool; False too for frames that a short clip lacks.
    """

    scores: Tensor
    points: Tensor
    valid: Tensor

    def to(self, device: torch.device) -> Self:
        """The same on a device."""
        return type(self)(*(x.to(device) for x in (self.scores, self.points, self.valid)))


class Stretches:
    """An epoch's stretches: as many as fit into each clip, side by side from a random frame on.

    A clip shorter than a stretch is one, its last frame repeated.
    """

    def __init__(
        self, clips: Sequence[LandmarkClip], num_frames: int, *, seed: int, epoch: int
    ) -> None:
        rng = np.random.default_rng([seed, epoch, 1])
        self._clips, self._num_frames = clips, num_frames
        self._starts = list[tuple[int, int]]()
        for k, clip in enumerate(clips):
            count = max(1, clip.num_frames // num_frames)
            first = int(rng.integers(max(1, clip.num_frames - count * num_frames + 1)))
            self._starts += [(k, first + i * num_frames) for i in range(count)]

    def __len__(self) -> int:
        return len(self._starts)

    def gather(self, places: Places) -> LandmarkBatch:
        """Those at (B,) places."""
        parts = [self._cut(*self._starts[place]) for place in places]
        return LandmarkBatch(*(torch.from_numpy(np.stack(x)) for x in zip(*parts, strict=True)))

    def _cut(self, number: int, first: int) -> tuple[np.ndarray, ...]:
        clip = self._clips[number]
        frames = np.arange(first, first + self._num_frames)
        there = np.minimum(frames, clip.num_frames - 1)
        valid = clip.valid[there] & (frames < clip.num_frames)
        return clip.scores[there], clip.canonical[there], valid
