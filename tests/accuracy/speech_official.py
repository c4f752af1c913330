"""Agreement with the scores that official DeepSpeech 0.1.0 gave for the same sound.

Axes: n frames at 30 fps, 29 symbols.
"""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import softmax

from toolkit.features.deepspeech import (
    decode_greedy,
    infer_scores,
    interpolate_scores,
    load_network,
)
from toolkit.media.audio import read_sound
from toolkit.schema import DEEPSPEECH_SYMBOLS
from zoo.metrics.error_rates import measure_cer

Floats = npt.NDArray[np.float64]

FPS = 30
CONFIDENT = 0.9
"""Probability of the best symbol from which on a network counts as sure of it."""

REACH = 15
"""Frames either way that a lag is looked for in."""

_BLANK = len(DEEPSPEECH_SYMBOLS) - 1


def compare_official(folder: Path, weights: Path) -> list[dict[str, Any]]:
    """Texts and figures, one row each."""
    reference = folder / "reference" / "facial"
    logits = np.load(reference / "obama2_deepspeech_logits.npy").astype(np.float32)
    network = load_network(weights)
    outputs = infer_scores(network, read_sound(reference / "obama2.wav"))
    scores = interpolate_scores(outputs, len(logits), FPS, network.delay)
    ours, theirs = _to_probabilities(scores), _to_probabilities(logits)
    texts = decode_greedy(scores), decode_greedy(logits)
    figures = {
        "greedy text, official": texts[1],
        "greedy text, ours": texts[0],
        "characters that differ": measure_cer([texts[0]], [texts[1]]),
        **measure_agreement(ours, theirs),
        "r of the probability of blank": _correlate(ours[:, _BLANK], theirs[:, _BLANK]),
        "lag of blank, frames": find_lag(ours[:, _BLANK:], theirs[:, _BLANK:]),
        "lag of the letters, frames": find_lag(ours[:, :_BLANK], theirs[:, :_BLANK]),
    }
    return [{"what": name, "value": value} for name, value in figures.items()]


def _to_probabilities(scores: npt.NDArray[np.float32]) -> Floats:
    return np.asarray(softmax(scores.astype(np.float64), axis=1), np.float64)


def measure_agreement(ours: Floats, theirs: Floats) -> dict[str, Any]:
    """How often both of (n, 29) say the same where both are sure; the blank counted and not."""
    best = ours.argmax(1), theirs.argmax(1)
    sure = np.minimum(ours.max(1), theirs.max(1)) > CONFIDENT
    letters = sure & (best[1] != _BLANK)
    same = best[0] == best[1]
    return {
        "frames": len(ours),
        "frames where both are sure": int(sure.sum()),
        "of these, the same symbol": _share(same[sure]),
        "frames where both are sure and the official says no blank": int(letters.sum()),
        "of those, the same symbol": _share(same[letters]),
    }


def _share(hits: npt.NDArray[np.bool_]) -> float:
    return float(hits.mean()) if len(hits) else float("nan")


def _correlate(a: Floats, b: Floats) -> float:
    return float(np.corrcoef(a, b)[0, 1])


def find_lag(ours: Floats, theirs: Floats) -> float:
    """Frames by which (n, c) `ours` is late: where their correlation peaks, between frames too.

    The peak is that of the parabola through the highest value and its neighbours; NaN where
    the highest stands at the end of ±`REACH`.
    """
    a, b = ours - ours.mean(0), theirs - theirs.mean(0)
    values = np.array([_correlate_at(a, b, lag) for lag in range(-REACH, REACH + 1)])
    best = int(values.argmax())
    if not 0 < best < len(values) - 1:
        return float("nan")
    before, peak, after = values[best - 1 : best + 2]
    return best - REACH + float(0.5 * (before - after) / (before - 2 * peak + after))


def _correlate_at(a: Floats, b: Floats, lag: int) -> float:
    """Correlation of a, moved `lag` frames earlier, with b, over the frames that both have."""
    x, y = a[max(0, lag) :], b[max(0, -lag) :]
    length = min(len(x), len(y))
    x, y = x[:length], y[:length]
    return float((x * y).sum() / np.sqrt((x**2).sum() * (y**2).sum()))
