"""Where a face lies in an aligned picture: the rule of the FFHQ data set.

The square follows eyes and mouth corners (Karras et al., arXiv:1710.10196, appendix C; as in FFHQ,
arXiv:1812.04948): its side is four times the distance of the eyes, or 3.6 times that from the eyes
to the mouth where this is more; its middle lies a tenth of the way from the eyes to the mouth.
"""

import numpy as np
import numpy.typing as npt

from zoo.landmarks.align import Similarity

LEFT_EYE, RIGHT_EYE = slice(36, 42), slice(42, 48)
"""As they stand in the picture, of 68 points."""

MOUTH_CORNERS = [48, 54]


def align_ffhq(points: npt.ArrayLike) -> Similarity:
    """From px of a picture to the aligned one, whose side is 1, by landmarks (…, 68, 2).

    Raises:
        ValueError: a face whose eyes and mouth lie in one place, or are no numbers.
    """
    points = np.asarray(points, np.float64)
    left, right = (points[..., eye, :].mean(axis=-2) for eye in (LEFT_EYE, RIGHT_EYE))
    eyes, mouth = (left + right) / 2, points[..., MOUTH_CORNERS, :].mean(axis=-2)
    apart, down = right - left, mouth - eyes
    across = apart - _turn(down)
    length = np.linalg.norm(across, axis=-1, keepdims=True)
    half = np.maximum(*(np.linalg.norm(x, axis=-1, keepdims=True) for x in (2 * apart, 1.8 * down)))
    if not (length > 0).all() or not (half > 0).all():  # also where they are no numbers
        raise ValueError("eyes and mouth that lie in one place, or are no numbers")
    across = across / length / (2 * half)  # a step of one px, of the side
    matrix = np.stack([across, _turn(across)], axis=-1)
    middle = eyes + 0.1 * down
    return Similarity(matrix, 0.5 - (middle[..., None, :] @ matrix)[..., 0, :])


def _turn(vectors: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """By a quarter, clockwise as one sees it: from right to down."""
    return np.stack([-vectors[..., 1], vectors[..., 0]], axis=-1)
