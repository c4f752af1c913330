"""One-to-one matching of events in time, and what follows from it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment


@dataclass
class Tally:
    """Counts over many clips."""

    hits: int = 0
    found: int = 0
    true: int = 0

    def add(self, other: "Tally") -> None:
        """Pool another clip's counts."""
        self.hits += other.hits
        self.found += other.found
        self.true += other.true

    @property
    def precision(self) -> float:
        """Share of the events found that are true."""
        return self.hits / self.found if self.found else float("nan")

    @property
    def recall(self) -> float:
        """Share of the true events that were found."""
        return self.hits / self.true if self.true else float("nan")


def match_events(
    found: npt.ArrayLike, true: npt.ArrayLike, uncertain: npt.ArrayLike, tolerance: float
) -> Tally:
    """Match as many events as possible one to one, each within `tolerance` s.

    Found events that match only an uncertain one count neither way.
    """
    found, true = np.asarray(found, float), np.asarray(true, float)
    pairs = _pair(found, true, tolerance)
    rest = np.delete(found, [i for i, _ in pairs])
    excused = len(_pair(rest, np.asarray(uncertain, float), tolerance))
    return Tally(hits=len(pairs), found=len(found) - excused, true=len(true))


def _pair(
    a: npt.NDArray[np.float64], b: npt.NDArray[np.float64], tolerance: float
) -> list[tuple[int, int]]:
    if not len(a) or not len(b):
        return []
    distance = np.abs(a[:, None] - b[None])
    cost = np.where(distance <= tolerance + 1e-9, distance, 1e3)
    rows, columns = linear_sum_assignment(cost)
    return [(int(i), int(j)) for i, j in zip(rows, columns, strict=True) if cost[i, j] < 1e3]
