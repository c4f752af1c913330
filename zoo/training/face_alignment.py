"""Where a face recogniser expects a face: pictures moved, turned and scaled to it."""

import cv2
import numpy as np
import numpy.typing as npt

from toolkit.mesh import EYE_CORNERS, NOSE_BASE
from zoo.training.face_network import SIDE

Picture = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]

_CHIP = np.array([
    (0.1205750620789, 0.2137274526848),
    (0.3340850613712, 0.2290642403242),
    (0.8595674595992, 0.2134981538014),
    (0.6460604764104, 0.2289674387677),
    (0.4901123135679, 0.6277975316475),
])  # fmt: skip
"""Where dlib's network expects outer and inner corner of the right and of the left eye and the base
of the nose, shares of the face's side (dlib, image_transforms/interpolation.h)."""

PLACED = (*EYE_CORNERS[0], *EYE_CORNERS[1], NOSE_BASE)
"""Vertices of the mesh that are brought there."""

_MARGIN = 0.25
"""Around the face, shares of its side."""


def align_face(picture: Picture, mesh: npt.ArrayLike) -> Picture:
    """(150, 150, 3) face of a picture (height, width, 3) RGB, upright and of the network's size.

    It is moved, turned and scaled so that the eyes' corners and the nose's base of the mesh
    (478, 2 or 3) px come nearest to where the network expects them. The picture's border goes on
    where the face leaves it.
    """
    moved = place_face(np.asarray(mesh)[list(PLACED), :2])
    shrink = int(1 / np.hypot(moved[0, 0], moved[1, 0]))
    if shrink > 1:  # the mean of blocks first: a plain reduction leaves pixels out
        height, width = (max(1, size // shrink) for size in picture.shape[:2])
        steps = picture.shape[1] / width, picture.shape[0] / height
        smaller = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA)
        picture = np.asarray(smaller, np.uint8)
        moved[:, :2] *= steps
    return warp_face(picture, moved, SIDE, cv2.BORDER_REPLICATE)


def place_face(points: npt.ArrayLike) -> Floats:
    """(2, 3) matrix from px of a picture to px of the aligned face, by `PLACED` points (5, 2)."""
    return fit_similarity(
        np.asarray(points, np.float64), (_CHIP + _MARGIN) / (1 + 2 * _MARGIN) * SIDE
    )


def warp_face(picture: Picture, moved: Floats, side: int, border: int) -> Picture:
    """(side, side, 3) of a picture (height, width, 3) moved by a matrix (2, 3) of px.

    `border` is OpenCV's name for what lies beyond the picture.
    """
    moved = moved.copy()
    moved[:, 2] += moved[:, :2] @ (0.5, 0.5) - 0.5  # OpenCV counts from a pixel's centre
    size = (side, side)
    warped = cv2.warpAffine(picture, moved, size, flags=cv2.INTER_LINEAR, borderMode=border)
    return np.asarray(warped, np.uint8)


def fit_similarity(points: Floats, target: Floats) -> Floats:
    """(2, 3) matrix that moves, turns and scales (k, 2) points nearest to others."""
    z, w = (pair[:, 0] + 1j * pair[:, 1] for pair in (points, target))
    centred = z - z.mean()
    turn = complex(np.vdot(centred, w - w.mean()) / np.vdot(centred, centred))
    moved = complex(w.mean() - turn * z.mean())
    return np.array([[turn.real, -turn.imag, moved.real], [turn.imag, turn.real, moved.imag]])
