"""Pairs of a rendered window and the stored frame, rendered when they are asked for.

Legend: B pairs of a batch, C channels of a window, H the side of a picture.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from toolkit.features.matte import Matte
from zoo.data.frames import RenderClip
from zoo.data.mattes import find_matte, surround
from zoo.data.order import Places
from zoo.models.renderer.inputs import WindowMaker
from zoo.models.renderer.people import PeopleMaker
from zoo.training.pictures import to_tensor


@dataclass(frozen=True, eq=False)
class FrameBatch:
    """What goes in and what should come out.

    Of generators with an alpha, colours are compared where the person is or nearly so, so that
    nothing of the background is learnt; of others, all that is picture.

    Attributes:
        window: (B, C, H, H) float32, see `zoo.models.renderer.windows.paint_frames`.
        target: (B, 3, H, H) float32, −1 to 1: the stored frame.
        inside: (B, 1, H, H) bool, where the target is picture and not its repeated border; None
            where all of it is.
        matte: (B, 1, H, H) float32, 0 to 1, see `toolkit.features.matte`, or 1 throughout where
            no person is seen; None where no alpha is learnt.
        near: (B, 1, H, H) float32, 0 to 1, see `zoo.data.mattes.surround`; None likewise.
        regions: (B, 3, 4) float32, see `zoo.models.renderer.regions.place_regions`; None where
            mouth and eyes are not looked at by themselves.
    """

    window: Tensor
    target: Tensor
    inside: Tensor | None = None
    matte: Tensor | None = None
    near: Tensor | None = None
    regions: Tensor | None = None

    def __len__(self) -> int:
        return len(self.target)

    def to(self, device: torch.device) -> Self:
        """The same on a device, channels last; does not wait where the batch is pinned."""
        window, target = (_move(tensor, device) for tensor in (self.window, self.target))
        rest = (m if m is None else m.to(device, non_blocking=True) for m in self._rest)
        return type(self)(window, target, *rest)

    def pin_memory(self) -> Self:
        """The same in memory that a GPU reads by itself; a DataLoader calls this."""
        rest = (m if m is None else m.pin_memory() for m in self._rest)
        return type(self)(self.window.pin_memory(), self.target.pin_memory(), *rest)

    @property
    def _rest(self) -> tuple[Tensor | None, ...]:
        return self.inside, self.matte, self.near, self.regions

    def hide_rest(self, pred: Tensor) -> Tensor:
        """A prediction (B, 3, H, H) with the target where there is nothing to learn.

        That is where the target is no picture and, with a matte, away from the person.
        """
        target = self.target.to(pred.dtype)
        if self.near is not None:
            pred = torch.lerp(target, pred, self.near.to(pred.dtype))
        return pred if self.inside is None else torch.where(self.inside, pred, target)


def _move(tensor: Tensor, device: torch.device) -> Tensor:
    return tensor.to(device, non_blocking=True).contiguous(memory_format=torch.channels_last)


class ClipFrames:
    """The measured frames of some clips, of a person without any all; numbered from 0.

    It may be pickled: worker processes open the shards again and render for themselves.

    Attributes:
        counts: identity -> their frames; clips of one person stand together.
    """

    def __init__(
        self,
        clips: Sequence[RenderClip],
        maker: WindowMaker | PeopleMaker,
        *,
        with_matte: bool = False,
        with_regions: bool = False,
    ) -> None:
        self._clips, self._with_matte = tuple(clips), with_matte
        self._windows = [maker.make_of_clip(clip) for clip in clips]
        self._regions = [maker.place_regions(clip) for clip in clips] if with_regions else []
        measured = {clip.identity for clip in clips if clip.valid.any()}
        rows = [
            clip.valid.nonzero()[0] if clip.identity in measured else np.arange(len(clip.valid))
            for clip in clips
        ]
        self.counts = dict.fromkeys((clip.identity for clip in clips), 0)
        for clip, found in zip(clips, rows, strict=True):
            self.counts[clip.identity] += len(found)
        self._clip = np.repeat(np.arange(len(rows)), [len(found) for found in rows])
        self._frame = np.concatenate(rows)

    def __len__(self) -> int:
        return len(self._frame)

    def gather(self, places: Places) -> FrameBatch:
        """The pairs of (B,) places."""
        pairs = list(zip(self._clip[places].tolist(), self._frame[places].tolist(), strict=True))
        pictures = [self._clips[clip].read_frame(t) for clip, t in pairs]
        mattes = [find_matte(picture) for picture in pictures] if self._with_matte else []
        return FrameBatch(
            _stack([self._windows[clip][t] for clip, t in pairs]),
            _stack([to_tensor(picture) for picture in pictures]),
            _stack_masks([self._clips[clip].inside for clip, _ in pairs]),
            _stack_mattes(mattes),
            _stack_mattes([surround(matte) for matte in mattes]),
            self._gather_regions(pairs),
        )

    def _gather_regions(self, pairs: Sequence[tuple[int, int]]) -> Tensor | None:
        if not self._regions:
            return None
        return torch.from_numpy(np.stack([self._regions[clip][t] for clip, t in pairs]))


def _stack_mattes(mattes: Sequence[Matte]) -> Tensor | None:
    """(B, 1, H, H) of mattes (H, H); None of none."""
    return torch.from_numpy(np.stack(mattes))[:, None] if mattes else None


def _stack_masks(masks: Sequence[npt.NDArray[np.bool_] | None]) -> Tensor | None:
    """(B, 1, H, H) of masks (H, H), None among them for a whole one; None where all are whole."""
    partial = next((mask for mask in masks if mask is not None), None)
    if partial is None:
        return None
    whole = np.ones_like(partial)
    return torch.from_numpy(np.stack([whole if m is None else m for m in masks]))[:, None]


def _stack(tensors: Sequence[Tensor]) -> Tensor:
    """torch.stack, without a copy of the only one."""
    return tensors[0][None] if len(tensors) == 1 else torch.stack(list(tensors))
