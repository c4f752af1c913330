"""Windows of consecutive frames, each with a source picture of the same clip.

All pictures of a window are aligned as its source is (FFHQ's rule), so that the face moves freely
about the place where the generator expects it.

Legend: B windows, T frames of each, H the side of a picture.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from zoo.data.mfcc import LENGTH, STEP, compute_mfcc
from zoo.data.order import Places
from zoo.landmarks.align import Similarity
from zoo.landmarks.cut import cut_square
from zoo.landmarks.ffhq import align_ffhq
from zoo.models.styleheat.clips import DrivenClip
from zoo.models.styleheat.coefficients import keep_expression
from zoo.models.styleheat.sync import NUM_ROWS, LipJudge
from zoo.training.pictures import to_tensor


@dataclass(frozen=True, eq=False, kw_only=True)
class DrivenBatch:
    """Windows of a step; colours from −1 to 1.

    Attributes:
        source: (B, 3, H, H).
        target: (B, T, 3, H, H) the frames.
        motion: (B, T, 27, 73) windows about them.
        posed: (B, T, 27, 73) the same with the source's expression.
        points: (B, T, 68, 2) landmarks of the frames, of the picture's side 1.
        mel: (B, T, 32, 80) sound of the frames.
        squares: (B, 4) where the judge of lip-sync looks: x, y and side of the picture's side 1,
            and the angle, rad. Zeros where there is no judge.
        sound: (B, 13, 20) cepstra for it.
    """

    source: Tensor
    target: Tensor
    motion: Tensor
    posed: Tensor
    points: Tensor
    mel: Tensor
    squares: Tensor
    sound: Tensor

    def to(self, device: torch.device) -> Self:
        """The same on a device."""
        return replace(self, **{name: value.to(device) for name, value in vars(self).items()})


class DrivenWindows:
    """So many windows of T frames, drawn from clips: each counts by its measured frames.

    The source is any other measured frame of the clip. All depends on seed and epoch alone.
    """

    def __init__(
        self,
        clips: Sequence[DrivenClip],
        num: int,
        *,
        num_frames: int,
        size: int,
        judge: LipJudge | None,
        seed: int,
        epoch: int,
    ) -> None:
        """Draw them.

        Args:
            clips: whose stretches all have `num_frames`, and one more frame in some of them.
            num: windows.
            num_frames: T.
            size: H.
            judge: says where it looks; None: nowhere.
            seed: of the run.
            epoch: from 0.
        """
        rng = np.random.default_rng([seed, epoch, 2])
        self._clips, self._num_frames = clips, num_frames
        self._size, self._judge = size, judge
        starts = [_list_starts(clip, num_frames) for clip in clips]
        share = np.array([len(x) for x in starts], np.float64)
        self.drawn = list[tuple[int, int, int]]()
        for number in rng.choice(len(clips), num, p=share / share.sum()).tolist():
            source = int(rng.choice(clips[number].measured))
            self.drawn.append((number, int(rng.choice(starts[number])), source))

    def __len__(self) -> int:
        return len(self.drawn)

    def gather(self, places: Places) -> DrivenBatch:
        """Those at (B,) places."""
        parts = [self._cut(*self.drawn[place]) for place in places]
        return DrivenBatch(
            **{name: torch.stack([part[name] for part in parts]) for name in parts[0]}
        )

    def _cut(self, number: int, first: int, source: int) -> dict[str, Tensor]:
        clip, last = self._clips[number], first + self._num_frames
        frames = np.arange(first, last)
        align = align_ffhq(clip.points[source])
        shown = [cut_square(clip.read(t), align, self._size) for t in (source, *frames)]
        pictures = to_tensor(np.stack(shown))
        windows = clip.describe(source, frames)
        squares = np.zeros(4) if self._judge is None else self._look(clip, frames, align)
        arrays: dict[str, npt.NDArray[np.float32 | np.float64]] = {
            "motion": windows,
            "posed": keep_expression(windows),
            "points": align.apply(clip.points[frames]),
            "mel": clip.hear(first, last),
            "squares": squares,
            "sound": compute_mfcc(clip.cut_sound(first, (NUM_ROWS - 1) * STEP + LENGTH)).T,
        }
        tensors = {name: torch.from_numpy(np.ascontiguousarray(x)) for name, x in arrays.items()}
        found = {name: value.float() for name, value in tensors.items()}
        return found | {"source": pictures[0], "target": pictures[1:]}

    def _look(
        self, clip: DrivenClip, frames: npt.NDArray[np.int64], align: Similarity
    ) -> npt.NDArray[np.float64]:
        """Mean over the window, as the judge was trained with, moved as the picture is."""
        assert self._judge is not None
        x, y, side, angle = self._judge.place(clip.read_meshes(frames)).mean(axis=0)
        middle = align.apply([(x, y)])[0]
        turned = np.arctan2(align.matrix[0, 1], align.matrix[0, 0])
        return np.array([*middle, side * float(align.scale), angle + turned])


def _list_starts(clip: DrivenClip, num_frames: int) -> npt.NDArray[np.int64]:
    """First frames of windows that lie in a stretch."""
    return np.concatenate(
        [np.arange(first, last - num_frames + 1) for first, last in clip.stretches]
    )
