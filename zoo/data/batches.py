"""Training windows of T frames, cut into batches that depend on seed and epoch alone.

B windows of a batch, T frames of a window, n frames of a clip, W windows.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch

from toolkit.dataset.windows import Context, Span, Windows
from toolkit.errors import ToolkitError
from zoo.data.clips import MotionClip
from zoo.data.layout import CONTEXT, WINDOW
from zoo.data.normalise import Normalisation
from zoo.data.order import Batches, Places, cut_order, draw_order

STRIDE = 5
"""Frames between the starts of a clip's windows (FACIAL, section 5.1)."""


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
    """All windows of some clips: each clip's every `stride` frames, and with `last` its last.

    Everything numeric is normalised once and lies in memory, so that a window is one slice; nothing
    of a shard is held. Worker processes that are forked share the memory.

    Attributes:
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
        last: bool = True,
    ) -> None:
        """Normalise clips and place their windows; clips shorter than T have none.

        Raises:
            ToolkitError: every clip is shorter than T, or without `last` as short.
            ValueError: T or stride below 1, or a clip of an identity that is not in `identities`.
        """
        clips = list(clips)
        self.ids = tuple(clip.id for clip in clips)
        self.identities = tuple(identities or sorted({clip.identity for clip in clips}))
        place = {name: number for number, name in enumerate(self.identities)}
        if unknown := sorted({clip.identity for clip in clips} - place.keys()):
            raise ValueError(f"{unknown[0]} is none of {', '.join(self.identities)}")
        self._identity = np.array([place[clip.identity] for clip in clips], np.int64)
        self._windows = join_windows(
            [
                {
                    "audio": normalisation.normalise_audio(clip.audio),
                    "motion": normalisation.normalise_motion(clip),
                    "valid": clip.valid,
                }
                for clip in clips
            ],
            num_frames,
            stride,
            {"audio": Context(*CONTEXT)},
        )
        self._kept = np.arange(len(self._windows))
        if not last:
            clip, start = self._windows.place(self._kept)
            ends = np.array([clip.num_frames for clip in clips])[clip]
            self._kept = self._kept[start + num_frames < ends]
        if not len(self._kept):
            raise ToolkitError(f"no clip is longer than a window of {num_frames} frames")

    def __len__(self) -> int:
        return len(self._kept)

    def gather(self, windows: Places) -> MotionBatch:
        """Copies of (B,) windows, which are numbered from 0 in the order of clips and frames."""
        windows = self._kept[windows]
        clip, start = self._windows.place(windows)
        arrays = self._windows.read(windows) | {
            "identity": self._identity[clip],
            "clip": clip,
            "start": start,
        }
        return MotionBatch(**{name: torch.from_numpy(array) for name, array in arrays.items()})


def join_windows(
    clips: Sequence[Mapping[str, npt.NDArray[Any]]],
    num_frames: int,
    stride: int,
    context: Mapping[str, Context] | None = None,
) -> Windows:
    """Windows of clips in memory.

    Args:
        clips: of each, name -> (n, ...) array.
        num_frames: T.
        stride: frames between the starts of a clip's windows.
        context: name -> frames that are read beside the window's own.

    Raises:
        ToolkitError: every clip is shorter than T.
        ValueError: T or stride below 1.
    """
    columns = {name: [np.concatenate([clip[name] for clip in clips])] for name in clips[0]}
    lengths = [len(next(iter(clip.values()))) for clip in clips]
    firsts = np.cumsum([0, *lengths]).tolist()
    spans = [Span(0, first, length) for first, length in zip(firsts, lengths, strict=False)]
    windows = Windows(columns, spans, num_frames, stride=stride, context=context)
    if not len(windows):
        raise ToolkitError(f"every clip is shorter than a window of {num_frames} frames")
    return windows


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
