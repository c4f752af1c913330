"""One-to-one matching of events in time, and what follows from it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

TOLERANCE = 0.1
"""s between the apex of a predicted blink and that of the true one."""


@dataclass
class Tally:
    """Counts over many clips.

    Attributes:
        hits: predicted events that match a target.
        pred: predicted events, without those that match only an uncertain one.
        target: true events.
    """

    hits: int = 0
    pred: int = 0
    target: int = 0

    def add(self, other: "Tally") -> None:
        """Pool another clip's counts."""
        self.hits += other.hits
        self.pred += other.pred
        self.target += other.target

    @property
    def precision(self) -> float:
        """Share of the predicted events that are true."""
        return self.hits / self.pred if self.pred else float("nan")

    @property
    def recall(self) -> float:
        """Share of the true events that were predicted."""
        return self.hits / self.target if self.target else float("nan")


def match_events(
    pred: npt.ArrayLike, target: npt.ArrayLike, tolerance: float, uncertain: npt.ArrayLike = ()
) -> Tally:
    """Match as many events as possible one to one.

    Args:
        pred: (n,) moments, s.
        target: (m,) moments, s.
        tolerance: the most that two of a pair may be apart, s.
        uncertain: (k,) moments, s, of what may be an event: a predicted event that matches
            only one of these counts neither way.
    """
    pred, target = np.asarray(pred, float), np.asarray(target, float)
    pairs = _pair(pred, target, tolerance)
    rest = np.delete(pred, [i for i, _ in pairs])
    excused = len(_pair(rest, np.asarray(uncertain, float), tolerance))
    return Tally(hits=len(pairs), pred=len(pred) - excused, target=len(target))


def _pair(
    a: npt.NDArray[np.float64], b: npt.NDArray[np.float64], tolerance: float
) -> list[tuple[int, int]]:
    if not len(a) or not len(b):
        return []
    distance = np.abs(a[:, None] - b[None])
    cost = np.where(distance <= tolerance + 1e-9, distance, 1e3)
    rows, columns = linear_sum_assignment(cost)
    return [(int(i), int(j)) for i, j in zip(rows, columns, strict=True) if cost[i, j] < 1e3]
