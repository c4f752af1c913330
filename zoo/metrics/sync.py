"""How well lips follow the sound: offset, confidence and distance, from a judge's embeddings.

Chung and Zisserman (ACCV 2016 workshops), with the conventions of their published program. A judge
turns five frames of a face, and 0.2 s of sound, into vectors; in step they are near each other.

Legend: n windows of a video at 25 a second, D numbers of an embedding, k = 0 … 30 the shifts.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

REACH = 15
"""Shifts either way, frames of 25 a second: 0.6 s."""

RATE = 25
"""Frames a second of a judged video."""

SHIFTS = range(-10, 11)
"""Frames by which sound is moved to see whether a judge finds it."""


@dataclass(frozen=True, kw_only=True)
class SyncScore:
    """A video's figures.

    Attributes:
        offset: frames of 25 a second by which the sound must be moved back; negative: it is late.
        confidence: median less minimum over the shifts of the mean distance (LSE-C).
        distance: that minimum (LSE-D).
        in_place: the mean distance as the video is, at no shift.
        num_windows: n, of those that every shift has a sound for.
    """

    offset: int
    confidence: float
    distance: float
    in_place: float
    num_windows: int

    def describe(self) -> str:
        """The offset as a sentence."""
        if not self.offset:
            return "the sound is in step"
        size = abs(self.offset)
        frames = "frame" if size == 1 else "frames"
        side = "late" if self.offset < 0 else "early"
        return f"the sound is {size} {frames} {side} ({1000 * size // RATE} ms)"


def measure_distances(faces: npt.ArrayLike, sound: npt.ArrayLike) -> Floats:
    """Euclidean distances (n, 31): column k is to the sound k − 15 windows later.

    NaN where the sound has no such window: the published program takes zeros there, which makes
    short videos look out of step.

    Args:
        faces: (n, D) embeddings of pictures.
        sound: (m, D) embeddings of sound, from the same time on.

    Raises:
        ValueError: embeddings of different sizes.
    """
    faces, sound = (np.asarray(values, np.float64) for values in (faces, sound))
    if faces.ndim != 2 or sound.ndim != 2 or faces.shape[1] != sound.shape[1]:
        raise ValueError(f"embeddings {faces.shape} and {sound.shape} cannot be compared")
    found = np.full((len(faces), 2 * REACH + 1), np.nan)
    for k, shift in enumerate(range(-REACH, REACH + 1)):
        first, last = max(0, -shift), min(len(faces), len(sound) - shift)
        if first < last:
            apart = faces[first:last] - sound[first + shift : last + shift]
            found[first:last, k] = np.linalg.norm(apart, axis=1)
    return found


def measure_sync(distances: npt.ArrayLike) -> SyncScore:
    """Figures of distances (n, 31) as `measure_distances` gives them.

    Windows at the ends of a video, for which a shift has no sound, do not count.

    Raises:
        ValueError: another shape, or no window that has all shifts.
    """
    distances = np.asarray(distances, np.float64)
    if distances.ndim != 2 or distances.shape[1] != 2 * REACH + 1:
        raise ValueError(f"distances {distances.shape} are not (n, {2 * REACH + 1})")
    whole = distances[~np.isnan(distances).any(axis=1)]
    if not len(whole):
        seconds = (2 * REACH + 6) / RATE
        raise ValueError(f"no window has a sound at all shifts: a video needs {seconds:.1f} s")
    mean = whole.mean(axis=0)
    best = int(mean.argmin())
    return SyncScore(
        offset=REACH - best,
        confidence=float(np.median(mean) - mean[best]),
        distance=float(mean[best]),
        in_place=float(mean[REACH]),
        num_windows=len(whole),
    )


def measure_moved(faces: npt.ArrayLike, sound: npt.ArrayLike, shift: int) -> SyncScore:
    """The figures with the sound made late: those of a video that is cut so.

    What the moved sound lacks at one end is cut from picture and sound alike.

    Args:
        faces: (n, D) embeddings of the video as it is.
        sound: (m, D), likewise.
        shift: windows; negative: early.

    Raises:
        ValueError: too little is left, and see `measure_distances`.
    """
    faces, sound = np.asarray(faces), np.asarray(sound)
    late, early = max(0, shift), max(0, -shift)
    faces = faces[late : len(faces) - early]
    return measure_sync(measure_distances(faces, sound[early : len(sound) - late]))


# --- rows of the table: NaN where a video is too short --------------------------------------------


def measure_offset(sync_distances: npt.ArrayLike) -> float:
    """AV offset of distances (n, 31), frames of 25 a second; negative: the sound is late."""
    return _measure(sync_distances, "offset")


def measure_lse_c(sync_distances: npt.ArrayLike) -> float:
    """Confidence: median less minimum over the shifts of the mean of distances (n, 31)."""
    return _measure(sync_distances, "confidence")


def measure_lse_d(sync_distances: npt.ArrayLike) -> float:
    """Least mean of distances (n, 31), at the best shift."""
    return _measure(sync_distances, "distance")


def measure_in_place(sync_distances: npt.ArrayLike) -> float:
    """Mean of distances (n, 31) at no shift."""
    return _measure(sync_distances, "in_place")


def _measure(distances: npt.ArrayLike, name: str) -> float:
    if np.isnan(np.asarray(distances, np.float64)).any(axis=1).all():
        return math.nan
    return float(getattr(measure_sync(distances), name))
