"""The picture that a face was cut out of, with the face moving in it.

Legend: h, w height and width of the picture, H side of a drawn square.
"""

from collections.abc import Iterable, Iterator
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from toolkit.media.video import MAX_SIDE
from zoo.data.picture_files import Picture
from zoo.landmarks.align import Similarity
from zoo.speaking.compose import ramp_border
from zoo.speaking.plate import blend


class DrawnFrame(Protocol):
    """A frame as vg-net draws it: α ⊙ motion + (1 − α) ⊙ picture."""

    @property
    def frame(self) -> Picture:
        """(H, H, 3) RGB."""

    @property
    def alpha(self) -> npt.NDArray[np.uint8]:
        """(H, H) α of 255."""

    @property
    def motion(self) -> Picture:
        """(H, H, 3) RGB."""


class StillScene:
    """Draws motion over the whole picture, where attention is, by the same equation.

    What attention leaves alone stays as sharp as the picture. At the square's border it fades.
    """

    def __init__(self, picture: Picture, place: Similarity, size: int) -> None:
        """Take a picture, scaled down to at most 1,920 px.

        Args:
            picture: (h, w, 3).
            place: from px of it to px of the square.
            size: H.
        """
        scale = min(1.0, MAX_SIDE / max(picture.shape[:2]))
        if scale < 1:
            width, height = (max(1, round(side * scale)) for side in picture.shape[1::-1])
            shrunk = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
            picture = np.asarray(shrunk, np.uint8)
        place = Similarity(place.matrix / scale, place.offset)
        corners = place.invert().apply(np.array([[0, 0], [size, 0], [0, size], [size, size]]))
        limit = picture.shape[1::-1]
        first = np.floor(corners.min(axis=0)).astype(int).clip(0, limit)
        last = np.ceil(corners.max(axis=0)).astype(int).clip(0, limit)
        self._picture, self._size = picture, (int(last[0] - first[0]), int(last[1] - first[1]))
        self._there = np.s_[first[1] : last[1], first[0] : last[0]]
        turn = place.matrix.T
        shift = place.offset + turn @ (first + 0.5) - 0.5  # OpenCV counts from a pixel's middle
        self._back = np.concatenate([turn, shift[:, None]], axis=1)
        ramp = ramp_border(size, soft=(True, True))
        self._border = ramp[:, None] * ramp

    def show(self, drawn: Iterable[DrawnFrame]) -> Iterator[Picture]:
        """Frames (h, w, 3), one at a time."""
        for each in drawn:
            share = self._border * (each.alpha.astype(np.float32) / 255)
            colors = self._warp(each.motion, cv2.INTER_CUBIC, cv2.BORDER_REPLICATE)
            weight = self._warp(share, cv2.INTER_LINEAR, cv2.BORDER_CONSTANT)
            shown = self._picture.copy()
            shown[self._there] = blend(
                np.asarray(colors, np.uint8), shown[self._there], np.asarray(weight, np.float32)
            )
            yield shown

    def _warp(self, square: npt.NDArray[Any], how: int, border: int) -> npt.ArrayLike:
        flags = how | cv2.WARP_INVERSE_MAP
        warped: npt.ArrayLike = cv2.warpAffine(
            square, self._back, self._size, flags=flags, borderMode=border
        )
        return warped
