"""What lies behind the person in a clip's crop, and where the person hides it.

Legend: n frames of the clip, S the side of its stored frames.
"""

from collections.abc import Iterable, Iterator

import cv2
import numpy as np
import numpy.typing as npt

from zoo.data.frames import Picture, RenderClip
from zoo.data.mattes import find_matte, surround
from zoo.speaking.heads import place_heads

Mask = npt.NDArray[np.float32]

NUM_SAMPLES = 25
"""Frames that a plate is the mean of, at most."""

SEEN_ENOUGH = 0.5
"""Frames in which a place must be seen without the person; else it is filled from around."""

FILL_RADIUS = 3
"""Of cv2.inpaint, px."""

NEAR = 3.0
"""Distance of heads, px of a crop of 256 px, within which one's mask covers the other, too: masks
go 4 px beyond the person wholly, and 12 in part."""

MASK_SIDE = 64
"""Side of masks as they are kept, px: they are soft, and there may be hundreds."""


class Plate:
    """The background of a clip's crop without the person, and where the person hides it.

    Attributes:
        picture: (S, S, 3) uint8 RGB.
    """

    def __init__(self, clip: RenderClip) -> None:
        """Read and average frames spread over the clip."""
        self._clip, self._heads = clip, place_heads(clip.model_pose, clip.camera)
        self._measured = list[int]()
        self._masks = list[Mask]()
        places = np.linspace(0, clip.num_frames - 1, min(NUM_SAMPLES, clip.num_frames))
        self.picture = average_background(map(self._measure, places.round().astype(int).tolist()))

    def find_person(self, t: int) -> Mask:
        """Where the clip's own person is in frame t, (MASK_SIDE, MASK_SIDE) 0 to 1, and beside.

        Of the measured frame whose head is nearest; frame t is measured where none is near.
        """
        away = ((self._heads[self._measured] - self._heads[t]) ** 2).sum(axis=1)
        nearest = int(away.argmin())
        if away[nearest] > NEAR**2:
            self._measure(t)
            nearest = -1
        return self._masks[nearest]

    def _measure(self, t: int) -> tuple[Picture, Mask]:
        picture = self._clip.read_frame(t)
        mask = surround(find_matte(picture))
        small = cv2.resize(mask, (MASK_SIDE, MASK_SIDE), interpolation=cv2.INTER_AREA)
        self._measured.append(t)
        self._masks.append(np.asarray(small, np.float32))
        return picture, surround(mask)  # strands of hair that a matte leaves out are no background


def average_background(frames: Iterable[tuple[Picture, Mask]]) -> Picture:
    """The mean (S, S, 3) of frames without what masks cover, filled where all of them do.

    Args:
        frames: pictures (S, S, 3) and masks (S, S), 1 where the person is.
    """
    total, weight = np.zeros(1, np.float32), np.zeros(1, np.float32)
    for picture, mask in frames:
        total = total + picture * (1 - mask)[..., None]
        weight = weight + (1 - mask)
    hole = np.asarray(weight < SEEN_ENOUGH)
    mean = np.rint(total / np.maximum(weight, SEEN_ENOUGH)[..., None]).astype(np.uint8)
    if hole.all():
        return np.zeros_like(mean)
    return np.asarray(cv2.inpaint(mean, hole.astype(np.uint8), FILL_RADIUS, cv2.INPAINT_TELEA))


def show_crops(clip: RenderClip, drawn: Iterator[Picture]) -> Iterator[Picture]:
    """Drawn frames as crops (S, S, 3): those with an alpha (S, S, 4) over the clip's plate.

    What lies outside of the source's picture is black there.
    """
    plate: Picture | None = None
    for frame in drawn:
        shown = frame
        if frame.shape[2] > 3:
            plate = Plate(clip).picture if plate is None else plate
            shown = blend(frame[..., :3], plate, frame[..., 3].astype(np.float32) / 255)
        yield shown if clip.inside is None else shown * clip.inside[..., None]


def blend(above: Picture, below: Picture, share: Mask) -> Picture:
    """A picture (h, w, 3) over another one, with shares (h, w) 0 to 1 of the upper one."""
    above, below = np.ascontiguousarray(above), np.ascontiguousarray(below)
    return np.asarray(cv2.blendLinear(above, below, share, 1 - share), np.uint8)
