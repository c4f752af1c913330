"""The 73 numbers of a frame that drive a face, and their windows.

They are relative to a frame of reference of the same video, which the source picture stands for: so
those of one person and camera drive another, and what is in the reference already moves nothing. In
order: 64 of the expression (standard deviations), pitch, yaw and roll (rad) and the head's place
(mm; x right, y down, z forward), each less that of the reference; and where the face lies in the
aligned picture: its size over that in the reference, how far right and how far up it has moved
(sides of the picture). The released code's first 67 are not relative, so that a network has to read
the source's own off its picture, and its last three are those of Deng et al.'s crop, in pixels.

Legend: n frames, T = 27 of a window.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from zoo.landmarks.align import fit_similarity
from zoo.landmarks.aligned import STEADY
from zoo.landmarks.ffhq import align_ffhq
from zoo.models.styleheat.presets import NUM_COEFFICIENTS, RADIUS

LAYOUT = "expression64-angles3-translation3-crop3/v2"
"""Name and version of their order and units; stands in every checkpoint."""

EXPRESSION, POSE, CROP = slice(0, 64), slice(64, 70), slice(70, 73)

Floats = npt.NDArray[np.float32]


class Reference(NamedTuple):
    """The frame that others are relative to.

    Attributes:
        expression: (64,).
        pose: (6,) pitch, yaw, roll, tx, ty, tz.
        points: (68, 2) landmarks in the aligned picture, whose side is 1.
    """

    expression: npt.ArrayLike
    pose: npt.ArrayLike
    points: npt.ArrayLike


def make_coefficients(
    expression: npt.ArrayLike, pose: npt.ArrayLike, points: npt.ArrayLike, reference: Reference
) -> Floats:
    """(n, 73) of frames, relative to one.

    Args:
        expression: (n, 64).
        pose: (n, 6).
        points: (n, 68, 2).
        reference: the one, aligned as the others are.
    """
    steady, still = (np.asarray(x, np.float64)[..., STEADY, :] for x in (points, reference.points))
    moved = steady.mean(axis=-2) - still.mean(axis=-2)
    size = fit_similarity(np.broadcast_to(still, steady.shape), steady).scale
    found = np.empty((len(steady), NUM_COEFFICIENTS), np.float32)
    found[:, EXPRESSION] = np.subtract(expression, reference.expression)
    found[:, POSE] = np.subtract(pose, reference.pose)
    found[:, CROP] = np.stack([size, moved[:, 0], -moved[:, 1]], axis=1)
    return found


def place_windows(frames: npt.ArrayLike, num_frames: int) -> npt.NDArray[np.int64]:
    """(k, 27) frames of the windows about each of (k,); the first and the last are repeated."""
    about = np.asarray(frames, np.int64)[:, None] + np.arange(-RADIUS, RADIUS + 1)
    return about.clip(0, num_frames - 1)


def iterate_windows(rows: Floats) -> Iterator[Floats]:
    """Windows (27, 73) about each of rows (n, 73), in order."""
    for frame in range(len(rows)):
        yield rows[place_windows([frame], len(rows))[0]]


def choose_reference(points: npt.ArrayLike, source: npt.ArrayLike) -> int:
    """The frame of (n, 68, 2) landmarks, of any unit, whose face looks most as a source's does.

    By the distance of points once each is aligned by itself; `source` (68, 2) is of side 1.
    """
    points = np.asarray(points, np.float64)
    away = align_ffhq(points).apply(points) - np.asarray(source, np.float64)
    return int(np.square(away).sum(axis=(1, 2)).argmin())


def keep_expression(windows: Floats) -> Floats:
    """Windows (…, 73) with the reference's expression throughout: pose and place alone are left."""
    kept = windows.copy()
    kept[..., EXPRESSION] = 0
    return kept
