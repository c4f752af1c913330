"""Clips that hold the same stretch of one recording, found by their fingerprints.

An inverted index, not all pairs: every 0.1 s gives a key of sound and one of picture
(`toolkit.features.fingerprint`), equal keys of two clips say where one would lie in the other, and
there the signs of the whole stretch that both would hold are compared.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from toolkit.features.fingerprint import (
    PICTURE_SHIFT,
    PICTURE_SIGNS,
    PICTURE_WIDTH,
    SOUND_SIGNS,
    SOUND_WIDTH,
    STEP,
)

MAX_KEYS = 1 << 24
"""Of either kind; of more, those are taken whose hash is smallest: the same of all copies."""

WINDOW = 8
"""Clips of the same key are compared with so many next ones: copies are joined in a chain."""

MIN_STEPS = 15
"""Steps of 0.1 s that both must hold."""

MAX_SOUND, MAX_PICTURE = 0.22, 0.27
"""Share of differing signs up to which sound or picture alone says that a stretch is the same."""

MAX_BOTH = 0.3, 0.36
"""The same of sound and picture, where both say so. One man's sentences of nearly the same words
come near it: of 700 the nearest differ by 0.25 and 0.41, or by 0.28 and 0.38."""

Integers = npt.NDArray[np.int64]
Owners = npt.NDArray[np.int32]
"""Clip of each of the numbers: there are tens of millions."""


@dataclass(frozen=True)
class _Kind:
    """One half of a number: signs from bit `shift` on, then `width` bits to look up by."""

    shift: int
    signs: int
    width: int
    steps: tuple[int, ...]


_SOUND = _Kind(0, SOUND_SIGNS, 2 * SOUND_WIDTH, (0, 4, 8))
_PICTURE = _Kind(PICTURE_SHIFT, PICTURE_SIGNS, 2 * PICTURE_WIDTH, (0, 3, 6))
"""A key is made of what stands `steps` behind each other."""

_LOOSE = 0.35
"""Share of differing signs within a key's steps up to which the whole stretch is looked at."""

_CHUNK, _PIECE = 1 << 14, 1 << 16
"""Pairs compared at a time; numbers or keys looked at at a time, which a core's cache holds."""

_COUNTS = np.array([value.bit_count() for value in range(1 << 16)], np.uint8)


@dataclass(frozen=True, kw_only=True)
class Copy:
    """Clips `first` and `second` (places in the list given) hold the same.

    Attributes:
        lag: seconds from the beginning of the first to that of the second, to 0.1 s.
        seconds: that both hold.
        sound, picture: share of signs that agree there; None where too little can be compared.
    """

    first: int
    second: int
    lag: float
    seconds: float
    sound: float | None
    picture: float | None

    @property
    def why(self) -> str:
        """`sound`, `picture` or `sound and picture`; "" where neither agrees enough."""
        shares = {"sound": self.sound, "picture": self.picture}
        if all(map(_is_same, shares.values(), MAX_BOTH)):
            return " and ".join(shares)
        bounds = (MAX_SOUND, MAX_PICTURE)
        agree = map(_is_same, shares.values(), bounds)
        return " and ".join(name for name, same in zip(shares, agree, strict=True) if same)


def _is_same(share: float | None, most: float) -> bool:
    return share is not None and 1 - share <= most


def find_copies(numbers: Integers, offsets: Integers, sources: Integers) -> list[Copy]:
    """Pairs of clips of different sources that hold the same stretch.

    Of many copies of one recording not all pairs are listed, but all hang together.

    Args:
        numbers: (m,) fingerprints of all clips, one behind the other.
        offsets: (c + 1,) where those of each clip begin.
        sources: (c,) number of each clip's source.
    """
    clips = np.repeat(np.arange(len(sources), dtype=np.int32), np.diff(offsets))
    found: dict[tuple[int, int], Copy] = {}

    def find(kind: _Kind) -> Integers:
        return _find_pairs(_sort_keys(numbers, clips, kind), numbers, clips, sources, kind)

    with ThreadPoolExecutor() as pool:
        pairs = list(pool.map(find, (_SOUND, _PICTURE)))
    for some in pairs:
        for row in _compare(some, numbers, offsets, clips):
            pair = _describe(*row)
            former = found.get((pair.first, pair.second))
            if pair.why and (former is None or former.seconds < pair.seconds):
                found[pair.first, pair.second] = pair
    return [found[key] for key in sorted(found)]


def _describe(first: int, second: int, lag: int, *counts: int) -> Copy:
    steps, sounds, wrong_sounds, pictures, wrong_pictures = counts
    return Copy(
        first=first,
        second=second,
        lag=round(lag * STEP, 1),
        seconds=round(steps * STEP, 1),
        sound=1 - wrong_sounds / (sounds * SOUND_SIGNS) if sounds >= MIN_STEPS else None,
        picture=1 - wrong_pictures / (pictures * PICTURE_SIGNS) if pictures >= MIN_STEPS else None,
    )


def _sort_keys(numbers: Integers, clips: Owners, kind: _Kind) -> Integers:
    """Sorted keys of one kind that occur twice, each with its place in `numbers` in the low bits.

    Values alone sort several times as fast as an order.
    """
    cuts = range(0, len(numbers), _PIECE)
    pieces = [slice(cut, cut + _PIECE + kind.steps[-1]) for cut in cuts]
    total = sum(np.count_nonzero(_find_whole(numbers[p], clips[p], kind)) for p in pieces)
    least = (MAX_KEYS << 32) // max(total, 1)
    found = [np.zeros(0, np.int64)]
    for piece in pieces:
        keys = _make_keys(numbers[piece], kind)
        is_kept = _find_whole(numbers[piece], clips[piece], kind)
        is_kept &= (keys * 0x9E3779B1 & _mask(32)) < least
        places = np.flatnonzero(is_kept)
        found.append(keys[places] << 32 | places + piece.start)
    joined = np.concatenate(found)
    del found
    joined.sort()
    is_same = (joined[1:] ^ joined[:-1]) < 1 << 32
    is_twice = np.zeros(len(joined), bool)
    is_twice[1:] |= is_same
    is_twice[:-1] |= is_same
    return np.asarray(joined[is_twice], np.int64)


def _find_whole(numbers: Integers, clips: Owners, kind: _Kind) -> npt.NDArray[np.bool_]:
    """Which numbers begin a key: one clip has all that are part of it, none of them empty."""
    count = max(len(numbers) - kind.steps[-1], 0)
    is_whole = np.asarray(clips[:count] == clips[len(clips) - count :], bool)
    has = _has(numbers, kind)
    for step in kind.steps:
        is_whole &= has[step : step + count]
    return is_whole


def _make_keys(numbers: Integers, kind: _Kind) -> Integers:
    """Keys of all numbers but the last, which have too few behind them."""
    count = max(len(numbers) - kind.steps[-1], 0)
    bits = numbers >> kind.shift + kind.signs & _mask(kind.width)
    keys = np.zeros(count, np.int64)
    for step in kind.steps:
        keys = keys << kind.width | bits[step : step + count]
    return keys


def _find_pairs(
    joined: Integers, numbers: Integers, clips: Owners, sources: Integers, kind: _Kind
) -> Integers:
    """(p, 2) places of the same key in clips of two sources, where signs agree as well."""
    found = [np.zeros((0, 2), np.int64)]
    for begin in range(0, len(joined), _PIECE):
        piece = joined[begin : begin + _PIECE + WINDOW]
        keys, places = piece >> 32, piece & _mask(32)
        parts = [numbers[places + step] for step in kind.steps]
        of = sources[clips[places]]
        for ahead in range(1, WINDOW + 1):
            first = np.flatnonzero(keys[:-ahead][:_PIECE] == keys[ahead:][:_PIECE])
            first = first[of[first] != of[first + ahead]]
            wrong = np.zeros(len(first), np.int64)
            for part in parts:
                wrong += _count_wrong(part[first], part[first + ahead], kind)
            first = first[wrong <= _LOOSE * kind.signs * len(kind.steps)]
            found.append(np.stack([places[first], places[first + ahead]], axis=1))
    return np.concatenate(found)


def _compare(
    pairs: Integers, numbers: Integers, offsets: Integers, clips: Owners
) -> Iterator[tuple[int, ...]]:
    """For each two clips and lag that may agree enough: those, steps held by both, and of sound and
    picture how many can be compared and how many signs of these differ.
    """
    pairs = np.sort(pairs, axis=1)
    first, second = clips[pairs[:, 0]], clips[pairs[:, 1]]
    lag = (pairs[:, 0] - offsets[first]) - (pairs[:, 1] - offsets[second])
    rows = np.unique(np.stack([first, second, lag], axis=1), axis=0)
    for begin in range(0, len(rows), _CHUNK):
        first, second, lag = rows[begin : begin + _CHUNK].T
        starts = offsets[first] + np.maximum(lag, 0), offsets[second] + np.maximum(-lag, 0)
        lengths = np.minimum(offsets[first + 1] - starts[0], offsets[second + 1] - starts[1])
        steps = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        one, other = (numbers[np.repeat(start, lengths) + steps] for start in starts)
        columns = [first, second, lag, lengths]
        for kind in (_SOUND, _PICTURE):
            has_both = _has(one, kind) & _has(other, kind)
            wrong = np.where(has_both, _count_wrong(one, other, kind), 0)
            columns += [_sum(has_both.astype(np.int64), lengths), _sum(wrong, lengths)]
        sounds, wrong_sounds, pictures, wrong_pictures = columns[4:]
        may_agree = wrong_sounds <= MAX_BOTH[0] * SOUND_SIGNS * sounds + 1
        may_agree |= wrong_pictures <= MAX_BOTH[1] * PICTURE_SIGNS * pictures + 1
        yield from zip(*(column[may_agree].tolist() for column in columns), strict=True)


def _has(numbers: Integers, kind: _Kind) -> npt.NDArray[np.bool_]:
    return np.asarray(numbers >> kind.shift & _mask(kind.signs + kind.width), bool)


def _count_wrong(one: Integers, other: Integers, kind: _Kind) -> Integers:
    """(m,) how many signs differ, at most 32."""
    differ = (one ^ other) >> kind.shift & _mask(kind.signs)
    return np.asarray(_COUNTS[differ & _mask(16)] + _COUNTS[differ >> 16], np.int64)


def _sum(values: Integers, lengths: Integers) -> Integers:
    """Sums of stretches of 1 and more that lie behind one another."""
    return np.asarray(np.add.reduceat(values, np.cumsum(lengths) - lengths), np.int64)


def _mask(width: int) -> int:
    return (1 << width) - 1
