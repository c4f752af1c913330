"""The paper's Fig. 9: blinks in drawn faces with and without the eye-attention map."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.accuracy.blinks import TOLERANCE
from tests.results.people import find_longest, train_without_eyes
from tests.results.reenactment import score_blinks
from tests.results.setup import Setup, Table
from tests.results.shown import Judged, look_at
from toolkit.dataset.blink_plot import plot_blinks
from toolkit.dataset.blink_stats import BlinkStats
from toolkit.features.blink import find_blinks
from zoo.data.frames import RenderClip
from zoo.metrics.blinks import BlinkClip, measure_blinks
from zoo.speaking.reenact import draw_clip

Lids = Sequence[npt.NDArray[np.floating[Any]]]
"""AU45 (n,) of each clip, 0 to 5, NaN where no face is found."""

SOURCE, STORED, WITH, WITHOUT = "the source", "stored frames", "with the map", "without the map"


def run_eyes(setup: Setup) -> dict[str, Table]:
    """Blinks of the longest video as it is, and drawn with and without the map."""
    judged = Judged.of(find_longest(setup))
    lids: dict[str, Lids] = {
        SOURCE: [clip.au45 for clip in judged.clips],
        STORED: [judged.measure_lids(judged.stored[clip.id].meshes) for clip in judged.clips],
        WITH: draw_lids(judged),
        WITHOUT: draw_lids(Judged.of(train_without_eyes(setup))),
    }
    parts: dict[str, Callable[[RenderClip], slice]] = {
        "all": lambda clip: slice(None),
        "held out": judged.find_part,
    }
    rows = []
    for part, find in parts.items():
        cuts = [find(clip) for clip in judged.clips]
        cut = {name: _cut(of, cuts) for name, of in lids.items()}
        rows += [
            {"frames": part, "shown": name} | score_lids(of, cut[SOURCE], judged.fps)
            for name, of in cut.items()
        ]
    target = setup.figures / "results_eyes.png"
    shown = (SOURCE, WITH, WITHOUT)
    plot_blinks([describe_lids(name, lids[name], judged.fps) for name in shown], target)
    return {
        "eyes-blinks": Table(rows),
        "eyes-figure": Table(
            figure=target, caption="Blinks in 4-second stretches, and how long they last"
        ),
    }


def _cut(lids: Lids, cuts: Sequence[slice]) -> Lids:
    """Parts of clips, without those of which there is nothing."""
    return [cut for au45, part in zip(lids, cuts, strict=True) if len(cut := au45[part])]


def draw_lids(judged: Judged) -> Lids:
    """AU45 of a renderer's pictures of every clip."""
    nothing = slice(0, 0)
    return [
        judged.measure_lids(look_at(draw_clip(judged.renderer, clip), clip, nothing).meshes)
        for clip in judged.clips
    ]


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
