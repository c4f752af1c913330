"""Faces of five white discs, moved, and where the discs are found once the face is aligned."""

import cv2
import numpy as np

MOVES = ((1, 0, 0), (1, 0, 40 + 25j), (2, 30, 200 + 60j), (0.5, -20, 90 + 130j), (3.4, 0, 20j))
"""Scale, angle in degrees, and shift in px, to the right and below as a complex number."""


def move(places: np.ndarray, scale: float, angle: float, shift: complex) -> np.ndarray:
    """(k, 2) places, px, scaled and turned about the origin, then shifted."""
    moved = places @ (1, 1j) * scale * np.exp(1j * np.radians(angle)) + shift
    return np.stack([moved.real, moved.imag], axis=1)


def draw_face(size: int, places: np.ndarray, radius: float) -> np.ndarray:
    """White discs at places (k, 2) of a black picture."""
    y, x = np.mgrid[:size, :size] + 0.5
    discs = [np.hypot(x - px, y - py) < radius for px, py in places]
    return np.repeat(np.any(discs, axis=0)[..., None], 3, axis=2).astype(np.uint8) * 255


def find_discs(face: np.ndarray) -> np.ndarray:
    """(k, 2) middles of the white discs of a picture, sorted."""
    centres = cv2.connectedComponentsWithStats((face[..., 0] > 127).astype(np.uint8))[3]
    return np.array(sorted(map(tuple, centres[1:] + 0.5)))
