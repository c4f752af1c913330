"""What the rendering-to-video network reads: rendered frames around t, with the blink painted in.

FACIAL (Zhang et al., ICCV 2021), sections 3.3 and 3.4. Legend: n frames of a motion, B frames,
H the side of a picture.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from toolkit.mesh import MAX_AU45
from zoo.graphics.render import FaceRenderer
from zoo.models.renderer.presets import HALF_WINDOW, PAPER_WINDOW, WindowShape

BRIGHT = 0.9
"""Green (−1 to 1) over which the released code takes a pixel for an eye's."""

BLOCK = 32
"""Frames rendered ahead where windows are read in order."""


def place_window(
    t: int, num_frames: int, current: int = PAPER_WINDOW.current
) -> npt.NDArray[np.int64]:
    """(10,) frames of the window of t, a clip's first and last repeated beyond its ends.

    Args:
        t: a frame.
        num_frames: of the clip.
        current: index of frame t in its window.

    Raises:
        ValueError: there is no frame t.
    """
    if not 0 <= t < num_frames:
        raise ValueError(f"{num_frames} frames have no frame {t}")
    first = t - current
    return np.arange(first, first + 2 * HALF_WINDOW).clip(0, num_frames - 1)


def paint_frames(
    pictures: Tensor, au45: npt.ArrayLike, channels: int = PAPER_WINDOW.channels
) -> Tensor:
    """Rendered frames as the network sees them.

    Colours are −1 to 1. The fourth channel is AU45/5, clipped to 0 to 1, where an eye is, and 0
    elsewhere: a share of it where antialiasing shows an eye in part. With three channels the blink
    is painted as the released code does: eyes white, and wherever green then exceeds 0.9 all three
    are overwritten with AU45 as it is, neither scaled nor clipped.

    Args:
        pictures: (B, H, H, 4) uint8 of `FaceRenderer.render`.
        au45: (B,) 0 to 5.
        channels: 4 or 3.

    Returns:
        (B, channels, H, H) float32.
    """
    blink = torch.as_tensor(np.asarray(au45, np.float32)).to(pictures.device)
    planes = pictures.permute(0, 3, 1, 2)
    frames = torch.empty(planes.shape, dtype=torch.float32, device=planes.device)  # copied once
    color, eye = frames[:, :3], frames[:, 3:]
    color.copy_(planes[:, :3]).div_(127.5).sub_(1)
    eye.copy_(planes[:, 3:]).div_(255)
    if channels == 3:
        color = torch.where(eye > 0.5, 1.0, color)
        return torch.where(color[:, 1:2] > BRIGHT, blink[:, None, None, None], color)
    eye.mul_((blink / MAX_AU45).clamp(0, 1)[:, None, None, None])
    return frames


def stack_window(frames: Tensor) -> Tensor:
    """One window's frames (10, C, H, H) as channels (10·C, H, H), the earliest first."""
    return frames.flatten(0, 1)


@dataclass(frozen=True, eq=False)
class Stretch:
    """Rendered frames of windows that follow each other.

    Attributes:
        first: place of the first window's first frame in the motion, may be negative.
        pictures: k frames (H, H, 4) uint8 of `FaceRenderer.render`, for k − 9 windows.
        au45: (k,) 0 to 5.
    """

    first: int
    pictures: Sequence[npt.NDArray[np.uint8]]
    au45: npt.NDArray[np.float32]


class RenderedWindows:
    """The windows of one motion, rendered when they are asked for; nothing is stored.

    Attributes:
        num_frames: n; every frame has a window, first and last included.
    """

    def __init__(
        self,
        renderer: FaceRenderer,
        *,
        expression: npt.ArrayLike,
        pose: npt.ArrayLike,
        au45: npt.ArrayLike,
        shape: WindowShape = PAPER_WINDOW,
    ) -> None:
        """Keep what is to be rendered.

        Args:
            renderer: of the person and the camera.
            expression: (n, 64), smoothed.
            pose: (n, 6) of the model, smoothed.
            au45: (n,) 0 to 5.
            shape: of a window.
        """
        self._renderer = renderer
        self._expression = np.asarray(expression, np.float64)
        self._pose = np.asarray(pose, np.float64)
        self._au45 = np.asarray(au45, np.float32)
        self._shape = shape
        self.num_frames = len(self._pose)
        if not self.num_frames == len(self._expression) == len(self._au45):
            raise ValueError(
                f"{len(self._expression)} expressions, {len(self._pose)} poses and "
                f"{len(self._au45)} blinks are no one motion"
            )

    def __len__(self) -> int:
        return self.num_frames

    def __getitem__(self, t: int) -> Tensor:
        """The window of frame t: (10·C, H, H) float32; each of its frames is rendered once."""
        frames, place = np.unique(
            place_window(t, self.num_frames, self._shape.current), return_inverse=True
        )
        painted = self._paint(frames)
        whole = len(frames) == len(place)
        return stack_window(painted if whole else painted[torch.from_numpy(place)])

    def __iter__(self) -> Iterator[Tensor]:
        """All windows in order, every frame rendered once."""
        ready: dict[int, Tensor] = {}
        for t in range(self.num_frames):
            frames = place_window(t, self.num_frames, self._shape.current).tolist()
            if frames[-1] not in ready:
                first = frames[-1] if ready else 0
                last = min(first + BLOCK, self.num_frames)
                ready = {frame: ready[frame] for frame in frames if frame in ready}
                painted = self._paint(np.arange(first, last))
                ready |= dict(zip(range(first, last), painted, strict=True))
            yield stack_window(torch.stack([ready[frame] for frame in frames]))

    def read_stretches(self, length: int) -> Iterator[Stretch]:
        """All windows in order, so many at once, not yet painted; every frame rendered once."""
        ready: dict[int, npt.NDArray[np.uint8]] = {}
        for start in range(0, self.num_frames, length):
            first = start - self._shape.current
            last = min(start + length, self.num_frames) + 2 * HALF_WINDOW - 1
            frames = np.arange(first, last - self._shape.current).clip(0, self.num_frames - 1)
            ready = {frame: ready[frame] for frame in frames.tolist() if frame in ready}
            new = np.array([frame for frame in np.unique(frames) if frame not in ready], np.int64)
            ready |= dict(zip(new.tolist(), self._render(new).cpu().numpy(), strict=True))
            yield Stretch(first, [ready[frame] for frame in frames.tolist()], self._au45[frames])

    def _paint(self, frames: npt.NDArray[np.int64]) -> Tensor:
        return paint_frames(self._render(frames), self._au45[frames], self._shape.channels)

    def _render(self, frames: npt.NDArray[np.int64]) -> Tensor:
        return self._renderer.render(self._expression[frames], self._pose[frames])
