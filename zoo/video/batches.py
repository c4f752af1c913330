"""Pairs of a rendered window and the stored frame, rendered when they are asked for.

Legend: B pairs of a batch, C channels of a window, H the side of a picture.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from toolkit.errors import ToolkitError
from zoo.rendering import RenderClip
from zoo.video.inputs import WindowMaker, to_tensor

Places = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class FrameBatch:
    """What goes in and what should come out.

    Attributes:
        window: (B, C, H, H) float32, see `zoo.rendering.paint_frames`.
        target: (B, 3, H, H) float32, −1 to 1: the stored frame.
    """

    window: Tensor
    target: Tensor

    def __len__(self) -> int:
        return len(self.target)

    def to(self, device: torch.device) -> Self:
        """The same on a device, channels last; does not wait where the batch is pinned."""
        return type(self)(*(_move(tensor, device) for tensor in (self.window, self.target)))

    def pin_memory(self) -> Self:
        """The same in memory that a GPU reads by itself; a DataLoader calls this."""
        return type(self)(self.window.pin_memory(), self.target.pin_memory())


def _move(tensor: Tensor, device: torch.device) -> Tensor:
    return tensor.to(device, non_blocking=True).contiguous(memory_format=torch.channels_last)


class ClipFrames:
    """The frames of some clips that were measured (all, where none was), numbered from 0.

    It may be pickled: worker processes open the shards again and render for themselves.
    """

    def __init__(self, clips: Sequence[RenderClip], maker: WindowMaker) -> None:
        self._clips = tuple(clips)
        self._windows = [maker.make_of_clip(clip) for clip in clips]
        measured = any(clip.valid.any() for clip in clips)
        rows = [
            clip.valid.nonzero()[0] if measured else np.arange(len(clip.valid)) for clip in clips
        ]
        self._clip = np.repeat(np.arange(len(rows)), [len(found) for found in rows])
        self._frame = np.concatenate(rows)

    def __len__(self) -> int:
        return len(self._frame)

    def gather(self, places: Places) -> FrameBatch:
        """The pairs of (B,) places."""
        pairs = list(zip(self._clip[places].tolist(), self._frame[places].tolist(), strict=True))
        return FrameBatch(
            torch.stack([self._windows[clip][t] for clip, t in pairs]),
            torch.stack([to_tensor(self._clips[clip].read_frame(t)) for clip, t in pairs]),
        )


class FrameBatches(Dataset[FrameBatch]):
    """Batches of frames in a given order."""

    def __init__(self, frames: ClipFrames, batches: Sequence[Places]) -> None:
        """`batches` are (B,) places in `frames`."""
        self._frames, self._batches = frames, batches

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, index: int) -> FrameBatch:
        return self._frames.gather(self._batches[index])

    def load(
        self, first: int = 0, workers: int = 0, *, pin_memory: bool = False
    ) -> Iterator[FrameBatch]:
        """Batches `first`, `first` + 1, …, made ahead by so many processes (0: when asked)."""
        order = range(first, len(self))
        return iter(
            DataLoader(
                self, batch_size=None, sampler=order, num_workers=workers, pin_memory=pin_memory
            )
        )


def draw_order(
    num_frames: int, *, batch_size: int, seed: int, epoch: int, rank: int = 0, world_size: int = 1
) -> list[Places]:
    """Places of one process's batches in an epoch.

    All frames stand in an order drawn from seed and epoch, cut into batches of `batch_size` over
    all processes, of which each takes an even share. The last, incomplete batch is left out, unless
    it is the only one.

    Raises:
        ValueError: processes that do not divide the batch.
        ToolkitError: fewer frames than processes.
    """
    if batch_size % world_size:
        raise ValueError(
            f"a batch of {batch_size} frames cannot be shared evenly by {world_size} processes"
        )
    order = np.random.default_rng([seed, epoch]).permutation(num_frames)
    size = min(batch_size, num_frames // world_size * world_size)
    if not size:
        raise ToolkitError(f"{num_frames} frames are too few for {world_size} processes")
    firsts = range(0, num_frames - size + 1, size)
    return [order[first : first + size][rank::world_size] for first in firsts]


def spread_order(num_frames: int, most: int) -> list[Places]:
    """At most so many frames, evenly spaced, one in a batch."""
    places = np.linspace(0, num_frames - 1, min(most, num_frames)).round().astype(np.int64)
    return list(places[:, None])
