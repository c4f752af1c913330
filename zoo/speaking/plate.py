"""What lies behind the person in a clip's crop, and where the person hides it.

Legend: n frames of the clip, S the side of its stored frames.
"""

from collections.abc import Iterable, Iterator

import cv2
import numpy as np
import numpy.typing as npt

from zoo.data.frames import Picture, RenderClip
from zoo.data.mattes import find_matte, surround

Mask = npt.NDArray[np.float32]

NUM_SAMPLES = 40
"""Frames that a plate is the mean of, at most."""

SEEN_ENOUGH = 0.5
"""Frames in which a place must be seen without the person; else it is filled from around."""

FILL_RADIUS = 3
"""Of cv2.inpaint, px."""

STEP = 4
"""Frames from one whose matte is measured to the next: in two frames heads move less than the
masks go beyond them, 4 px of 256 wholly and 12 in part."""

MASK_SIDE = 64
"""Side of masks as they are kept, px: they are soft, and there may be a thousand."""


class Plate:
    """The background of a clip's crop without the person.

    Attributes:
        picture: (S, S, 3) uint8 RGB.
    """

    def __init__(self, clip: RenderClip) -> None:
        """Read and average frames spread over the clip."""
        self._clip = clip
        self._masks = dict[int, npt.NDArray[np.uint8]]()
        places = np.linspace(0, clip.num_frames - 1, min(NUM_SAMPLES, clip.num_frames))
        self.picture = average_background(map(self._read, places.round().astype(int).tolist()))

    def _read(self, t: int) -> tuple[Picture, Mask]:
        picture = self._clip.read_frame(t)
        return picture, surround(find_matte(picture))

    def find_person(self, t: int) -> Mask:
        """Where the clip's own person is in frame t, (MASK_SIDE, MASK_SIDE) 0 to 1, and beside.

        The greater of both frames around it whose mattes are measured.
        """
        first = t // STEP * STEP
        last = first if t == first else min(first + STEP, self._clip.num_frames - 1)
        return np.maximum(self._measure(first), self._measure(last)).astype(np.float32) / 255

    def _measure(self, t: int) -> npt.NDArray[np.uint8]:
        if t not in self._masks:
            small = cv2.resize(
                self._read(t)[1], (MASK_SIDE, MASK_SIDE), interpolation=cv2.INTER_AREA
            )
            self._masks[t] = np.rint(small * 255).astype(np.uint8)
        return self._masks[t]


def average_background(frames: Iterable[tuple[Picture, Mask]]) -> Picture:
    """The mean (S, S, 3) of frames without what masks cover, filled where all of them do.

    Args:
        frames: pictures (S, S, 3) and masks (S, S), 1 where the person is.
    """
    total, weight = np.float32(0), np.float32(0)
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
        if frame.shape[2] == 3:
            yield frame
            continue
        plate = Plate(clip).picture if plate is None else plate
        shown = blend(frame[..., :3], plate, frame[..., 3].astype(np.float32) / 255)
        if clip.inside is not None:
            shown[~clip.inside] = 0
        yield shown


def blend(above: Picture, below: Picture, share: Mask) -> Picture:
    """A picture (h, w, 3) over another one, with shares (h, w) 0 to 1 of the upper one."""
    above, below = np.ascontiguousarray(above), np.ascontiguousarray(below)
    return np.asarray(cv2.blendLinear(above, below, share, 1 - share), np.uint8)
