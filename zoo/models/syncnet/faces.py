"""Where the judge looks: a square on the mouth or the face, cut out of a picture.

A place is (x, y, side, angle): the square's middle and side in px of the picture, and by how many
radians it is turned clockwise. Legend: n pictures.
"""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt
from scipy.ndimage import uniform_filter1d

from toolkit.errors import ToolkitError
from toolkit.mesh import NOSE_BASE, NUM_VERTICES, OUTER_EYE_CORNERS
from zoo.models.syncnet.presets import WINDOW

Floats = npt.NDArray[np.float64]

MOUTH_SIDE, MOUTH_DROP = 1.1, 0.4
"""Of the square on the mouth, over the distance of the eyes' outer corners: from the tip of the
nose to below the chin; and by how much its middle lies below the nose."""

FACE_SIDE, FACE_DROP = 1.4, 0.2
"""Of the square on the face, over the longer side of the mesh's box: the published program's crop
of a detected face, 0.4 times its half side wider on each side and 0.8 times lower below."""


def place_squares(meshes: npt.ArrayLike, framing: str) -> Floats:
    """Places (n, 4) in meshes (n, 478, 3); NaN where there is none.

    The mouth's square stands upright on the face, and depends on the eyes and the nose alone: lips
    do not move it. That of the face stands upright in the picture.

    Args:
        meshes: px of the pictures; z in the same unit.
        framing: `mouth` or `face`.
    """
    points = np.asarray(meshes, np.float64)
    if framing == "face":
        low, high = points[:, :NUM_VERTICES, :2].min(1), points[:, :NUM_VERTICES, :2].max(1)
        longest = (high - low).max(axis=1)
        x, y = ((low + high) / 2).T
        return np.stack([x, y + FACE_DROP * longest, FACE_SIDE * longest, 0 * x], axis=1)
    right, left = (points[:, corner] for corner in OUTER_EYE_CORNERS)  # right is at the left
    apart = left - right
    length = np.linalg.norm(apart, axis=1)
    angle = np.arctan2(apart[:, 1], apart[:, 0])
    x, y = points[:, NOSE_BASE, :2].T
    drop = MOUTH_DROP * length
    return np.stack(
        [x - drop * np.sin(angle), y + drop * np.cos(angle), MOUTH_SIDE * length, angle], axis=1
    )


def smooth_places(places: Floats) -> Floats:
    """Places (n, 4) averaged over a window, without gaps: a place that is not known is guessed.

    Raises:
        ToolkitError: none is known.
    """
    known = ~np.isnan(places).any(axis=1)
    if not known.any():
        raise ToolkitError("no face is seen in it")
    there = np.flatnonzero(known)
    filled = np.stack(
        [np.interp(np.arange(len(places)), there, column[there]) for column in places.T], axis=1
    )
    return np.asarray(uniform_filter1d(filled, WINDOW, axis=0, mode="nearest"))


def cut_square(
    picture: npt.NDArray[np.uint8], place: Sequence[float] | Floats, size: int
) -> npt.NDArray[np.uint8]:
    """A square (size, size) or (size, size, 3) of a picture, its border repeated outside.

    Args:
        picture: (height, width) or (height, width, 3).
        place: (x, y, side, angle); a negative side mirrors it.
        size: px.
    """
    x, y, side, angle = map(float, place)
    finer = max(1, round(abs(side) / size))  # then averaged down
    step = abs(side) / (size * finer)
    across = np.array([np.cos(angle), np.sin(angle)]) * np.copysign(step, side)
    down = np.array([-np.sin(angle), np.cos(angle)]) * step
    corner = np.array([x, y]) - 0.5 + (across + down) * (0.5 - size * finer / 2)
    square = cv2.warpAffine(
        picture,
        np.stack([across, down, corner], axis=1),
        (size * finer, size * finer),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    if finer > 1:
        square = cv2.resize(square, (size, size), interpolation=cv2.INTER_AREA)
    return np.asarray(square, np.uint8)
