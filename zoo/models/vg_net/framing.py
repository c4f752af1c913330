"""Where a face lies in the pictures that VG-net sees, and in which unit its landmarks are.

A picture is moved by the similarity that brings its nose and the corners of its eyes onto those of
the mean face of the training part, so that a face always has the same size and place. Lips, jaw and
lids do not move it. Landmarks are aligned by the same similarity, once for a picture: those of
other frames keep what the head moved since.

Legend: H the side of a picture.
"""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from toolkit.errors import ToolkitError
from zoo.landmarks.align import Similarity
from zoo.landmarks.aligned import fit_alignment
from zoo.landmarks.cut import cut_square
from zoo.models.vg_net.presets import SIZE

Floats = npt.NDArray[np.float64]

Picture = npt.NDArray[np.uint8]
"""(height, width, 3) uint8 RGB."""

MARGIN = 1.5
"""Side of a picture over the larger side of the box of the mean face's points."""


@dataclass(frozen=True, eq=False)
class Framing:
    """How a picture and its landmarks are brought to what the network sees.

    Attributes:
        align: from px of the picture to aligned units.
        place: from px of the picture to px of (H, H).
    """

    align: Similarity
    place: Similarity

    def cut(self, picture: Picture) -> Picture:
        """The face (H, H, 3) of a picture of any size; its border is repeated outside."""
        share = Similarity(self.place.matrix / SIZE, self.place.offset / SIZE)
        return cut_square(picture, share, SIZE, cv2.BORDER_REPLICATE)


def frame_face(landmarks: npt.ArrayLike, mean: Floats, margin: float = MARGIN) -> Framing:
    """The framing of a picture by its landmarks.

    Args:
        landmarks: (68, 2) px.
        mean: (68, 2) the mean face, see `zoo.landmarks.aligned.average_aligned`.
        margin: side of what the network sees over the larger side of the mean face's box.

    Raises:
        ToolkitError: landmarks that are no numbers, or lie in one place.
    """
    points = np.asarray(landmarks, np.float64)
    if points.shape != (68, 2):
        raise ValueError(f"landmarks {points.shape}: give (68, 2)")
    try:
        align = fit_alignment(points, mean)
    except (ValueError, np.linalg.LinAlgError) as error:
        raise ToolkitError("no face: its landmarks lie in one place or are no numbers") from error
    low, high = mean.min(axis=0), mean.max(axis=0)
    scale = SIZE / (margin * (high - low).max())
    offset = SIZE / 2 + (align.offset - (low + high) / 2) * scale
    return Framing(align, Similarity(align.matrix * scale, offset))
