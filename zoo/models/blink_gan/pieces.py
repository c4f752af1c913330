"""Windows of a generator joined to a track of any length, with as many blinks as asked for.

Legend: m ticks at 25 a second, T = 75 ticks of a window, W windows, 44 = 22 points × (x, y).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from toolkit.errors import ToolkitError
from zoo.metrics.aspect_blinks import find_drops
from zoo.models.blink_gan.presets import RATE, WINDOW

Floats = npt.NDArray[np.float64]

SEAM = 10
"""Ticks over which one piece becomes the next; the eyes are open in all of them."""

OPEN = 0.85
"""Of a window's median eye aspect ratio: what open eyes have at least."""

HALF_OPEN = 0.75
"""What they have at least where they do not blink: below it, a neighbour could make it a blink."""

SHORTEST = 25
"""Ticks that a piece must add."""

MOST_LEFT_OUT = 50
"""Pieces one behind the other, after which one is taken as it is."""

STEEPEST = 50.0
"""Of the logarithm of the factor for a blink: by it no window but those with fewest is taken."""

_NEAR = 1e-3
"""Blinks a second by which a rate may be out of reach."""


@dataclass(frozen=True, eq=False)
class Piece:
    """What can be used of a window: it begins and ends with `SEAM` ticks of open eyes.

    Attributes:
        eyes: (m, 44).
        num_blinks: whole blinks in it.
    """

    eyes: Floats
    num_blinks: int

    @property
    def length(self) -> int:
        """Ticks by which it makes a track longer."""
        return len(self.eyes) - SEAM


def cut_piece(window: Floats, ear: Floats) -> Piece | None:
    """The part of a window (T, 44) between its first and last seam of open eyes.

    None where it is too short, or where eyes are half closed and do not blink.

    Args:
        window: displacements.
        ear: its eye aspect ratio (T, 2).
    """
    openness = ear.mean(axis=1) / max(np.median(ear.mean(axis=1)), 1e-9)
    is_blink = np.zeros(len(ear), bool)
    for drop in find_drops(ear, RATE):
        is_blink[drop.onset : drop.offset + 1] = True
    is_open = (openness >= OPEN) & ~is_blink
    seams = np.flatnonzero(np.convolve(is_open, np.ones(SEAM), "valid") == SEAM)
    if not len(seams) or seams[-1] - seams[0] < SHORTEST:
        return None
    first, last = seams[0], seams[-1] + SEAM
    if (openness[first:last][~is_blink[first:last]] < HALF_OPEN).any():
        return None
    return Piece(window[first:last], len(find_drops(ear[first:last], RATE)))


def join_pieces(pieces: Iterator[Piece], num_ticks: int, count: Callable[[Floats], int]) -> Floats:
    """A track (m, 44) of pieces, each blended into the one before it by half a cosine.

    A piece is left out where it makes or ends a blink by what stands before it.

    Args:
        pieces: without end.
        num_ticks: m.
        count: blinks in a stretch (k, 44).
    """
    done, tail, num_left_out = list[Floats](), next(pieces).eyes, 0
    end = len(tail)
    while end < num_ticks + SEAM:  # the end is that of a longer track
        piece = next(pieces)
        joined = _blend(tail, piece.eyes)
        as_alone = count(joined) == count(tail) + piece.num_blinks
        if not as_alone and num_left_out < MOST_LEFT_OUT:
            num_left_out += 1
            continue
        num_left_out = 0
        done.append(joined[:-WINDOW])
        tail = joined[-WINDOW:]
        end += piece.length
    return np.asarray(np.concatenate([*done, tail])[:num_ticks])


def _blend(before: Floats, eyes: Floats) -> Floats:
    share = (0.5 - 0.5 * np.cos(np.pi * np.arange(1, SEAM + 1) / (SEAM + 1)))[:, None]
    seam = before[-SEAM:] * (1 - share) + eyes[:SEAM] * share
    return np.concatenate([before[:-SEAM], seam, eyes[SEAM:]])


@dataclass(frozen=True)
class Factor:
    """How often windows are taken: by exp(log) for each of their blinks.

    Of all distributions of windows with the same rate of blinks, what is taken then is nearest to
    what the generator makes (in relative entropy).

    Attributes:
        log: of the factor.
        least, most: blinks that a window has.
    """

    log: float
    least: int
    most: int

    def accept(self, num_blinks: int) -> float:
        """Chance, 0 to 1, with which a window with so many blinks is taken."""
        best = self.most if self.log > 0 else self.least
        return float(np.exp(min(self.log * (num_blinks - best), 0.0)))


def fit_factor(pieces: Sequence[Piece], rate: float, *, strict: bool) -> Factor:
    """The factor by which pieces have so many blinks a second.

    Args:
        pieces: of a generator, many.
        rate: asked for.
        strict: refuse a rate that no factor gives, instead of taking the nearest.

    Raises:
        ToolkitError: such a rate.
    """
    blinks = np.array([piece.num_blinks for piece in pieces], np.float64)
    seconds = np.array([piece.length / RATE for piece in pieces])

    def measure(log: float) -> float:
        chances = np.exp(log * (blinks - (blinks.max() if log > 0 else blinks.min())))
        return float((chances * blinks).sum() / (chances * seconds).sum())

    low, high = -STEEPEST, STEEPEST
    if strict and not measure(low) - _NEAR <= rate <= measure(high) + _NEAR:
        raise ToolkitError(
            f"this blink-gan blinks {measure(low):.2f} to {measure(high):.2f} times a second, not "
            f"{rate:g}: choose a rate between, or train it longer"
        )
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if measure(middle) < rate else (low, middle)
    return Factor(high, int(blinks.min()), int(blinks.max()))
