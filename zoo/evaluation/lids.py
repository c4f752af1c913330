"""Eyelids in pictures of any renderer beside those of the source.

Legend: n frames of a clip.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from toolkit.dataset.blink_stats import BlinkStats
from toolkit.features.blink import OPEN_PERCENTILE, compute_au45, find_blinks, measure_apertures
from zoo.metrics.blinks import BlinkClip, measure_blinks
from zoo.metrics.events import TOLERANCE, Tally, match_events
from zoo.metrics.mouth import correlate

Floats = npt.NDArray[np.float64]

Lids = Sequence[npt.NDArray[np.floating[Any]]]
"""AU45 (n,) of each clip, 0 to 5, NaN where no face is found."""


def find_open_eyes(meshes: npt.ArrayLike) -> Floats:
    """(2,) aperture of open eyes, as the toolkit calibrates it, of meshes (n, 478, 3)."""
    meshes = np.asarray(meshes)
    apertures, _ = measure_apertures(meshes[~np.isnan(meshes[:, 0, 0])])
    return np.asarray(np.percentile(apertures, OPEN_PERCENTILE, axis=0))


def measure_au45(meshes: Floats, fps: int, open_eyes: Floats) -> Floats:
    """AU45 (n,) of meshes (n, 478, 3), by the toolkit's own measurement; NaN without a face."""
    known = np.flatnonzero(~np.isnan(meshes[:, 0, 0]))
    au45 = np.full(len(meshes), np.nan)
    if len(known):
        nearest = np.abs(np.arange(len(meshes))[:, None] - known).argmin(axis=1)
        filled = meshes[known[nearest]]
        bridged = compute_au45(filled, fps, open_eyes)  # its level needs a series without gaps
        au45[known] = bridged[known]
    return au45


def score_blinks(lids: Sequence[tuple[npt.ArrayLike, npt.ArrayLike]], fps: int) -> dict[str, Any]:
    """Blinks and AU45 of stretches, each a pair of (n,): as drawn, and as the source's are."""
    tally = Tally()
    for pair in lids:
        pred, target = ([blink.apex / fps for blink in find_blinks(au45, fps)] for au45 in pair)
        tally.add(match_events(pred, target, TOLERANCE))
    pred, target = np.concatenate([np.asarray(pair, np.float64) for pair in lids], axis=1)
    known = np.isfinite(pred)
    return {
        "blinks found": tally.pred,
        "of the source's": f"{tally.hits} of {tally.target}",
        "AU45, r": correlate(pred[known], target[known]) if known.any() else math.nan,
    }


def score_short_blinks(
    lids: Sequence[tuple[npt.ArrayLike, npt.ArrayLike]], fps: int, most: int = 2
) -> Tally:
    """Of the source's blinks of at most so many frames: how many there are, and are drawn.

    Args:
        lids: stretches, each a pair of AU45 (n,): as drawn, and as the source's are.
        fps: frames a second.
        most: frames from half height to half height.
    """
    tally = Tally()
    for pair in lids:
        pred, target = (find_blinks(au45, fps) for au45 in pair)
        short = [blink for blink in target if blink.offset - blink.onset + 1 <= most]
        drawn, there = ([blink.apex / fps for blink in blinks] for blinks in (pred, short))
        tally.add(match_events(drawn, there, TOLERANCE))
    return tally


def describe_lids(name: str, lids: Lids, fps: int) -> BlinkStats:
    """Blinks of all clips together, under a name for the figure."""
    return measure_blinks([BlinkClip(name, au45) for au45 in lids], fps)[name]


def score_lids(lids: Lids, source: Lids, fps: int) -> dict[str, Any]:
    """How often and how long lids close, and how far where the source's do."""
    stats = describe_lids("", lids, fps)
    return {
        "seconds": sum(map(len, lids)) / fps,
        "4-second stretches": sum(stats.stretches),
        "blinks a second": _or_nan(stats.rate),
        "seconds a blink": _or_nan(stats.duration),
        "AU45 at the source's blinks": measure_depth(lids, source, fps),
        **score_blinks(list(zip(lids, source, strict=True)), fps),
    }


def _or_nan(value: float | None) -> float:
    return float("nan") if value is None else value


def measure_depth(lids: Lids, source: Lids, fps: int) -> float:
    """Mean over the source's blinks of the highest AU45 within 0.1 s of their apex."""
    reach = round(TOLERANCE * fps)
    peaks = [
        float(np.nanmax(au45[max(0, blink.apex - reach) : blink.apex + reach + 1], initial=0))
        for au45, real in zip(lids, source, strict=True)
        for blink in find_blinks(real, fps)
    ]
    return float(np.mean(peaks)) if peaks else float("nan")
