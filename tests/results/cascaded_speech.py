"""l-GAN: canonical landmarks from speech, of sentences and of people that it has not learnt from.

Legend: n frames of a clip, K taps of speech around each.
"""

import dataclasses
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.results.cascaded_runs import train_speech
from tests.results.cascaded_subjects import TEST, TRAIN, VAL, ingest_s1, ingest_subjects, make_where
from tests.results.grid import place_sentences
from tests.results.setup import Setup, Table
from zoo.data.landmarks import NUM_TAPS, LandmarkClip, LandmarkClips, load_landmark_clips
from zoo.evaluation.tables import judge, write_interval
from zoo.landmarks.align import measure_opening
from zoo.metrics.intervals import Interval, bootstrap_interval
from zoo.metrics.landmarks import measure_lmd_mouth68
from zoo.metrics.mouth import correlate
from zoo.models.l_gan.judge import Judge, standardise
from zoo.models.l_gan.model import open_l_gan

OTHERS, SENTENCES = "people but GRID's", "s1's sentences"
"""What is trained on."""

PEOPLE, HELD = "held-out people", "s1's held-out sentences"
"""What is tested on."""

NEUTRAL, RIDGE, REGRESSION, L_GAN = "face at rest", "ridge, same window", "no D_L", "l-GAN"

LMD, OPENING = "LMD × 100", "opening, r"

SECONDS = 3.0
"""Of a bootstrap's block."""

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]

Predict = Callable[[npt.NDArray[np.float32]], npt.NDArray[np.floating[Any]]]
"""(n, K, 29) to (n, 68, 2)."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Corpus:
    """What a model learns from, what chooses its epoch, and what it is tested on.

    Attributes:
        label: of its runs' folders.
        dataset: with the shards of what is trained on.
        trained: in whose canonical space all lie.
        chosen_by: other people or sentences.
        judged: by name.
    """

    label: str
    dataset: Path
    trained: LandmarkClips
    chosen_by: LandmarkClips
    judged: Mapping[str, LandmarkClips]


def run_speech(setup: Setup, workers: int) -> dict[str, Table]:
    """Trained on everyone but GRID's people, and on one man's sentences."""
    rows, targets = list[dict[str, Any]](), list[dict[str, Any]]()
    for name, corpus in load_corpora(setup, workers).items():
        methods = train_methods(setup, corpus)
        for tested, clips in corpus.judged.items():
            where = {"trained on": name, "tested on": tested, "frames": count_valid(clips)}
            made = {method: measure(predict, clips) for method, predict in methods.items()}
            scores = {method: score_measured(of) for method, of in made.items()}
            for method, of in scores.items():
                is_learnt = method not in (NEUTRAL, RIDGE)
                beside = subtract(made[method], made[RIDGE], "ridge's") if is_learnt else {}
                rows.append(where | {"method": method} | write_scores(of | beside))
            targets += [where | row for row in compare(scores)]
            print(*rows[-len(scores) :], sep="\n", file=sys.stderr, flush=True)
    return {"cascaded-speech": Table(rows), "cascaded-speech-targets": Table(targets)}


# --- clips --------------------------------------------------------------------------------------


def load_corpora(setup: Setup, workers: int, num_taps: int = NUM_TAPS) -> dict[str, Corpus]:
    """By what is trained on."""
    people, sentences = ingest_subjects(setup, workers), ingest_s1(setup)
    return {
        SENTENCES: load_sentences(sentences, num_taps),
        OTHERS: load_others(people, sentences, num_taps),
    }


def load_others(people: Path, sentences: Path, num_taps: int = NUM_TAPS) -> Corpus:
    """Everyone who talks but GRID's; tested on other people and on s1's held-out sentences."""
    where = make_where(talks=True, grid=False)
    trained = load_landmark_clips(people, split=TRAIN, where=where, num_taps=num_taps)

    def load(dataset: Path, split: str | None, where: str | None) -> LandmarkClips:
        return load_landmark_clips(
            dataset, split=split, where=where, num_taps=num_taps,
            canonical_neutral=trained.canonical_neutral,
        )  # fmt: skip

    return Corpus(
        label="people",
        dataset=people,
        trained=trained,
        chosen_by=load(people, VAL, where),
        judged={
            PEOPLE: load(people, TEST, where),
            HELD: divide_sentences(load(sentences, None, None))[0],
        },
    )


def load_sentences(sentences: Path, num_taps: int = NUM_TAPS) -> Corpus:
    """One man's: a tenth is tested on, another chooses; his face at rest is that of all."""
    clips = load_landmark_clips(sentences, split=None, num_taps=num_taps)
    judged, chosen_by, trained = divide_sentences(clips)
    return Corpus(
        label="s1",
        dataset=sentences,
        trained=trained,
        chosen_by=chosen_by,
        judged={HELD: judged},
    )


def divide_sentences(clips: LandmarkClips) -> list[LandmarkClips]:
    """Those that judge, those that choose, and those that are learnt from: as `grid` has them."""
    names = {clip.id: PurePath(clip.source).stem for clip in clips}
    place, tenth = place_sentences(names.values())
    parts = list[LandmarkClip](), list[LandmarkClip](), list[LandmarkClip]()
    for clip in clips:
        parts[min(place[names[clip.id]] // tenth, 2)].append(clip)
    return [dataclasses.replace(clips, clips=tuple(part)) for part in parts]


# --- methods ------------------------------------------------------------------------------------


def train_methods(setup: Setup, corpus: Corpus) -> dict[str, Predict]:
    """The face at rest, ridge regression, and l-GAN without and with its discriminator."""
    changes = {"epochs": setup.people_epochs if corpus.label == "people" else setup.speech_epochs}
    name = corpus.label
    return {
        **list_baselines(corpus),
        REGRESSION: train_l_gan(setup, corpus, f"{name}-regression", gan_weight=0.0, **changes),
        L_GAN: train_l_gan(setup, corpus, f"{name}-l-gan", **changes),
    }


def list_baselines(corpus: Corpus) -> dict[str, Predict]:
    """What is not trained by steps."""
    neutral = corpus.trained.canonical_neutral
    ridge = Judge(corpus.trained, corpus.chosen_by, *standardise(corpus.trained))
    return {
        NEUTRAL: lambda scores: np.repeat(neutral[None], len(scores), axis=0),
        RIDGE: ridge.predict_ridge,
    }


def train_l_gan(setup: Setup, corpus: Corpus, name: str, **changes: Any) -> Predict:
    """A network's, from its best epoch."""
    best = train_speech(
        setup, corpus.dataset, corpus.trained, corpus.chosen_by, f"speech-{name}", **changes
    )
    return open_l_gan(best).predict


# --- scores -------------------------------------------------------------------------------------


def count_valid(clips: LandmarkClips) -> int:
    """Measured frames."""
    return int(sum(clip.valid.sum() for clip in clips))


@dataclass(frozen=True, eq=False)
class Measured:
    """What a method's landmarks are like in the measured frames of all clips, n in all.

    Openings are correlated within clips, each less its mean there: people's mouths differ at rest.

    Attributes:
        distance: (n,) LMD of the lips.
        opening: (n,) how far the mouth is open, less its mean in the clip.
        real: (n,) how far it really is.
        lengths: frames of each clip.
        block: frames of a block of the bootstrap.
    """

    distance: Floats
    opening: Floats
    real: Floats
    lengths: Sequence[int]
    block: int

    def average(self, rows: Rows) -> float:
        """LMD × 100 over some frames."""
        return float(100 * self.distance[rows].mean())

    def correlate(self, rows: Rows) -> float:
        """R of the opening over some frames."""
        return correlate(self.opening[rows], self.real[rows])

    def bootstrap(self, statistic: Callable[[Rows], float]) -> Interval:
        """Over blocks of 3 s within clips."""
        return bootstrap_interval(statistic, self.lengths, block=self.block)


def measure(predict: Predict, clips: LandmarkClips) -> Measured:
    """Of a method on clips."""
    parts = [_measure(predict, clip) for clip in clips if clip.valid.any()]
    distance, opening, real = (np.concatenate(x) for x in zip(*parts, strict=True))
    lengths = [len(part[0]) for part in parts]
    return Measured(distance, opening, real, lengths, round(SECONDS * clips.fps))


def _measure(predict: Predict, clip: LandmarkClip) -> tuple[Floats, ...]:
    pred = np.asarray(predict(clip.scores))[clip.valid]
    real = clip.canonical[clip.valid]
    openings = (measure_opening(points) for points in (pred, real))
    return measure_lmd_mouth68(pred, real), *(opening - opening.mean() for opening in openings)


def score(predict: Predict, clips: LandmarkClips) -> dict[str, Interval]:
    """Figures over all measured frames, and their intervals."""
    return score_measured(measure(predict, clips))


def score_measured(made: Measured) -> dict[str, Interval]:
    """The same of what is measured already."""
    return {LMD: made.bootstrap(made.average), OPENING: made.bootstrap(made.correlate)}


def subtract(made: Measured, other: Measured, whose: str) -> dict[str, Interval]:
    """By how much figures are above others, `whose`, by the same resamples of both."""
    return {
        f"{LMD} over {whose}": made.bootstrap(lambda r: made.average(r) - other.average(r)),
        f"{OPENING} over {whose}": made.bootstrap(lambda r: made.correlate(r) - other.correlate(r)),
    }


def write_scores(scores: Mapping[str, Interval]) -> dict[str, str]:
    """Cells; no correlation of what does not move."""
    return {
        name: write_interval(interval) if abs(interval.value) > 1e-9 else "–"
        for name, interval in scores.items()
    }


def compare(scores: Mapping[str, Mapping[str, Interval]]) -> Iterator[dict[str, Any]]:
    """What is asked of l-GAN: intervals that lie beyond ridge's."""
    made, ridge = scores[L_GAN], scores[RIDGE]
    low, high = ridge[LMD].low, ridge[OPENING].high
    yield judge(f"{LMD}: top of l-GAN's interval", _known(low), _known(made[LMD].high))
    yield judge(
        f"{OPENING}: bottom of l-GAN's interval",
        _known(high),
        _known(made[OPENING].low),
        most=False,
    )


def _known(end: float | None) -> float:
    return np.nan if end is None else end
