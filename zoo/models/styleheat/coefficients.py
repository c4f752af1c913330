"""The 73 numbers of a frame that drive a face, and their windows.

They are relative to a frame of reference of the same video, which the source picture stands for:
so those of one person and camera drive another. In order: 64 of the expression (standard
deviations); pitch, yaw and roll (rad); by how much the head has moved since the reference (mm; x
right, y down, z forward); and where the face lies in the aligned picture: its size over that in
the reference, how far right and how far up it has moved (sides of the picture). The released code's
last three are those of Deng et al.'s crop, in pixels.

Legend: n frames, T = 27 of a window.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from zoo.landmarks.align import fit_similarity
from zoo.landmarks.aligned import STEADY
from zoo.landmarks.ffhq import align_ffhq
from zoo.models.styleheat.presets import NUM_COEFFICIENTS, RADIUS

LAYOUT = "expression64-angles3-translation3-crop3/v1"
"""Name and version of their order and units; stands in every checkpoint."""

EXPRESSION, ANGLES, TRANSLATION, CROP = (
    slice(0, 64), slice(64, 67), slice(67, 70), slice(70, 73)
)  # fmt: skip

Floats = npt.NDArray[np.float32]


def make_coefficients(
    expression: npt.ArrayLike,
    pose: npt.ArrayLike,
    points: npt.ArrayLike,
    reference_pose: npt.ArrayLike,
    reference_points: npt.ArrayLike,
) -> Floats:
    """(n, 73) of frames, relative to one.

    Args:
        expression: (n, 64).
        pose: (n, 6) pitch, yaw, roll, tx, ty, tz.
        points: (n, 68, 2) landmarks in the aligned picture, whose side is 1.
        reference_pose: (6,).
        reference_points: (68, 2).
    """
    pose = np.asarray(pose, np.float64)
    steady, still = (np.asarray(x, np.float64)[..., STEADY, :] for x in (points, reference_points))
    moved = steady.mean(axis=-2) - still.mean(axis=-2)
    size = fit_similarity(np.broadcast_to(still, steady.shape), steady).scale
    found = np.empty((len(pose), NUM_COEFFICIENTS), np.float32)
    found[:, EXPRESSION] = expression
    found[:, ANGLES] = pose[:, :3]
    found[:, TRANSLATION] = pose[:, 3:] - np.asarray(reference_pose, np.float64)[3:]
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


def take_expression(windows: Floats, expression: npt.ArrayLike) -> Floats:
    """Windows (…, 27, 73) with one expression (64,) throughout: pose and place alone are left."""
    stilled = windows.copy()
    stilled[..., EXPRESSION] = expression
    return stilled
