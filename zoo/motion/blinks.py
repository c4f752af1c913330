"""How often a speaking person blinks: as in their video, as the model says, or as asked for.

Legend: n frames.
"""

import itertools
import math

import numpy as np
import numpy.typing as npt

from zoo.motion.blink_rate import PERSON
from zoo.motion.lids import LidMap

Floats = npt.NDArray[np.float64]

CLOSING_SECONDS, OPENING_SECONDS = 0.12, 0.24
"""From open to closed lids and back: 0.18 s at half the intensity."""

OPEN_AU45, CLOSED_AU45 = 0.0, 3.5
"""Before and in a blink of a person whose own blinks are not known."""

OPEN_LEVEL, CLOSED_LEVEL = 250, 495
"""Of the 501 quantiles of a person's AU45: the median, and what one frame in a hundred exceeds."""

MOST_OPEN = 0.25
"""Highest rest, as a share of a blink: lids that rest lower would not be seen to blink."""


def move_lids(
    au45: npt.ArrayLike, fps: int, *, lids: LidMap | None, rate: float | str = PERSON
) -> Floats:
    """AU45 (n,) that is shown, from AU45 (n,) as a model makes it.

    Args:
        au45: 0 to 5.
        fps: frames a second.
        lids: how the person's lids move, where that is known.
        rate: see `parse_blink_rate`.
    """
    au45 = np.asarray(au45, np.float64)
    if not isinstance(rate, str):
        rest, peak = OPEN_AU45, CLOSED_AU45
        if lids is not None:
            peak = max(lids.real[CLOSED_LEVEL], CLOSED_AU45)
            rest = min(lids.real[OPEN_LEVEL], MOST_OPEN * peak)
        return rest + (peak - rest) * _draw_blinks(choose_blinks(au45, fps, rate), len(au45), fps)
    return lids.apply(au45) if rate == PERSON and lids is not None else au45


def choose_blinks(au45: Floats, fps: int, rate: float) -> list[int]:
    """Frames of closed lids, `rate` a minute: of equal stretches each the one of highest AU45.

    Args:
        au45: (n,) as a model makes it.
        fps: frames a second.
        rate: 0 to `MOST`.
    """
    count = round(rate * len(au45) / (60 * fps))
    before, behind = (math.ceil(s * fps) for s in (CLOSING_SECONDS, OPENING_SECONDS))
    bounds = np.linspace(0, len(au45), count + 1)
    frames = list[int]()
    for start, end in itertools.pairwise(bounds.tolist()):
        first, last = math.ceil(start) + before, math.floor(end) - behind
        frames.append(first + int(au45[first : last + 1].argmax()))
    return frames


def _draw_blinks(frames: list[int], num_frames: int, fps: int) -> Floats:
    """(n,) share to which the lids are closed: half a cosine down, half a cosine up."""
    time = np.arange(num_frames) / fps
    closed = np.zeros(num_frames)
    for frame in frames:
        away = time - frame / fps
        share = np.where(away < 0, -away / CLOSING_SECONDS, away / OPENING_SECONDS)
        closed = np.maximum(closed, 0.5 + 0.5 * np.cos(np.pi * np.minimum(share, 1)))
    return closed
