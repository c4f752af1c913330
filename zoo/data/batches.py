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
from zoo.data.layout import CONTEXT, MIN_FRAMES, WINDOW
from zoo.data.normalise import Normalisation
from zoo.data.order import Batches, Places, cut_order, draw_order

STRIDE = 5
"""Frames between the starts of a clip's windows (FACIAL, section 5.1)."""


@dataclass(frozen=True, eq=False, kw_only=True)
class MotionBatch:
    """Windows, as networks see them; behind the end of a clip shorter than T all is zero.

    Attributes:
        audio: (B, T + 15, A) float32, A numbers of speech features: frames from 8 before a window
            to 7 behind it, its clip's own, and zeros beyond the clip's ends. The window itself is
            `audio[:, 8 : 8 + T]`, the local window (16, A) of its frame t `audio[:, t : t + 16]`.
        motion: (B, T, 71) float32.
        valid: (B, T) bool, measured and not filled in.
        identity: (B,) int64, place in `MotionWindows.identities`.
        clip: (B,) int64, place in `MotionWindows.ids`.
        start: (B,) int64, the window's first frame in its clip.
        mask: (B, T) bool, true for a clip's own frames, false behind the end of a shorter one.
            None: none is shorter.
    """

    audio: torch.Tensor
    motion: torch.Tensor
    valid: torch.Tensor
    identity: torch.Tensor
    clip: torch.Tensor
    start: torch.Tensor
    mask: torch.Tensor | None = None

    def __len__(self) -> int:
        return len(self.motion)

    @property
    def num_frames(self) -> float:
        """Clips' own frames of a window: T, or the mean of the batch where some are shorter."""
        if self.mask is None:
            return self.motion.shape[1]
        return int(self.mask.sum()) / len(self)

    def split(self, values: torch.Tensor) -> list[npt.NDArray[np.float32]]:
        """(n, ...) of each window, its clip's own frames of (B, T, ...) values."""
        if self.mask is None:
            return list(values.numpy())
        return [row[: int(mask.sum())].numpy() for row, mask in zip(values, self.mask, strict=True)]

    def to(self, device: torch.device | str) -> Self:
        """The same on a device; does not wait where the batch is pinned."""
        return self._map(lambda tensor: tensor.to(device, non_blocking=True))

    def pin_memory(self) -> Self:
        """The same in memory that a GPU reads by itself; a DataLoader calls this."""
        return self._map(torch.Tensor.pin_memory)

    def _map(self, change: Callable[[torch.Tensor], torch.Tensor]) -> Self:
        tensors = {f.name: getattr(self, f.name) for f in fields(self)}
        changed: dict[str, Any] = {k: v if v is None else change(v) for k, v in tensors.items()}
        return type(self)(**changed)


class MotionWindows:
    """All windows of some clips: each clip's every `stride` frames, and with `last` its last.

    A clip of `MIN_FRAMES` or more that is shorter than T has one, padded at its end.

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
        """Normalise clips and place their windows.

        Raises:
            ToolkitError: every clip is shorter than T and than `MIN_FRAMES`, or without `last` as
                short.
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
                    "audio": normalisation.normalise_audio(clip.audio).astype(
                        clip.audio.dtype, copy=False
                    ),
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
        tensors = {name: torch.from_numpy(array) for name, array in arrays.items()}
        tensors["audio"] = tensors["audio"].float()  # those of Whisper lie in memory as float16
        return MotionBatch(**tensors, mask=make_mask(self._windows, windows))


def make_mask(windows: Windows, places: Places) -> torch.Tensor | None:
    """(B, T) bool: what `MotionBatch.mask` says of windows at (B,) places."""
    lengths = windows.count_frames(places)
    if (lengths == windows.num_frames).all():
        return None
    return torch.from_numpy(np.arange(windows.num_frames) < lengths[:, None])


def join_windows(
    clips: Sequence[Mapping[str, npt.NDArray[Any]]],
    num_frames: int,
    stride: int,
    context: Mapping[str, Context] | None = None,
) -> Windows:
    """Windows of clips in memory; one of a clip shorter than T but not than `MIN_FRAMES`.

    Args:
        clips: of each, name -> (n, ...) array.
        num_frames: T.
        stride: frames between the starts of a clip's windows.
        context: name -> frames that are read beside the window's own.

    Raises:
        ToolkitError: every clip is shorter than T and than `MIN_FRAMES`.
        ValueError: T or stride below 1.
    """
    columns = {name: [np.concatenate([clip[name] for clip in clips])] for name in clips[0]}
    lengths = [len(next(iter(clip.values()))) for clip in clips]
    firsts = np.cumsum([0, *lengths]).tolist()
    spans = [Span(0, first, length) for first, length in zip(firsts, lengths, strict=False)]
    windows = Windows(
        columns, spans, num_frames, stride=stride, context=context, min_frames=MIN_FRAMES
    )
    if not len(windows):
        raise ToolkitError(f"every clip is shorter than {min(num_frames, MIN_FRAMES)} frames")
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
