"""Training windows of T frames, cut into batches that depend on seed and epoch alone.

B windows of a batch, T frames of a window, n frames of a clip, W windows.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Self

import numpy as np
import torch

from toolkit.errors import ToolkitError
from zoo.data.clips import MotionClip
from zoo.data.layout import CONTEXT, MOTION_SIZE, WINDOW
from zoo.data.normalise import Normalisation, pad_audio
from zoo.data.order import Batches, Places, cut_order, draw_order

STRIDE = 5
"""Frames between the starts of a clip's windows (FACIAL, section 4.1)."""


@dataclass(frozen=True, eq=False, kw_only=True)
class MotionBatch:
    """Windows, as networks see them.

    Attributes:
        audio: (B, T + 15, 29) float32: frames from 8 before a window to 7 behind it, its clip's
            own, and zeros beyond the clip's ends. The window itself is `audio[:, 8 : 8 + T]`, the
            local window (16, 29) of its frame t is `audio[:, t : t + 16]`.
        motion: (B, T, 71) float32.
        valid: (B, T) bool, measured and not filled in.
        identity: (B,) int64, place in `MotionWindows.identities`.
        clip: (B,) int64, place in `MotionWindows.ids`.
        start: (B,) int64, the window's first frame in its clip.
    """

    audio: torch.Tensor
    motion: torch.Tensor
    valid: torch.Tensor
    identity: torch.Tensor
    clip: torch.Tensor
    start: torch.Tensor

    def __len__(self) -> int:
        return len(self.motion)

    def to(self, device: torch.device | str) -> Self:
        """The same on a device; does not wait where the batch is pinned."""
        return self._map(lambda tensor: tensor.to(device, non_blocking=True))

    def pin_memory(self) -> Self:
        """The same in memory that a GPU reads by itself; a DataLoader calls this."""
        return self._map(torch.Tensor.pin_memory)

    def _map(self, change: Callable[[torch.Tensor], torch.Tensor]) -> Self:
        return type(self)(**{f.name: change(getattr(self, f.name)) for f in fields(self)})


class MotionWindows:
    """All windows of some clips: each clip's every `stride` frames, and its last.

    Everything numeric is normalised once and lies in memory, clips behind one another with the
    padding of their audio between them, so that a window is one slice. It may be pickled or
    forked: worker processes share the memory, and nothing of a shard is held.

    Attributes:
        num_frames: T.
        ids: of the clips, in their order.
        identities: everyone there is, in the order of `MotionBatch.identity`.
    """

    def __init__(
        self,
        clips: Iterable[MotionClip],
        normalisation: Normalisation,
        *,
        num_frames: int = WINDOW,
        stride: int = STRIDE,
        identities: Sequence[str] | None = None,
    ) -> None:
        """Normalise clips and place their windows; clips shorter than T have none.

        Raises:
            ToolkitError: every clip is shorter than T.
            ValueError: T or stride below 1, or a clip of an identity that is not in `identities`.
        """
        clips = list(clips)
        if num_frames < 1 or stride < 1:
            raise ValueError(f"windows of {num_frames} frames every {stride}")
        self.num_frames = num_frames
        self.ids = tuple(clip.id for clip in clips)
        self.identities = tuple(identities or sorted({clip.identity for clip in clips}))
        place = {name: number for number, name in enumerate(self.identities)}
        if unknown := sorted({clip.identity for clip in clips} - place.keys()):
            raise ValueError(f"{unknown[0]} is none of {', '.join(self.identities)}")
        starts = [place_windows(clip.num_frames, num_frames, stride) for clip in clips]
        if not any(map(len, starts)):
            raise ToolkitError(f"every clip is shorter than a window of {num_frames} frames")
        self._identity = np.array([place[clip.identity] for clip in clips], np.int64)
        self._clip = np.repeat(np.arange(len(clips)), [len(found) for found in starts])
        self._start = np.concatenate(starts)
        self._first = np.cumsum([0, *(clip.num_frames for clip in clips)])[:-1]
        self._fill(clips, normalisation)

    def _fill(self, clips: Sequence[MotionClip], normalisation: Normalisation) -> None:
        total = sum(clip.num_frames for clip in clips)
        width = clips[0].audio.shape[1]
        self._audio = torch.zeros(total + len(clips) * sum(CONTEXT), width)
        self._motion = torch.empty(total, MOTION_SIZE)
        self._valid = torch.empty(total, dtype=torch.bool)
        for number, (clip, first) in enumerate(zip(clips, self._first.tolist(), strict=True)):
            rows = slice(first, first + clip.num_frames)
            padded = pad_audio(normalisation.normalise_audio(clip.audio))
            begin = first + number * sum(CONTEXT)
            self._audio[begin : begin + len(padded)] = torch.from_numpy(padded)
            self._motion[rows] = torch.from_numpy(normalisation.normalise_motion(clip))
            self._valid[rows] = torch.from_numpy(clip.valid.copy())

    def __len__(self) -> int:
        return len(self._start)

    def gather(self, windows: Places) -> MotionBatch:
        """Copies of (B,) windows, which are numbered from 0 in the order of clips and frames."""
        clip, start = self._clip[windows], self._start[windows]
        rows = self._first[clip] + start
        num_frames, reach = self.num_frames, sum(CONTEXT)
        return MotionBatch(
            audio=_copy(self._audio, rows + clip * reach, num_frames + reach),
            motion=_copy(self._motion, rows, num_frames),
            valid=_copy(self._valid, rows, num_frames),
            identity=torch.from_numpy(self._identity[clip]),
            clip=torch.from_numpy(clip),
            start=torch.from_numpy(start),
        )


def place_windows(num_frames: int, window: int, stride: int) -> Places:
    """(W,) first frames of a clip's windows: 0, stride, … and the last that fits."""
    last = num_frames - window
    if last < 0:
        return np.empty(0, np.int64)
    return np.append(np.arange(0, last, stride, dtype=np.int64), last)


def _copy(column: torch.Tensor, starts: Places, length: int) -> torch.Tensor:
    """(B, length, …) rows of a column from each start on."""
    out = torch.empty(len(starts), length, *column.shape[1:], dtype=column.dtype)
    source, target = column.numpy(), out.numpy()
    for row, start in enumerate(starts.tolist()):
        target[row] = source[start : start + length]
    return out


class MotionBatches(Batches[MotionBatch]):
    """The batches of one epoch, for one of several processes.

    With a seed, in the order of `draw_order`. Without one, windows stand in their own order and
    none is left out, for validation by one process.
    """

    def __init__(
        self,
        windows: MotionWindows,
        *,
        batch_size: int,
        seed: int | None = None,
        epoch: int = 0,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        """Draw the order.

        Raises:
            ValueError: processes that do not divide the batch, or several without a seed.
            ToolkitError: fewer windows than processes.
        """
        if seed is None and world_size > 1:
            raise ValueError("several processes need a seed: in order, their shares are uneven")
        order = (
            cut_order(np.arange(len(windows)), batch_size)
            if seed is None
            else draw_order(
                len(windows), batch_size=batch_size, seed=seed, epoch=epoch, rank=rank,
                world_size=world_size, what="windows",
            )
        )  # fmt: skip
        super().__init__(windows, order)
