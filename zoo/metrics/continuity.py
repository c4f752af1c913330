"""Seams between the windows that long motion is made of, and drift over minutes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from zoo.metrics.dynamics import PARTS

Floats = npt.NDArray[np.float64]

DRIFT_SECONDS = 60.0
"""The first and the last minute are compared."""


@dataclass(frozen=True)
class Seams:
    """How one part of the motion moves at seams beside elsewhere: 1 where it makes no difference.

    Attributes:
        velocity: root mean square of the steps at seams over that of all others.
        acceleration: the same of second differences; both that a seam's step is part of count.
        peak: greatest step at a seam over the greatest elsewhere.
    """

    velocity: float
    acceleration: float
    peak: float


@dataclass(frozen=True, eq=False)
class Drift:
    """How one part of the motion changed from the first to the last minute; K dimensions.

    Attributes:
        first_mean, last_mean: (K,) means, the part's unit.
        first_range, last_range: (K,) highest less lowest value.
        shift: root mean square over dimensions of the change of the mean, over the same of the
            first minute's standard deviations.
        range_ratio: sum of the last ranges over that of the first.
    """

    first_mean: Floats
    last_mean: Floats
    first_range: Floats
    last_range: Floats
    shift: float
    range_ratio: float


def measure_seams(motion: npt.ArrayLike, seams: Sequence[int]) -> dict[str, Seams]:
    """Velocity and acceleration at seams beside elsewhere, for each part of the motion.

    Args:
        motion: (n, 71).
        seams: frames s whose step to s + 1 crosses from one window to the next, as
            `zoo.motion.generate.list_starts(n)[1:]`; 1 ≤ s ≤ n − 3.

    Returns:
        Part of `dynamics.PARTS` -> figures; a step is the length of a part's change in a frame.

    Raises:
        ValueError: no seams, one out of range, or nothing but seams.
    """
    values = np.asarray(motion, np.float64)
    at = np.unique(np.asarray(seams, np.int64))
    if not len(at) or at[0] < 1 or at[-1] > len(values) - 3:
        raise ValueError(f"seams {at.tolist()} in {len(values)} frames")
    return {name: _measure_seams(values[:, part], at) for name, part in PARTS.items()}


def _measure_seams(values: Floats, seams: npt.NDArray[np.int64]) -> Seams:
    velocity, velocity_elsewhere = _part(np.diff(values, axis=0), seams)
    bends = np.union1d(seams - 1, seams)
    acceleration, acceleration_elsewhere = _part(np.diff(values, 2, axis=0), bends)
    return Seams(
        velocity=_divide(_rms(velocity), _rms(velocity_elsewhere)),
        acceleration=_divide(_rms(acceleration), _rms(acceleration_elsewhere)),
        peak=_divide(float(velocity.max()), float(velocity_elsewhere.max())),
    )


def _part(differences: Floats, at: npt.NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Lengths of the differences (m, K) in the rows `at`, and in all others."""
    lengths = np.linalg.norm(differences, axis=1)
    elsewhere = np.delete(lengths, at)
    if not len(elsewhere):
        raise ValueError("nothing but seams")
    return lengths[at], elsewhere


def measure_drift(
    motion: npt.ArrayLike, fps: int, *, seconds: float = DRIFT_SECONDS
) -> dict[str, Drift]:
    """Mean and range of the first and the last minute, for each part of the motion.

    Args:
        motion: (n, 71).
        fps: frames a second.
        seconds: in place of a minute.

    Raises:
        ValueError: the motion is shorter than two such stretches, or they have no two frames.
    """
    values = np.asarray(motion, np.float64)
    length = round(seconds * fps)
    if length < 2 or len(values) < 2 * length:
        raise ValueError(f"{len(values)} frames hold no two stretches of {seconds:g} s")
    first, last = values[:length], values[-length:]
    return {name: _measure_drift(first[:, part], last[:, part]) for name, part in PARTS.items()}


def _measure_drift(first: Floats, last: Floats) -> Drift:
    first_range, last_range = np.ptp(first, axis=0), np.ptp(last, axis=0)
    shift = last.mean(axis=0) - first.mean(axis=0)
    return Drift(
        first_mean=first.mean(axis=0),
        last_mean=last.mean(axis=0),
        first_range=first_range,
        last_range=last_range,
        shift=_divide(_rms(shift), _rms(first.std(axis=0))),
        range_ratio=_divide(float(last_range.sum()), float(first_range.sum())),
    )


def _rms(values: Floats) -> float:
    return float(np.sqrt(np.square(values).mean()))


def _divide(a: float, b: float) -> float:
    """Their ratio: 1 of two zeros, infinity where b alone is zero."""
    if b == 0:
        return 1.0 if a == 0 else float("inf")
    return a / b
