"""Where nothing moves in a clip: its background, and the skin that stays.

Legend: n frames of a clip; H, W height and width of a picture.
"""

import itertools
from collections.abc import Iterable, Sequence

import cv2
import numpy as np
import numpy.typing as npt

from toolkit.features.matte import measure_matte
from zoo.metrics.pictures import Picture
from zoo.metrics.stillness import Region

LOOKS = 10
"""Frames in which the person, or the face, is looked for, evenly over a clip."""

NEAR = 12
"""px: what is as near to the person is no background."""

STILLEST = 0.25
"""Share of the face's pixels that are still skin: those that change least."""


def find_background(pictures: Sequence[Picture]) -> Region:
    """(H, W): what no person is near in any of some pictures (H, W, 3)."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * NEAR + 1, 2 * NEAR + 1))
    seen = [(measure_matte(picture) > 0).astype(np.uint8) for picture in pictures]
    return np.asarray(cv2.dilate(np.maximum.reduce(seen), disc) == 0)


def find_still_skin(pictures: Iterable[Picture], meshes: npt.ArrayLike) -> Region:
    """(H, W): of the face those pixels that change least from frame to frame.

    The face is what lies within the outlines of the faces in all of some frames.

    Args:
        pictures: (H, W, 3), n of them; at least two.
        meshes: (n, 478, 3) px; frames without a face, NaN, are not looked at.

    Raises:
        ValueError: a single picture.
    """
    known = np.asarray(meshes, np.float64)
    frames = np.flatnonzero(np.isfinite(known).all(axis=(1, 2)))
    pairs = itertools.pairwise(picture.astype(np.int16) for picture in pictures)
    changes = sum(np.abs(after - before).mean(axis=2) for before, after in pairs)
    if not isinstance(changes, np.ndarray):
        raise ValueError("a change is between two pictures or more")
    face = np.ones(changes.shape, np.uint8)
    for t in choose_looks(len(frames)):
        outline = cv2.convexHull(known[frames[t], :, :2].round().astype(np.int32))
        filled = cv2.fillConvexPoly(np.zeros_like(face), outline, (1,))
        face &= np.asarray(filled, np.uint8)
    if not len(frames) or not face.any():
        return np.zeros(face.shape, bool)
    most = np.quantile(changes[face > 0], STILLEST)
    return np.asarray((face > 0) & (changes <= most))


def choose_looks(num_frames: int) -> list[int]:
    """At most `LOOKS` of so many frames, evenly spaced."""
    places = np.linspace(0, num_frames - 1, min(LOOKS, num_frames))
    return [int(place) for place in places.round()]
