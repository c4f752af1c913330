"""What networks make of a measured video's whole pictures, collected while these are read."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from zoo.evaluation.inception import NUM_FEATURES, FidJudge
from zoo.evaluation.learned_distance import LpipsJudge
from zoo.metrics.rows import INCEPTION
from zoo.metrics.table import Metric

Picture = npt.NDArray[np.uint8]


class PairDistances:
    """Distances of each picture to the real one of its moment, by LPIPS's network.

    Attributes:
        is_needed: whether a metric asks for them and there is a judge.
    """

    def __init__(self, metrics: Sequence[Metric], judge: LpipsJudge | None) -> None:
        self._judge = judge
        self.is_needed = judge is not None and any(judge.array in m.needs for m in metrics)
        self._rows: list[npt.NDArray[np.float64]] = []
        self._before: Sequence[Picture] = []

    def add_pictures(self, frame: int, pictures: Sequence[Picture]) -> None:
        """A frame's picture and the real one, (H, W, 3); two that come again are not seen again."""
        if self._judge is None:
            return
        if not self._before or any(a is not b for a, b in zip(self._before, pictures, strict=True)):
            self._before, self._row = list(pictures), self._judge.compare(*pictures)
        self._rows.append(self._row)

    def take(self) -> dict[str, Any]:
        """Distances (n, 5) of the pictures since the last call, under the judge's array."""
        if self._judge is None or not self._rows:
            return {}
        rows, self._rows = self._rows, []
        return {self._judge.array: np.array(rows)}


class FeatureFile:
    """Inception's features of every picture of a video, in a file: (n, 2048) float32, no header.

    Attributes:
        is_needed: whether a metric asks for them, and there are a judge and a file.
    """

    def __init__(
        self, metrics: Sequence[Metric], judge: FidJudge | None, path: Path | None
    ) -> None:
        is_asked = any(INCEPTION in metric.needs for metric in metrics)
        self._judge, self._path = judge, path
        self.is_needed = judge is not None and path is not None and is_asked
        self._rows: list[npt.NDArray[np.float32]] = []
        self._before: Picture | None = None

    def add_pictures(self, frame: int, pictures: Sequence[Picture]) -> None:
        """A frame's picture (H, W, 3), the first; one that comes again is not seen again."""
        if self._judge is None:
            return
        if pictures[0] is not self._before:
            self._before, self._row = pictures[0], self._judge.describe(pictures[0])
        self._rows.append(self._row)

    def write(self) -> None:
        """Put the features since the last call behind those in the file."""
        if self._path is None or not self._rows:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab") as file:
            np.array(self._rows, np.float32).tofile(file)
        self._rows = []


def open_features(path: Path) -> npt.NDArray[np.float32]:
    """(n, 2048) of a `FeatureFile`, read from the disk where it is used."""
    return np.memmap(path, np.float32, "r").reshape(-1, NUM_FEATURES)
