"""Loops over pixels between pictures and the small generator, by numba.

Legend: H the side of a picture, h half of it; C channels of a picture.
"""

from typing import Any

import numpy as np

from zoo.graphics.kernels import compiled


@compiled
def pack_picture(picture: Any, levels: Any, packed: Any) -> None:
    """Levels of a picture's pixels, four pixels as one of four times the channels.

    Args:
        picture: (H, H, C) uint8.
        levels: (C, 256) float32, what each level of a channel becomes.
        packed: (h, h, 4·C) float32, filled in the order of torch's pixel unshuffle.
    """
    for j in range(len(packed)):
        for i in range(packed.shape[1]):
            for c in range(len(levels)):
                packed[j, i, 4 * c] = levels[c, picture[2 * j, 2 * i, c]]
                packed[j, i, 4 * c + 1] = levels[c, picture[2 * j, 2 * i + 1, c]]
                packed[j, i, 4 * c + 2] = levels[c, picture[2 * j + 1, 2 * i, c]]
                packed[j, i, 4 * c + 3] = levels[c, picture[2 * j + 1, 2 * i + 1, c]]


@compiled
def unpack_picture(packed: Any, picture: Any) -> None:
    """A picture (H, H, C) uint8, filled, of values (h, h, 4·C) float32 between −1 and 1.

    Rounded half to even, as torch does.
    """
    for j in range(len(packed)):
        for i in range(packed.shape[1]):
            for c in range(picture.shape[2]):
                for k in range(4):
                    level = (packed[j, i, 4 * c + k] + np.float32(1)) * np.float32(127.5)
                    picture[2 * j + k // 2, 2 * i + k % 2, c] = np.uint8(np.rint(level))
