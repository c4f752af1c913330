"""AT-net: landmarks from sound, of sentences and of people that it has not learnt from.

Legend: n frames of a clip.
"""

import functools
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tests.results.atvg_runs import list_corpora, train_sound
from tests.results.cascaded_speech import (
    LMD,
    OPENING,
    SECONDS,
    Floats,
    Measured,
    score_measured,
    subtract,
    write_scores,
)
from tests.results.setup import Setup, Table
from zoo.data.sound_landmarks import SoundClip, SoundClips
from zoo.evaluation.tables import judge
from zoo.landmarks.align import measure_opening
from zoo.landmarks.aligned import AlignedStatistics
from zoo.metrics.intervals import Interval
from zoo.metrics.landmarks import measure_lmd_mouth68
from zoo.models.at_net.judge import Judge, Predict, take_face
from zoo.models.at_net.model import open_at_net

STILL, MEAN, RIDGE = "the picture's face, still", "mean face", "ridge, same window"

AT_NET, OWN_FACE = "AT-net", "AT-net, the picture's own face kept"
"""By six coefficients alone, as ridge; and as `zoo synthesize` speaks."""


def run_motion(setup: Setup, workers: int) -> dict[str, Table]:
    """Trained on everyone but GRID's people, and on one man's sentences."""
    rows, targets = list[dict[str, Any]](), list[dict[str, Any]]()
    for name, corpus in list_corpora(setup, workers, talks=True).items():
        trained = corpus.trained.load_sound()
        shape = trained.mean_shape
        chosen_by = corpus.chosen_by.load_sound(mean_shape=shape)
        best = train_sound(setup, corpus, trained, chosen_by)
        methods = list_methods(best, trained, chosen_by)
        for tested, part in corpus.judged.items():
            clips = part.load_sound(mean_shape=shape)
            where = {"trained on": name, "tested on": tested, "frames": count_valid(clips)}
            rows += [where | row for row in score_methods(methods, clips)]
            targets += [where | row for row in compare(methods, clips)]
            print(*rows[-len(methods) :], sep="\n", file=sys.stderr, flush=True)
    return {"atvg-motion": Table(rows), "atvg-motion-targets": Table(targets)}


def list_methods(best: Path, trained: SoundClips, chosen_by: SoundClips) -> dict[str, Predict]:
    """Windows (n, 28, 12) and a face (68, 2) to landmarks (n, 68, 2), by name."""
    statistics = AlignedStatistics.fit(trained, trained.mean_shape)
    mean = statistics.decode(np.zeros(len(statistics.pcs)))
    model, baseline = open_at_net(best), Judge(trained, chosen_by, statistics)
    return {
        STILL: lambda windows, face: np.repeat(face[None], len(windows), axis=0),
        MEAN: lambda windows, face: np.repeat(mean[None], len(windows), axis=0),
        RIDGE: baseline.predict_ridge,
        AT_NET: functools.partial(model.predict, keep_face=False),
        OWN_FACE: model.predict,
    }


def count_valid(clips: SoundClips) -> int:
    """Measured frames."""
    return int(sum(clip.valid.sum() for clip in clips))


def score_methods(methods: Mapping[str, Predict], clips: SoundClips) -> Iterator[dict[str, Any]]:
    """A row of each, with what it is above ridge regression."""
    made = {name: measure(predict, clips) for name, predict in methods.items()}
    for name, of in made.items():
        beside = subtract(of, made[RIDGE], "ridge's") if name in (AT_NET, OWN_FACE) else {}
        yield {"method": name} | write_scores(score_measured(of) | beside)


def measure(predict: Predict, clips: SoundClips) -> Measured:
    """Of a method on clips, each given its first measured face."""
    parts = [_measure(predict, clip) for clip in clips]
    distance, opening, real = (np.concatenate(x) for x in zip(*parts, strict=True))
    block = round(SECONDS * clips.contract.fps)
    return Measured(distance, opening, real, [len(part[0]) for part in parts], block)


def _measure(predict: Predict, clip: SoundClip) -> tuple[Floats, ...]:
    pred = np.asarray(predict(clip.windows, take_face(clip)))[clip.valid]
    real = clip.points[clip.valid]
    openings = (measure_opening(points) for points in (pred, real))
    return measure_lmd_mouth68(pred, real), *(opening - opening.mean() for opening in openings)


def compare(methods: Mapping[str, Predict], clips: SoundClips) -> Iterator[dict[str, Any]]:
    """Whether AT-net is better than ridge regression: the differences' intervals, beside 0."""
    away = subtract(*(measure(methods[name], clips) for name in (AT_NET, RIDGE)), "ridge's")
    lmd, opening = (away[f"{name} over ridge's"] for name in (LMD, OPENING))
    yield judge(f"{LMD} over ridge's: top of the interval", 0.0, _end(lmd, top=True))
    yield judge(
        f"{OPENING} over ridge's: bottom of the interval", 0.0, _end(opening, top=False), most=False
    )


def _end(interval: Interval, *, top: bool) -> float:
    end = interval.high if top else interval.low
    return np.nan if end is None else end
