"""Pairs of a rendered window and the stored frame, rendered when they are asked for.

Legend: B pairs of a batch, C channels of a window, H the side of a picture.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor

from zoo.data.frames import RenderClip
from zoo.data.order import Places
from zoo.models.renderer.inputs import WindowMaker, to_tensor


@dataclass(frozen=True, eq=False)
class FrameBatch:
    """What goes in and what should come out.

    Attributes:
        window: (B, C, H, H) float32, see `zoo.models.renderer.windows.paint_frames`.
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
            _stack([self._windows[clip][t] for clip, t in pairs]),
            _stack([to_tensor(self._clips[clip].read_frame(t)) for clip, t in pairs]),
        )


def _stack(tensors: Sequence[Tensor]) -> Tensor:
    """torch.stack, without a copy of the only one."""
    return tensors[0][None] if len(tensors) == 1 else torch.stack(list(tensors))
