"""How often and how long generated faces blink, beside the truth, identity by identity.

These are blinks as the toolkit finds them: peaks of AU45, from the first to behind the last frame
at half height. Das et al.'s, drops of the eye aspect ratio, are in `aspect_blinks`.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from toolkit.dataset.blink_stats import BlinkStats, describe_blinks
from toolkit.features.blink import find_blinks


@dataclass(frozen=True, eq=False)
class BlinkClip:
    """The eyelids of one clip.

    Attributes:
        identity: whose.
        au45: (n,) intensity, 0 to 5.
        valid: (n,) False where it was not measured; None where all was.
    """

    identity: str
    au45: npt.ArrayLike
    valid: npt.NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class BlinkError:
    """One identity's blinks beside its truth; None where either has none to compare.

    Attributes:
        pred: of the motion under test.
        target: of the truth.
        rate: predicted over target rate, less 1.
        duration: predicted over target mean duration, less 1.
    """

    pred: BlinkStats
    target: BlinkStats
    rate: float | None
    duration: float | None


def measure_blinks(clips: Iterable[BlinkClip], fps: int) -> dict[str, BlinkStats]:
    """Blinks of each identity, pooled over its clips, detected as the toolkit does.

    Args:
        clips: of any number of identities, in any order.
        fps: frames a second.

    Returns:
        Identity -> figures, in order of name. Rates are per valid second, durations reach from
        the first to behind the last frame at half intensity.
    """
    rows = defaultdict[str, list[dict[str, object]]](list)
    for clip in clips:
        rows[clip.identity].append(_describe(clip, fps))
    return {name: describe_blinks(name, pd.DataFrame(rows[name])) for name in sorted(rows)}


def compare_blinks(
    pred: dict[str, BlinkStats], target: dict[str, BlinkStats]
) -> dict[str, BlinkError]:
    """Relative errors of rate and duration of every identity of `target`.

    Raises:
        ValueError: `pred` lacks an identity.
    """
    missing = sorted(target.keys() - pred.keys())
    if missing:
        raise ValueError(f"no predicted motion of {missing[0]}")
    return {name: _compare(pred[name], truth) for name, truth in target.items()}


def _compare(pred: BlinkStats, target: BlinkStats) -> BlinkError:
    return BlinkError(
        pred=pred,
        target=target,
        rate=_relate(pred.rate, target.rate),
        duration=_relate(pred.duration, target.duration),
    )


def _relate(pred: float | None, target: float | None) -> float | None:
    return pred / target - 1 if pred is not None and target else None


def measure_half_rate(au45: npt.ArrayLike, fps: int) -> float:
    """Blinks a measured second of AU45 (n,); NaN where nothing was measured."""
    return _or_nan(_measure_clip(au45, fps).rate)


def measure_half_duration(au45: npt.ArrayLike, fps: int) -> float:
    """Mean duration of the blinks of AU45 (n,), s; NaN where there are none."""
    return _or_nan(_measure_clip(au45, fps).duration)


def compare_half_stretches(au45: npt.ArrayLike, real_au45: npt.ArrayLike, fps: int) -> float:
    """`compare_stretches` of the blinks of AU45 (n,) and (m,)."""
    pred, target = (_measure_clip(values, fps).stretches for values in (au45, real_au45))
    return compare_stretches(pred, target)


def compare_stretches(pred: Sequence[int], target: Sequence[int]) -> float:
    """Earth mover's distance of two histograms: how many stretches have 0, 1, 2 … blinks.

    The number of blinks by which stretches would have to change, in the mean, for the one to be the
    other (FACIAL, Fig. 9, shows the histograms). NaN where either is of no stretch.
    """
    if not sum(pred) or not sum(target):
        return math.nan
    length = max(len(pred), len(target))
    shares = [np.pad(h, (0, length - len(h))) / sum(h) for h in (pred, target)]
    return float(np.abs(np.cumsum(shares[0] - shares[1])).sum())


def _measure_clip(au45: npt.ArrayLike, fps: int) -> BlinkStats:
    values = np.asarray(au45, np.float64)
    return measure_blinks([BlinkClip("", values, np.isfinite(values))], fps)[""]


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value


def _describe(clip: BlinkClip, fps: int) -> dict[str, object]:
    """The row that the manifest would have of a clip."""
    au45 = np.asarray(clip.au45, np.float64)
    measured = au45 if clip.valid is None else np.where(clip.valid, au45, np.nan)
    blinks = find_blinks(measured, fps)
    return {
        "fps": fps,
        "duration": len(au45) / fps,
        "valid_share": 1.0 if clip.valid is None else float(np.mean(clip.valid)),
        "num_blinks": len(blinks),
        "blink_onsets": [blink.onset / fps for blink in blinks],
        "blink_offsets": [(blink.offset + 1) / fps for blink in blinks],
    }
