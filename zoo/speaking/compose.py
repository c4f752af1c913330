"""A drawn crop put back into the source's picture: a square with a soft border, or a head.

Legend: H, W height and width of the source's picture; S side of the crop there, px.
"""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from zoo.data.frames import Picture
from zoo.speaking.plate import Mask, blend

BORDER = 1 / 12
"""Width of the soft border, over the crop's side."""

_LEAST = 1e-3
"""Weight of a head's colours where neither it nor the plate hides anything: scaling mixes them into
those beside them."""


class Pasting:
    """Puts drawn pictures to one place of pictures of one size."""

    def __init__(self, crop: Sequence[float], size: tuple[int, int]) -> None:
        """Prepare the mask.

        Args:
            crop: xyxy in px of the picture, square; may leave it.
            size: (W, H) of the picture.

        Raises:
            ValueError: the crop is empty or wholly outside.
        """
        x0, y0, x1, y1 = (round(value) for value in crop)
        (width, height), self._side = size, x1 - x0
        rows, columns = slice(max(y0, 0), min(y1, height)), slice(max(x0, 0), min(x1, width))
        if rows.start >= rows.stop or columns.start >= columns.stop:
            raise ValueError(f"a crop {tuple(crop)} shows nothing of a picture of {size}")
        self._there = rows, columns
        self._here = (
            slice(rows.start - y0, rows.stop - y0),
            slice(columns.start - x0, columns.stop - x0),
        )
        across = ramp_border(self._side, soft=(x0 > 0, x1 < width))
        down = ramp_border(self._side, soft=(y0 > 0, y1 < height))
        self._mask = np.ascontiguousarray((down[:, None] * across)[self._here])
        self._person: tuple[Mask, Mask] | None = None

    def paste(self, picture: Picture, drawn: Picture) -> Picture:
        """A copy of the picture (H, W, 3) with the drawn square in it, scaled to its place."""
        pasted = picture.copy()
        pasted[self._there] = blend(self._fit(drawn), picture[self._there], self._mask)
        return pasted

    def paste_part(self, picture: Picture, drawn: Picture, share: Mask) -> Picture:
        """As `paste`, but for the share (S, S), 0 to 1, of the drawn square that is shown."""
        pasted = picture.copy()
        mask = self._fit_mask(share)
        pasted[self._there] = blend(self._fit(drawn), picture[self._there], mask)
        return pasted

    def lay(self, picture: Picture, drawn: Picture, plate: Picture, person: Mask) -> Picture:
        """A copy of the picture (H, W, 3) with a drawn head laid over it.

        Where the picture's own person is, the plate hides them first. Both fade over the soft
        border of the square, where the person goes on outside of it; beside the person there is no
        border, for there the picture stays as it is.

        Args:
            picture: the source's.
            drawn: (S, S, 4), colours and alpha.
            plate: (S, S, 3), the background without the person.
            person: (h, h) 0 to 1 over the square, where the picture's own person is.
        """
        layer, share = self._merge(drawn, plate, person)
        laid = picture.copy()
        laid[self._there] = blend(self._fit(layer), picture[self._there], self._fit_mask(share))
        return laid

    def _merge(self, drawn: Picture, plate: Picture, person: Mask) -> tuple[Picture, Mask]:
        """Head over plate as one layer (S, S, 3), and how much (S, S) of what is below it hides.

        At the size that both have, for it is smaller than their place in many pictures.
        """
        if self._person is None or self._person[0] is not person:
            size = (len(drawn), len(drawn))
            fitted = cv2.resize(person, size, interpolation=cv2.INTER_LINEAR)
            self._person = person, np.asarray(fitted, np.float32)  # mostly the one before's
        colors = cv2.cvtColor(np.ascontiguousarray(drawn), cv2.COLOR_RGBA2RGB)
        alpha = drawn[..., 3].astype(np.float32) / 255
        hidden = (1 - alpha) * self._person[1]
        layer = cv2.blendLinear(colors, plate, alpha + _LEAST, hidden)
        return np.asarray(layer, np.uint8), alpha + hidden

    def _fit(self, drawn: Picture) -> Picture:
        """What of a square lies in the picture, scaled to its place."""
        if len(drawn) != self._side:
            method = cv2.INTER_CUBIC if len(drawn) < self._side else cv2.INTER_AREA
            size = (self._side, self._side)
            drawn = np.asarray(cv2.resize(drawn, size, interpolation=method), np.uint8)
        return drawn[self._here]

    def _fit_mask(self, mask: Mask) -> Mask:
        """What of a square's mask lies in the picture, with its soft border."""
        size = (self._side, self._side)
        fitted = np.asarray(cv2.resize(mask, size, interpolation=cv2.INTER_LINEAR), np.float32)
        return fitted[self._here] * self._mask


def ramp_border(side: int, soft: tuple[bool, bool]) -> npt.NDArray[np.float32]:
    """(side,) weights of the drawn picture along one axis: 1 but for its soft ends.

    Half a cosine, so that neither end of the border shows as an edge. An end that is not soft has
    nothing beside it: it lies at the picture's own border, or outside.
    """
    width = max(1.0, BORDER * side)
    place = np.arange(side) + 0.5
    near = np.ones(side)
    for is_soft, away in zip(soft, (place, side - place), strict=True):
        near = np.minimum(near, away / width) if is_soft else near
    return np.asarray(0.5 - 0.5 * np.cos(np.pi * near), np.float32)
