"""Confidence intervals of figures of time series: neighbouring frames are no independent samples.

The moving-block bootstrap of Kuensch (Annals of Statistics 17, 1989): resamples are made of blocks
of successive frames, each from within one clip, until they are as long as the data; the interval
reaches between percentiles of the figure over the resamples.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Frames = npt.NDArray[np.int64]

NUM_RESAMPLES = 1000


@dataclass(frozen=True)
class Interval:
    """A figure, and where it lies with the chosen confidence."""

    value: float
    low: float
    high: float


def bootstrap_interval(
    statistic: Callable[[Frames], float],
    lengths: Sequence[int],
    *,
    block: int,
    level: float = 0.95,
    num_resamples: int = NUM_RESAMPLES,
    seed: int = 0,
) -> Interval:
    """Interval of a figure of clips that lie end to end.

    Args:
        statistic: the figure, of the frames with these numbers, 0 to the sum of `lengths` less 1.
        lengths: frames of each clip; those of 0 frames have no part in it.
        block: frames of a block, longer than what happens in the clips takes (two to five seconds
            of motion); shorter clips are blocks of their own.
        level: of confidence.
        num_resamples: how many.
        seed: of the draw: the same seed gives the same interval.

    Raises:
        ValueError: no frames, or a block or level out of range.
    """
    if sum(lengths) < 1 or block < 1 or not 0 < level < 1:
        raise ValueError(f"{sum(lengths)} frames in blocks of {block}, level {level}")
    rng = np.random.default_rng(seed)
    starts, sizes = _list_blocks(lengths, block)
    total = int(sum(lengths))
    drawn = [statistic(_draw(rng, starts, sizes, total)) for _ in range(num_resamples)]
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Interval(statistic(np.arange(total)), float(low), float(high))


def _list_blocks(lengths: Sequence[int], block: int) -> tuple[Frames, Frames]:
    """First frame and size of every block that lies within one clip."""
    starts, sizes, first = [], [], 0
    for length in lengths:
        size = min(length, block)
        if size:
            starts.append(first + np.arange(length - size + 1))
            sizes.append(np.full(length - size + 1, size))
        first += length
    return np.concatenate(starts), np.concatenate(sizes)


def _draw(rng: np.random.Generator, starts: Frames, sizes: Frames, total: int) -> Frames:
    """Frame numbers (total,) of blocks drawn with repetition; the last one is cut off."""
    enough = -(-total // int(sizes.min()))
    drawn = rng.integers(len(starts), size=enough)
    ends = np.cumsum(sizes[drawn])
    drawn = drawn[: int(np.searchsorted(ends, total)) + 1]
    first = np.repeat(starts[drawn], sizes[drawn])
    inside = np.arange(len(first)) - np.repeat(ends[: len(drawn)] - sizes[drawn], sizes[drawn])
    return np.asarray((first + inside)[:total])
