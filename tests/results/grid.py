"""One man's sentences: a mouth from speech, by features and by how much speech was learnt from.

A tenth of the sentences judges, another chooses penalties and epochs; of the rest a sixteenth, a
quarter and all are learnt from, each holding the ones before. Ridge regression sees windows of 16
frames padded as the networks' are, and FACIAL-GAN the same scores of the same sentences.

Legend: n frames of a sentence, d numbers of a frame of a feature.
"""

import dataclasses
import hashlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.accuracy.ridge import MAX_NUMBERS, fit_reduction
from tests.accuracy.sound import Pcm, compute_mel
from tests.accuracy.speech_features import MEL, open_whisper
from tests.results.heard import SHIPPED, Heard, list_heard
from tests.results.people import find_real
from tests.results.runs import plan_base, read_epochs, train_parts
from tests.results.setup import Setup, Table
from toolkit.dataset.manifest import read_table
from toolkit.dataset.rows import measure_opening_ratio
from toolkit.facemodel.model import load_default
from toolkit.ingest import ingest
from toolkit.ingest.options import IngestOptions
from toolkit.storage import hash_file
from toolkit.weights import locate
from zoo.data import EXPRESSION, ClipSet, MotionClip
from zoo.data.source import select_clips
from zoo.evaluation.rescore import rescore_dataset
from zoo.evaluation.tables import write_interval
from zoo.metrics.baselines import PENALTIES, Ridge, RidgeSums
from zoo.metrics.intervals import bootstrap_interval
from zoo.metrics.mouth import correlate, place_mouth
from zoo.models.facial.model import open_facial_gan
from zoo.motion.blink_rate import MODEL
from zoo.training.loop import BEST

SENTENCES = "osalinasv_lipnet/grid_s1"
"""GRID's speaker s1, from the folder of real data."""

SHARES = (16, 4, 1)
"""One in so many sentences of those there are to learn from."""

OPENING, MOUTH = slice(0, 1), slice(1, 41)
"""Of the 41 numbers of a mouth: inner lips over the eyes' distance; 20 points by `place_mouth`."""

Floats = npt.NDArray[np.float64]
Frames = Mapping[str, npt.NDArray[Any]]
"""Sentence -> its frames: (n, d) of a feature, or (n, 41) mouths."""

Rows = list[dict[str, Any]]


@dataclass(frozen=True, eq=False, kw_only=True)
class Sentence:
    """A clip of one sentence.

    Attributes:
        name: of the video.
        clip: its motion; the scores in it are of the shipped network.
        pcm: (S,) int16 at 16 kHz.
        identity: (80,) coefficients of the face.
        mouth: (n, 41) of its landmarks; NaN in frames that are not `valid`.
    """

    name: str
    clip: MotionClip
    pcm: Pcm
    identity: Floats
    mouth: Floats

    @property
    def id(self) -> str:
        """The clip's."""
        return self.clip.id


@dataclass(frozen=True)
class Parts:
    """What is learnt from, in the order in which it is taken, what chooses and what judges."""

    trained: Sequence[Sentence]
    chosen_by: Sequence[Sentence]
    judged: Sequence[Sentence]

    def take(self, share: int) -> "Parts":
        """With one in `share` of the sentences to learn from."""
        return dataclasses.replace(self, trained=self.trained[: len(self.trained) // share])


def run_grid(setup: Setup) -> dict[str, Table]:
    """Mouths of sentences that were not learnt from, from more and more that were."""
    dataset = ingest_sentences(setup)
    shipped = rescore(setup, dataset)
    heard = list_heard(setup, shipped, with_states=open_whisper() is not None)
    names = [PurePath(source).stem for source in read_table(dataset, "sources")["source"]]
    parts = divide(load_sentences(shipped), names)
    rows = list(score_baselines(parts))
    for name, frames in compute_features(parts, heard):
        rows += score_ridges(parts, name, frames)
    for features in heard:
        rows += score_facial(setup, parts, features)
    return {"grid-curve": Table(rows)}


# --- sentences ----------------------------------------------------------------------------------


def ingest_sentences(setup: Setup) -> Path:
    """The dataset of the sentences, without scores; ingested unless it is there."""
    out = setup.out / "grid"
    if not (out / "ingested").is_file():
        options = IngestOptions(frame_size=0, min_frames=27, deepspeech="none")
        videos = sorted(find_real(SENTENCES).glob("*.mkv"))[: setup.sentences]
        ingest(videos, options, out=out, workers=1)
        (out / "ingested").touch()
    return out


def rescore(setup: Setup, dataset: Path) -> Path:
    """A copy with the shipped network's scores, and Whisper's states where they can be had."""
    with_states = open_whisper() is not None
    digest = hash_file(locate("deepspeech_small"))
    out = setup.out / f"grid-{digest[:8]}{'-states' if with_states else ''}"
    rescore_dataset(dataset, out, with_states=with_states)
    return out


def load_sentences(dataset: Path) -> list[Sentence]:
    """All clips of a dataset."""
    clips = {clip.id: clip for clip in Heard(SHIPPED, dataset).load(min_frames=1)}
    return [
        Sentence(
            name=PurePath(part.clip.source).stem,
            clip=clips[part.clip.id],
            pcm=part.reader.read("audio/pcm", part.index),
            identity=part.reader.read("clips/identity_coefficients", part.index),
            mouth=_measure(part.read("face/landmarks"), clips[part.clip.id].valid),
        )
        for part in select_clips(dataset)
    ]


def _measure(landmarks: npt.NDArray[Any], valid: npt.NDArray[np.bool_] | None = None) -> Floats:
    """(n, 41) mouths of landmarks (n, 468 or 478, 3); NaN where not `valid`."""
    opening = measure_opening_ratio(landmarks)[:, None]
    mouth = np.hstack([opening, place_mouth(landmarks).reshape(len(opening), -1)])
    if valid is not None:
        mouth[~valid] = np.nan
    return mouth


def divide(sentences: Iterable[Sentence], names: Iterable[str]) -> Parts:
    """By the digests of the names of all sentences, those too that gave no clip."""
    place, tenth = place_sentences(names)
    ordered = sorted(sentences, key=lambda sentence: (place[sentence.name], sentence.id))
    judged, chosen_by, trained = list[Sentence](), list[Sentence](), list[Sentence]()
    for sentence in ordered:
        tenths = place[sentence.name] // tenth
        (judged, chosen_by, trained)[min(tenths, 2)].append(sentence)
    return Parts(trained, chosen_by, judged)


def place_sentences(names: Iterable[str]) -> tuple[dict[str, int], int]:
    """Name -> place in the order of digests, and how many are a tenth."""
    order = sorted(names, key=lambda name: hashlib.sha256(name.encode()).hexdigest())
    return {name: k for k, name in enumerate(order)}, len(order) // 10


# --- scores -------------------------------------------------------------------------------------


def score_baselines(parts: Parts) -> Iterator[dict[str, Any]]:
    """The mean mouth, and what the face model draws of the sentences' own expression."""
    mean = np.nanmean(np.concatenate([s.mouth for s in parts.trained]), axis=0)
    still = {s.id: np.tile(mean, (len(s.mouth), 1)) for s in parts.judged}
    own = draw_mouths(parts, {s.id: s.clip.motion[:, EXPRESSION] for s in parts.judged})
    yield _make_row("mean mouth", "", parts, still, "") | {"opening, r": "–"}
    yield _make_row("its own expression", "", parts, own, "")


def _make_row(
    method: str, features: str, parts: Parts, mouths: Frames, chosen: str
) -> dict[str, Any]:
    row = {"method": method, "features": features, "sentences": len(parts.trained)}
    row |= score_mouths(mouths, parts.judged) | {"chosen": chosen}
    print(row, file=sys.stderr, flush=True)
    return row


def score_mouths(mouths: Frames, judged: Sequence[Sentence]) -> dict[str, Any]:
    """Figures of (n, 41) mouths over frames that are measured; intervals by whole sentences."""
    valid = [np.isfinite(s.mouth[:, 0]) for s in judged]
    pred = np.concatenate([mouths[s.id][keep] for s, keep in zip(judged, valid, strict=True)])
    true = np.concatenate([s.mouth[keep] for s, keep in zip(judged, valid, strict=True)])
    points = (pred[:, MOUTH] - true[:, MOUTH]).reshape(len(true), -1, 2)
    distance = 100 * np.linalg.norm(points, axis=2).mean(axis=1)
    statistics: dict[str, Callable[[npt.NDArray[np.int64]], float]] = {
        "opening, r": lambda rows: correlate(pred[rows, 0], true[rows, 0]),
        "lips, % of the eyes' distance": lambda rows: float(distance[rows].mean()),
    }
    lengths = [int(keep.sum()) for keep in valid]
    return {
        name: write_interval(bootstrap_interval(statistic, lengths, block=max(lengths)))
        for name, statistic in statistics.items()
    }


# --- ridge regression ---------------------------------------------------------------------------


def compute_features(parts: Parts, heard: Iterable[Heard]) -> Iterator[tuple[str, Frames]]:
    """Names and frames of all sentences: what is stored, and log-mel."""
    for features in heard:
        yield features.name, {clip.id: clip.audio for clip in features.load(min_frames=1)}
    sentences = [*parts.trained, *parts.chosen_by, *parts.judged]
    yield MEL, {s.id: compute_mel(s.pcm, s.clip.num_frames, s.clip.fps) for s in sentences}


def score_ridges(parts: Parts, name: str, frames: Frames) -> Iterator[dict[str, Any]]:
    """A row for each share of the sentences to learn from."""
    for part in map(parts.take, SHARES):
        opening, mouth, normalise = fit_ridges(part, frames)
        made = {}
        for s in part.judged:
            audio = normalise(frames[s.id])
            made[s.id] = np.hstack(
                [opening.predict(audio)[:, OPENING], mouth.predict(audio)[:, MOUTH]]
            )
        penalties = f"penalties {opening.penalty:g}, {mouth.penalty:g}"
        yield _make_row("ridge", name, part, made, penalties)


def fit_ridges(
    parts: Parts, frames: Frames
) -> tuple[Ridge, Ridge, Callable[[npt.NDArray[Any]], Floats]]:
    """The ridge that is best for the opening, that for the points, and what frames become first."""
    normalise = fit_scale(np.concatenate([frames[s.id] for s in parts.trained]))
    sums = RidgeSums()
    for s in parts.trained:
        sums.add(normalise(frames[s.id]), s.mouth)
    ridges = [sums.solve(penalty) for penalty in PENALTIES]
    errors = np.zeros((len(ridges), 41))
    for s in parts.chosen_by:
        audio = normalise(frames[s.id])
        errors += [np.nansum((ridge.predict(audio) - s.mouth) ** 2, axis=0) for ridge in ridges]
    opening, mouth = (ridges[errors[:, of].sum(1).argmin()] for of in (OPENING, MOUTH))
    return opening, mouth, normalise


def fit_scale(frames: npt.NDArray[Any]) -> Callable[[npt.NDArray[Any]], Floats]:
    """Less the mean and over the deviation of (N, d); of many numbers the principal components."""
    frames = frames.astype(np.float64)
    if frames.shape[1] > MAX_NUMBERS:
        return fit_reduction(frames).apply
    mean, scale = frames.mean(0), np.maximum(frames.std(0), 1e-9)
    return lambda part: np.asarray((part - mean) / scale, np.float64)


# --- FACIAL-GAN ---------------------------------------------------------------------------------


def score_facial(setup: Setup, parts: Parts, heard: Heard) -> Iterator[dict[str, Any]]:
    """A row for each share, all trained for as many steps."""
    clips = heard.load(min_frames=1)
    for share, part in ((share, parts.take(share)) for share in SHARES):
        epochs = setup.grid_epochs * share
        recipe = plan_base(
            setup,
            heard.dataset,
            epochs=epochs,
            batch_size=setup.grid_batch_size,
            speech_features=heard.speech_features,
        )
        out = setup.out / f"{heard.label}-facial-{len(part.trained)}"
        train_parts(recipe, _pick(clips, part.trained), _pick(clips, part.chosen_by), out)
        model = open_facial_gan(out / BEST)
        motions = {
            clip.id: model.generate(
                clip.audio, identity=clip.identity, blink_rate=MODEL, map_head=False
            )
            for clip in _pick(clips, part.judged)
        }
        made = draw_mouths(part, {k: motion[:, EXPRESSION] for k, motion in motions.items()})
        best = int(np.argmin(read_epochs(out, "score", "validation"))) + 1
        yield _make_row("FACIAL-GAN", heard.name, part, made, f"epoch {best} of {epochs}")


def _pick(clips: ClipSet, sentences: Sequence[Sentence]) -> ClipSet:
    ids = {sentence.id for sentence in sentences}
    return dataclasses.replace(clips, clips=tuple(clip for clip in clips if clip.id in ids))


def draw_mouths(parts: Parts, expressions: Frames) -> dict[str, Floats]:
    """(n, 41) mouths of expressions (n, 64), drawn by the face model with the man's identity.

    The drawn points differ from the landmarks by a constant, as a frontal drawing does from a
    picture; it is learnt from the training sentences' own expressions.
    """
    identity = np.mean([s.identity for s in parts.trained], axis=0)

    def draw(expression: npt.NDArray[Any]) -> Floats:
        return _measure(load_default().shape(identity, expression).astype(np.float32))

    pairs = [(s.mouth, draw(s.clip.motion[:, EXPRESSION])) for s in parts.trained]
    offset = np.nanmean(np.concatenate([true - drawn for true, drawn in pairs]), axis=0)
    return {name: draw(expression) + offset for name, expression in expressions.items()}
