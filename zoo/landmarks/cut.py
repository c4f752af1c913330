"""A square cut out of a picture by a similarity, without aliasing."""

import cv2
import numpy as np
import numpy.typing as npt

from zoo.landmarks.align import Similarity

Picture = npt.NDArray[np.uint8]
"""(height, width, 3) uint8 RGB."""


def cut_square(
    picture: Picture, align: Similarity, side: int, border: int = cv2.BORDER_REFLECT_101
) -> Picture:
    """(side, side, 3) of a picture of any size.

    Args:
        picture: to be cut.
        align: from px of it to the square, whose side is 1.
        side: px.
        border: OpenCV's name for what lies beyond the picture; by default it is reflected, as in
            FFHQ.
    """
    finer = max(1, round(1 / (side * float(align.scale))))  # then averaged down
    turn, shift = align.matrix.T * (side * finer), align.offset * (side * finer)
    shift = shift + turn @ (0.5, 0.5) - 0.5  # OpenCV counts from a pixel's middle
    square = cv2.warpAffine(
        picture,
        np.concatenate([turn, shift[:, None]], axis=1),
        (side * finer, side * finer),
        flags=cv2.INTER_LINEAR,
        borderMode=border,
    )
    if finer > 1:
        square = cv2.resize(square, (side, side), interpolation=cv2.INTER_AREA)
    return np.asarray(square, np.uint8)
