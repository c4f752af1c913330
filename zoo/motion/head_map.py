"""From the head that a model moves to one that moves as far and as fast as its person's.

Speech hardly says where a head is, and what a model learns of it by least squares turns less far
than the person's, and trembles. So the head is smoothed until it is as fast as the person's, and
its distance from rest is scaled, number by number of its pose, until it moves as far. Both are
measured on speech of the person that the model was not trained on.
Legend: n frames.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from scipy.ndimage import gaussian_filter1d

Floats = npt.NDArray[np.float64]

STRETCH_SECONDS = 10.0
PERCENTILES = (98, 2)
"""How far a head moves is its range between these, within stretches of so long."""

WIDTHS = (0.0, 0.03, 0.05, 0.07, 0.1, 0.13, 0.17, 0.2)
"""Standard deviations of the Gaussians that are tried, s."""

GAINS = (0.5, 3.0)
"""Least and greatest scale."""


@dataclass(frozen=True, eq=False)
class HeadMap:
    """How one person's head moves beside what a model makes.

    Attributes:
        identity: who.
        gains: (6,) scales of the pose about its mean.
        width: standard deviation of the Gaussian, frames.
    """

    identity: str
    gains: Floats
    width: float

    @classmethod
    def fit(
        cls,
        identity: str,
        made: Iterable[npt.ArrayLike],
        real: Iterable[npt.ArrayLike],
        *,
        fps: int,
    ) -> Self:
        """The map of one person; of widths the one whose head is about as fast as the person's.

        Args:
            identity: who.
            made: stretches (n, 6) of pose by a model that has not learnt them.
            real: stretches (n, 6) of the person's measured pose.
            fps: frames a second.

        Raises:
            ValueError: no two neighbouring frames of one or of the other.
        """
        models, persons = ([np.asarray(p, np.float64) for p in of] for of in (made, real))
        length = round(min(STRETCH_SECONDS * fps, max(map(len, models), default=0)))
        spread, speed = _measure_spread(persons, length), _measure_speed(persons)

        def try_width(seconds: float) -> tuple[float, Self]:
            parts = [_smooth(part, seconds * fps) for part in models]
            gains = (spread / np.maximum(_measure_spread(parts, length), 1e-9)).clip(*GAINS)
            found = _measure_speed([part * gains for part in parts])
            away = abs(math.log(max(found, 1e-9) / max(speed, 1e-9)))
            return away, cls(identity, gains, seconds * fps)

        return min((try_width(seconds) for seconds in WIDTHS), key=lambda tried: tried[0])[1]

    def apply(self, pose: npt.ArrayLike, mean: npt.ArrayLike) -> Floats:
        """Pose (n, 6) as the person would move about a mean pose (6,)."""
        rest = np.asarray(mean, np.float64)
        smoothed = _smooth(np.asarray(pose, np.float64), self.width)
        return np.asarray(rest + self.gains * (smoothed - rest))

    def to_state(self) -> dict[str, Any]:
        """Text, numbers and tensors alone, for a checkpoint."""
        return {
            "identity": self.identity, "gains": torch.from_numpy(self.gains), "width": self.width
        }  # fmt: skip

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """What `to_state` gave."""
        return cls(state["identity"], state["gains"].numpy(), float(state["width"]))


def _smooth(pose: Floats, width: float) -> Floats:
    """Not delayed; the ends stand for what lies beyond them."""
    if not width:
        return pose
    return np.asarray(gaussian_filter1d(pose, width, axis=0, mode="nearest"))


def _measure_spread(parts: Sequence[Floats], length: int) -> Floats:
    """(6,) range within stretches of about `length` frames, their mean."""
    stretches = [
        stretch
        for part in parts
        for stretch in np.array_split(part, max(1, round(len(part) / max(1, length))))
        if len(stretch) > 1
    ]
    if not stretches:
        raise ValueError("no frames to learn from how the head moves")
    ranges = [np.subtract(*np.percentile(part, PERCENTILES, axis=0)) for part in stretches]
    return np.asarray(np.average(ranges, axis=0, weights=[len(part) for part in stretches]))


def _measure_speed(parts: Sequence[Floats]) -> float:
    """Root of the mean square of how the three angles change from frame to frame, rad."""
    steps = np.concatenate([np.diff(part[:, :3], axis=0) for part in parts])
    return float(np.sqrt((steps**2).mean()))
