"""Confidence intervals of figures of time series: neighbouring frames are no independent samples.

The circular block bootstrap of Politis and Romano (Exploring the Limits of Bootstrap, Wiley 1992),
within clips: resamples are made of blocks of successive frames, each from within one clip, whose
first frame follows its last, until they are as long as the data; the interval reaches between
percentiles of the figure over the resamples. Every frame is as likely as any other.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Frames = npt.NDArray[np.int64]

NUM_RESAMPLES = 1000


@dataclass(frozen=True)
class Interval:
    """A figure, and where it lies with the chosen confidence; None where too few frames tell."""

    value: float
    low: float | None
    high: float | None


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
            of motion); shorter clips are blocks of their own. Of fewer than two blocks nothing can
            be told: the interval has no ends.
        level: of confidence.
        num_resamples: how many.
        seed: of the draw: the same seed gives the same interval.

    Raises:
        ValueError: no frames, or a block or level out of range.
    """
    if sum(lengths) < 1 or block < 1 or not 0 < level < 1:
        raise ValueError(f"{sum(lengths)} frames in blocks of {block}, level {level}")
    total, value = int(sum(lengths)), statistic(np.arange(sum(lengths)))
    blocks = _list_blocks(lengths, block)
    if total < 2 * blocks.sizes.max():
        return Interval(value, None, None)
    rng = np.random.default_rng(seed)
    drawn = [statistic(_draw(rng, blocks, total)) for _ in range(num_resamples)]
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Interval(value, float(low), float(high))


@dataclass(frozen=True, eq=False)
class _Blocks:
    """The blocks that begin at each frame (total,).

    Attributes:
        firsts: the clip's first frame.
        lengths: the clip's.
        sizes: frames of the block.
        shares: summed probability of this block and those before; blocks of short clips are short
            and therefore come more often.
    """

    firsts: Frames
    lengths: Frames
    sizes: Frames
    shares: npt.NDArray[np.float64]


def _list_blocks(lengths: Sequence[int], block: int) -> _Blocks:
    each = np.asarray(lengths, np.int64)
    firsts, of_clip = (np.repeat(x, each) for x in (np.cumsum(each) - each, each))
    sizes = np.minimum(of_clip, block)
    shares = np.cumsum(1 / sizes)
    return _Blocks(firsts, of_clip, sizes, shares / shares[-1])


def _draw(rng: np.random.Generator, blocks: _Blocks, total: int) -> Frames:
    """Frame numbers (total,) of blocks drawn with repetition; the last one is cut off."""
    enough = -(-total // int(blocks.sizes.min()))
    starts = np.searchsorted(blocks.shares, rng.random(enough), side="right")
    ends = np.cumsum(blocks.sizes[starts])
    starts = starts[: int(np.searchsorted(ends, total)) + 1]
    sizes = blocks.sizes[starts]
    inside = np.arange(sizes.sum()) - np.repeat(ends[: len(starts)] - sizes, sizes)
    start, first, length = (
        np.repeat(x, sizes) for x in (starts, blocks.firsts[starts], blocks.lengths[starts])
    )
    return np.asarray((first + (start - first + inside) % length)[:total])
