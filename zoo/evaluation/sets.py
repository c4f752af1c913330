"""Figures of all of a system's videos together: FID.

One video has none. Each video's features of every picture lie in a file; they are read block by
block, in the order of the videos' names, so that memory is flat and a result does not depend on
which process was done first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from zoo.evaluation.pairing import REAL
from zoo.evaluation.perception import open_features
from zoo.evaluation.summary import Mean, Summary
from zoo.evaluation.systems import VideoRow, list_systems
from zoo.metrics.frechet import Gaussian, fit_gaussian, measure_frechet
from zoo.metrics.table import Metric

FID = "fid"


@dataclass(frozen=True, kw_only=True)
class SetScores:
    """What was measured of sets of videos.

    Attributes:
        means: metric -> system -> value, without interval.
        num_pictures: system -> how many pictures count.
        notes: what a reader must know.
    """

    means: Summary = field(default_factory=dict)
    num_pictures: Mapping[str, int] = field(default_factory=dict)
    notes: Sequence[str] = ()


def score_sets(rows: Sequence[VideoRow], metrics: Sequence[Metric]) -> SetScores:
    """FID of each system: all pictures of its videos beside all of the real ones.

    Args:
        rows: of all videos, with the files that hold their features.
        metrics: those that are measured.
    """
    if all(metric.name != FID for metric in metrics):
        return SetScores()
    groups = {name: _list_files(rows, name) for name in list_systems(rows)}
    found, notes = dict[str, Gaussian](), list[str]()
    for name, paths in groups.items():
        if paths:
            try:
                found[name] = fit_gaussian(map(open_features, paths))
            except ValueError as error:
                notes.append(f"{FID} of {name} was not measured: {error}")
    if REAL not in found:
        return SetScores(notes=notes)
    means = {
        name: Mean(measure_frechet(one, found[REAL]), *_NO_INTERVAL, len(groups[name]))
        for name, one in found.items()
    }
    counts = {name: one.num for name, one in found.items()}
    return SetScores(
        means={FID: means}, num_pictures=counts, notes=[*notes, *_explain(found, counts)]
    )


_NO_INTERVAL = (float("nan"), float("nan"))


def _list_files(rows: Sequence[VideoRow], system: str) -> list[Path]:
    """In the order of the videos' names."""
    own = [row for row in rows if row.system == system and not row.error]
    return [row.features for row in sorted(own, key=lambda row: row.video) if row.features]


def _explain(found: Mapping[str, Gaussian], counts: Mapping[str, int]) -> list[str]:
    listed = ", ".join(f"{name} {num}" for name, num in counts.items())
    notes = [f"{FID} is of all pictures together, and no mean over videos: {listed}"]
    if not all(one.is_full for one in found.values()):
        least = len(found[REAL].mean) + 1
        notes.append(
            f"{FID} is of too few pictures: below {least} a covariance lacks directions and the "
            "distance is too large; compare it with that of as many pictures alone"
        )
    return notes
