"""Windows of consecutive frames, each with one picture of the same clip.

Legend: B windows, T frames of each, H the side of a picture.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor

from zoo.data.order import Places
from zoo.landmarks.aligned import align_points
from zoo.models.vg_net.clips import FaceClip
from zoo.models.vg_net.framing import Floats, Picture, frame_face
from zoo.training.pictures import to_tensor


@dataclass(frozen=True, eq=False, kw_only=True)
class WindowBatch:
    """Windows of a step; colours from −1 to 1.

    Attributes:
        picture: (B, 3, H, H).
        identity: (B, 136) its aligned landmarks.
        landmarks: (B, T, 136) those of the frames, moved as the picture is.
        shapes: (B, T, 136) the same, each frame aligned by itself: without the head's movement.
        target: (B, T, 3, H, H) the frames.
    """

    picture: Tensor
    identity: Tensor
    landmarks: Tensor
    shapes: Tensor
    target: Tensor

    def to(self, device: torch.device) -> Self:
        """The same on a device."""
        return type(self)(**{name: value.to(device) for name, value in vars(self).items()})


class Windows:
    """An epoch's windows: as many as fit into each stretch, side by side from a random frame on.

    A window's picture is any measured frame in it, or at most as far before or behind it as it is
    long: the released code takes it from the same 29 frames. Farther away a head has turned, or
    left the square. All depends on seed and epoch alone.
    """

    def __init__(
        self, clips: Sequence[FaceClip], mean: Floats, num_frames: int, *, seed: int, epoch: int
    ) -> None:
        """`mean`: the mean face, see `frame_face`."""
        rng = np.random.default_rng([seed, epoch, 1])
        self._clips, self._mean, self._num_frames = clips, mean, num_frames
        self.starts = list[tuple[int, int, int]]()
        for number, clip in enumerate(clips):
            for first, last in clip.stretches:
                count = (last - first) // num_frames
                begin = first + int(rng.integers(last - first - count * num_frames + 1))
                for start in range(begin, begin + count * num_frames, num_frames):
                    near = max(first, start - num_frames), min(last, start + 2 * num_frames)
                    self.starts.append((number, start, int(rng.integers(*near))))

    def __len__(self) -> int:
        return len(self.starts)

    def gather(self, places: Places) -> WindowBatch:
        """Those at (B,) places."""
        return stack_windows([self._cut(*self.starts[place]) for place in places])

    def _cut(self, number: int, first: int, picture: int) -> tuple[Picture, Floats, Floats]:
        frames = [picture, *range(first, first + self._num_frames)]
        return cut_frames(self._clips[number], frames, self._mean)


def cut_frames(
    clip: FaceClip, frames: Sequence[int], mean: Floats
) -> tuple[Picture, Floats, Floats]:
    """Pictures (k, H, H, 3) and aligned landmarks (k, 136), framed by the first frame's face.

    And (k, 136) landmarks, of which each frame's are aligned by themselves.
    """
    points = clip.landmarks[list(frames)]
    framing = frame_face(points[0], mean)
    pictures = np.stack([framing.cut(clip.read(frame)) for frame in frames])
    moved, shapes = framing.align.apply(points), align_points(points, mean)
    return pictures, moved.reshape(len(frames), -1), shapes.reshape(len(frames), -1)


def stack_windows(parts: Sequence[tuple[Picture, Floats, Floats]]) -> WindowBatch:
    """Of what `cut_frames` gives; the first picture of each is the one to draw from."""
    pictures = torch.stack([to_tensor(pictures) for pictures, _, _ in parts])
    moved, shapes = (
        torch.stack([torch.from_numpy(part[which]).float() for part in parts]) for which in (1, 2)
    )
    return WindowBatch(
        picture=pictures[:, 0],
        identity=moved[:, 0],
        landmarks=moved[:, 1:],
        shapes=shapes[:, 1:],
        target=pictures[:, 1:],
    )
