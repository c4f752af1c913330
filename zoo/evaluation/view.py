"""Which part of a video's pictures is measured, and in which pixels."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from zoo.evaluation.tracked import Picture, TrackedVideo, resize

CROP = 256
"""Side of a face's crop, px."""


@dataclass(frozen=True, kw_only=True)
class View:
    """What of a picture is measured, in which pixels.

    Attributes:
        size: width and height that every picture is resized to.
        crop: xyxy px of that picture, which is cut out and resized to `CROP`; None: all of it.
    """

    size: tuple[int, int]
    crop: tuple[int, int, int, int] | None = None

    @property
    def picture_size(self) -> tuple[int, int]:
        """Width and height of what is measured, px."""
        return (CROP, CROP) if self.crop else self.size

    def show(self, picture: Picture) -> Picture:
        """What is measured of a whole picture (H, W, 3) of any size."""
        whole = resize(picture, self.size)
        return whole if self.crop is None else resize(_cut(whole, self.crop), (CROP, CROP))

    def show_own(self, picture: Picture) -> Picture:
        """The same part of it in its own pixels: nothing is resized."""
        if self.crop is None:
            return picture
        width, height = self.size
        scales = (picture.shape[1] / width, picture.shape[0] / height) * 2
        x0, y0, x1, y1 = (round(e * s) for e, s in zip(self.crop, scales, strict=True))
        return _cut(picture, (x0, y0, x1, y1))

    def place(self, landmarks: npt.NDArray[np.float32], size: tuple[int, int]) -> Any:
        """Landmarks (n, 478, 3) in px of a whole picture of a size, in px of what is measured."""
        across, down = (new / old for new, old in zip(self.size, size, strict=True))
        points = landmarks * np.array([across, down, across], np.float32)
        if self.crop is None:
            return points
        x0, y0, x1, _ = self.crop
        return (points - np.array([x0, y0, 0], np.float32)) * np.float32(CROP / (x1 - x0))


def _cut(picture: Picture, box: tuple[int, int, int, int]) -> Picture:
    """The part of a picture within xyxy px; its edge goes on outside of it."""
    (x0, y0, x1, y1), (height, width) = box, picture.shape[:2]
    left, top = max(0, -x0), max(0, -y0)
    around = ((top, max(0, y1 - height)), (left, max(0, x1 - width)), (0, 0))
    padded = np.pad(picture, around, mode="edge")
    return np.ascontiguousarray(padded[y0 + top : y1 + top, x0 + left : x1 + left])


def choose_view(video: TrackedVideo, *, face: bool) -> View:
    """All of a video's picture, or the square around its face if it has one."""
    return View(size=video.size, crop=video.find_crop() if face and video.has_face else None)
