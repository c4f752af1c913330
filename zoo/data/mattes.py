"""Where the person is in a stored frame, and around them.

Legend: H the side of a frame.
"""

import cv2
import numpy as np
import numpy.typing as npt

from toolkit.features.matte import Matte, measure_matte

REACH = 12 / 256
"""How far from the person a frame still counts as the person, over its side."""

SEEN = 0.5
"""The least that a matte reaches somewhere, if a person is seen."""


def find_matte(picture: npt.NDArray[np.uint8]) -> Matte:
    """The matte (H, H) of a stored frame; 1 throughout where no person is seen in it."""
    matte = measure_matte(picture)
    return matte if matte.max() >= SEEN else np.ones_like(matte)


def surround(matte: Matte) -> Matte:
    """The person and what is beside them, (H, H) 0 to 1, of their matte (H, H).

    It is the greatest of the matte in a square around each place, and falls off softly: from a
    third of `REACH` beside a person on, to nothing at `REACH`.
    """
    reach = max(1, round(REACH * len(matte)))
    whole = 2 * reach // 3
    wide = cv2.dilate(matte, np.ones((2 * whole + 1, 2 * whole + 1), np.uint8))
    side = 2 * (reach - whole) + 1
    return np.asarray(cv2.blur(wide, (side, side), borderType=cv2.BORDER_REPLICATE), np.float32)
