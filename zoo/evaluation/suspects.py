"""Names that may be one person, and clips that may be another person than their name says.

Each clip is one vector of a face recogniser. Two names are compared by the median distance over
all pairs of a clip of one and a clip of the other, a clip and its own name by the median distance
to the name's other clips: single clips in bad light then decide nothing. Of an even number of them
it is the lower of the two in the middle, so that one wrong clip of three accuses no other.
Distances come from products of matrices, a name's clips with all others at a time, and names are
screened by counting the pairs below the limit, so that no table of all pairs is kept.
Legend: c clips, K features of a clip, m names.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_BLOCK = 1 << 22
"""Distances held at once."""

_STEP, _NUM_BINS = 0.001, 4001
"""Width and number of bins of the distribution of distances; the last holds all beyond."""

SHARES = (0.05, 0.5, 0.95)
"""Of the pairs, whose distances say how far they lie apart."""


@dataclass(frozen=True, kw_only=True)
class AlikeNames:
    """Two names that may be one person.

    Attributes:
        identities: the names, sorted.
        distance: median over pairs of clips.
        num_pairs: of clips.
    """

    identities: tuple[str, str]
    distance: float
    num_pairs: int


@dataclass(frozen=True, kw_only=True)
class DistantClip:
    """A clip that may be another person than its name says.

    Attributes:
        clip: its row.
        identity: its name.
        distance: lower median over the name's other clips.
        nearest: the other name that is nearest; "" where there is none.
        nearest_distance: median over that name's clips; None where there is none.
    """

    clip: int
    identity: str
    distance: float
    nearest: str
    nearest_distance: float | None


@dataclass(frozen=True, kw_only=True)
class Suspects:
    """What looks wrong among the names of some clips.

    Attributes:
        alike: the nearest first.
        distant: the farthest first.
        within: distances that `SHARES` of the pairs of clips of one name lie below, to 0.001;
            empty where there is no pair.
        between: the same of clips of two names.
    """

    alike: tuple[AlikeNames, ...]
    distant: tuple[DistantClip, ...]
    within: tuple[float, ...]
    between: tuple[float, ...]


def find_suspects(identities: Sequence[str], features: npt.ArrayLike, limit: float) -> Suspects:
    """Compare all names and clips.

    Args:
        identities: names of the c clips.
        features: (c, K) vectors, NaN-free, whose Euclidean distance tells people apart.
        limit: distance below which two are one person.
    """
    table = _Table.sort(identities, np.asarray(features, np.float64))
    alike, distant = list[AlikeNames](), list[DistantClip]()
    within, between = (np.zeros(_NUM_BINS, np.int64) for _ in range(2))
    for name in range(len(table.names)):
        start, size = int(table.starts[name]), table.count_clips(name)
        near = np.zeros(len(table.names) - name, np.int64)
        for row, distances in _measure_blocks(table.faces, start, size):
            columns = (distances < limit).sum(axis=0, dtype=np.int64)
            near += np.add.reduceat(columns, table.starts[name:-1] - start)
            between += _count(distances[:, size:])
            if size > 1:
                own = _leave_out_self(distances[:, :size], row)
                within += _count(own)
                medians = own[:, (size - 2) // 2]  # the lower of two
                for k in np.flatnonzero(medians > limit):
                    distant.append(_judge_clip(table, start + row + int(k), float(medians[k])))
        needed = size * np.diff(table.starts[name:]) / 2
        others = np.flatnonzero(near[1:] >= needed[1:]) + 1
        alike += [_judge_names(table, name, name + int(other)) for other in others]
    return Suspects(
        alike=tuple(
            sorted(
                (pair for pair in alike if pair.distance < limit),
                key=lambda pair: (pair.distance, pair.identities),
            )
        ),
        distant=tuple(sorted(distant, key=lambda clip: (-clip.distance, clip.clip))),
        within=_find_shares(within),
        between=_find_shares(between),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Table:
    """Clips in the order of their names.

    Attributes:
        names: (m,) sorted.
        starts: (m + 1,) where each name's clips begin.
        codes: (c,) each clip's name.
        order: (c,) each clip's row.
        faces: (c, K).
    """

    names: tuple[str, ...]
    starts: Integers
    codes: Integers
    order: Integers
    faces: Floats

    @classmethod
    def sort(cls, identities: Sequence[str], faces: Floats) -> "_Table":
        names = sorted(set(identities))
        place = {name: code for code, name in enumerate(names)}
        codes = np.array([place[name] for name in identities])
        order = np.argsort(codes, kind="stable")
        codes = codes[order]
        starts = np.searchsorted(codes, np.arange(len(names) + 1))
        return cls(names=tuple(names), starts=starts, codes=codes, order=order, faces=faces[order])

    def count_clips(self, name: int) -> int:
        return int(self.starts[name + 1] - self.starts[name])

    def find_faces(self, name: int) -> Floats:
        return self.faces[self.starts[name] : self.starts[name + 1]]


def _judge_names(table: _Table, first: int, second: int) -> AlikeNames:
    distances = measure_distances(table.find_faces(first), table.find_faces(second))
    return AlikeNames(
        identities=(table.names[first], table.names[second]),
        distance=float(np.median(distances)),
        num_pairs=distances.size,
    )


def _judge_clip(table: _Table, place: int, distance: float) -> DistantClip:
    """A clip that is far from its own name's, and the other name that it is nearest to."""
    own, to_all = table.codes[place], measure_distances(table.faces[[place]], table.faces)[0]
    medians = pd.Series(to_all).groupby(table.codes).median().drop(own)
    return DistantClip(
        clip=int(table.order[place]),
        identity=table.names[own],
        distance=distance,
        nearest="" if medians.empty else table.names[int(medians.idxmin())],
        nearest_distance=None if medians.empty else float(medians.min()),
    )


def _leave_out_self(distances: Floats, row: int) -> Floats:
    """(n, size − 1) distances to the other clips, sorted; of a name's clips from `row` on."""
    own, number = distances.copy(), np.arange(len(distances))
    own[number, row + number] = -1
    own.sort(axis=1)
    return own[:, 1:]


def measure_distances(a: Floats, b: Floats) -> Floats:
    """(n, m) Euclidean distances of vectors (n, K) to others (m, K)."""
    squares = (a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1) - 2 * (a @ b.T)
    return np.asarray(np.sqrt(squares.clip(0)))


def _measure_blocks(faces: Floats, start: int, size: int) -> Iterator[tuple[int, Floats]]:
    """Of a name's clips: the first row of a block, and distances to all clips from `start` on."""
    rows = max(1, _BLOCK // (len(faces) - start))
    for row in range(0, size, rows):
        of = faces[start + row : start + min(row + rows, size)]
        yield row, measure_distances(of, faces[start:])


def _count(distances: Floats) -> Integers:
    """Distances (n, m) in bins."""
    bins = (distances.ravel() / _STEP).round().clip(0, _NUM_BINS - 1).astype(np.int64)
    return np.bincount(bins, minlength=_NUM_BINS)


def _find_shares(counts: Integers) -> tuple[float, ...]:
    total = np.cumsum(counts)
    if not total[-1]:
        return ()
    places = np.searchsorted(total, np.array(SHARES) * total[-1])
    return tuple(round(float(place * _STEP), 3) for place in places)
