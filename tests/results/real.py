"""Real clips: base on all, fine-tuned on the longest one-person video, judged on blocks in time.

The video is cut into folds. Each in turn is judged by models that have not seen it: a base model
trained on all other clips and on the rest of the video, then fine-tuned on that rest. The next
fold chooses the epoch and the ridge's penalty and no model is trained on it. A window's
length on both sides of what is left out is not used at all.
"""

import dataclasses
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from tests.accuracy.real import find_data, ingest_real
from tests.accuracy.speech_features import open_whisper
from tests.results.heard import Heard, list_heard
from tests.results.runs import plan_base, plan_finetuning, read_epochs, train_parts
from tests.results.scoring import REAL, Contest
from tests.results.setup import MissingDataError, Setup, Table
from zoo.data import WINDOW, ClipSet, MotionClip
from zoo.evaluation.motion import Method, Motion, make_baselines
from zoo.models.facial.model import open_facial_gan
from zoo.motion.blink_rate import MODEL, PERSON
from zoo.motion.model import MotionModel
from zoo.training.loop import BEST

CONSTANT = "constant"
"""Of the baselines the one that hears nothing."""

LONGEST = "cnn2_25fps"
"""Identity of the longest video of one person."""


@dataclass(frozen=True)
class Fold:
    """One round.

    Attributes:
        everyone: clips that the base model is trained on.
        person: those of the longest video that fine-tuning goes on with.
        chosen_by: the next fold.
        judged: this fold.
    """

    everyone: ClipSet
    person: ClipSet
    chosen_by: ClipSet
    judged: ClipSet


def run_real(setup: Setup, workers: int) -> dict[str, Table]:
    """Scores pooled over the folds, for each kind of speech features."""
    heard = list_heard(setup, ingest_clips(setup.out / "real", workers), with_states=hears_states())
    clips = load_real(heard[0])
    motions: dict[str, dict[str, Motion]] = {}
    judged: list[MotionClip] = []
    for features in heard:
        for number, fold in enumerate(make_folds(load_real(features), setup.folds)):
            models = train_fold(setup, features, fold, number)
            for name, method in list_methods(fold, models).items():
                made = {clip.id: method(clip) for clip in fold.judged}
                motions.setdefault(_name(name, features), {}).update(made)
            judged += fold.judged.clips if features is heard[0] else ()
    methods = {name: _recall(made) for name, made in motions.items()}
    contest = Contest(dataclasses.replace(clips, clips=tuple(judged)), methods)
    shown = [name for name in methods if name not in (REAL, CONSTANT)]
    return {
        "real-clips": Table([describe(clips)]),
        "real-scores": Table(contest.tabulate()),
        "real-blinks": Table(contest.tabulate_blinks(shown)),
    }


def _name(method: str, heard: Heard) -> str:
    """A row's: what hears nothing stands there once."""
    return method if method in (REAL, CONSTANT) else f"{method}, {heard.name}"


def _recall(made: dict[str, Motion]) -> Method:
    return lambda clip: made[clip.id]


def hears_states() -> bool:
    """Whether the extra is here that Whisper's states need."""
    return open_whisper() is not None


def ingest_clips(out: Path, workers: int) -> Path:
    """The dataset of all real videos; ingested unless it is there."""
    folder = find_data()
    if folder is None:
        raise MissingDataError("no real videos (TTK_REAL_DATA)")
    if not (out / "ingested").is_file():
        ingest_real(folder, out, workers, whisper="tiny-en" if hears_states() else "none")
        (out / "ingested").touch()
    return out


def load_real(heard: Heard) -> ClipSet:
    """Clips with a voice of their own, a window long or longer."""
    found = heard.load(min_frames=WINDOW)
    loud = tuple(clip for clip in found if "with_sound" not in clip.source)
    return dataclasses.replace(found, clips=loud)


def describe(clips: ClipSet) -> dict[str, object]:
    """What there is to learn from."""
    longest = [clip for clip in clips if clip.identity == LONGEST]
    return {
        "clips": len(clips),
        "videos": len({clip.source for clip in clips}),
        "seconds": clips.num_frames / clips.fps,
        "seconds of the longest video": sum(clip.num_frames for clip in longest) / clips.fps,
    }


# --- folds --------------------------------------------------------------------------------------


def make_folds(clips: ClipSet, number: int) -> Iterator[Fold]:
    """Rounds over blocks of the longest video, equally long in its own frames."""
    person = sorted((c for c in clips if c.identity == LONGEST), key=lambda c: c.start_frame)
    if not person:
        raise MissingDataError(f"no clip of {LONGEST}")
    others = [clip for clip in clips if clip.identity != LONGEST]
    ends = np.cumsum([0, *(clip.num_frames for clip in person)])
    edges = np.linspace(0, ends[-1], number + 1).round().astype(int)
    blocks = list(zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True))
    for k, block in enumerate(blocks):
        following = blocks[(k + 1) % number]
        taken = np.zeros(ends[-1], bool)
        for first, last in (block, following):
            taken[max(0, first - WINDOW) : last + WINDOW] = True
        rest = list(_cut(person, ~taken))
        parts = [(*others, *rest), rest, _cut_block(person, following), _cut_block(person, block)]
        yield Fold(*(dataclasses.replace(clips, clips=tuple(part)) for part in parts))


def _cut_block(clips: Sequence[MotionClip], block: tuple[int, int]) -> Iterator[MotionClip]:
    """What lies in a block of clips that lie end to end."""
    keep = np.zeros(sum(clip.num_frames for clip in clips), bool)
    keep[slice(*block)] = True
    return _cut(clips, keep)


def _cut(clips: Sequence[MotionClip], keep: npt.NDArray[np.bool_]) -> Iterator[MotionClip]:
    """Stretches of clips that lie end to end, where `keep` is true, a window long or longer."""
    begin = 0
    for clip in clips:
        kept = keep[begin : begin + clip.num_frames]
        edges = np.flatnonzero(np.diff(np.concatenate([[0], kept.astype(int), [0]])))
        for first, last in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
            if last - first >= WINDOW:
                yield dataclasses.replace(
                    clip,
                    id=f"{clip.id}:{first}-{last}",
                    start_frame=clip.start_frame + first,
                    audio=clip.audio[first:last],
                    motion=clip.motion[first:last],
                    valid=clip.valid[first:last],
                )
        begin += clip.num_frames


# --- training -----------------------------------------------------------------------------------


def train_fold(setup: Setup, heard: Heard, fold: Fold, number: int) -> dict[str, MotionModel]:
    """Base and fine-tuned model of a round, trained unless they are there."""
    features = {"speech_features": heard.speech_features}
    base = plan_base(setup, heard.dataset, epochs=setup.real_epochs, **features)
    first = setup.out / f"{heard.label}-base-{number + 1}-of-{setup.folds}"
    train_parts(base, fold.everyone, fold.chosen_by, first)
    tuning = plan_finetuning(setup, heard.dataset, first / BEST, LONGEST, **features)
    second = setup.out / f"{heard.label}-{LONGEST}-{number + 1}-of-{setup.folds}"
    train_parts(tuning, fold.person, fold.chosen_by, second)
    for run in (first, second):
        print(f"{run.name}: {read_epochs(run, 'score', 'validation')}", file=sys.stderr)
    return {"base": open_facial_gan(first / BEST), "fine-tuned": open_facial_gan(second / BEST)}


def list_methods(fold: Fold, models: dict[str, MotionModel]) -> dict[str, Method]:
    """Baselines of the person's own clips, the models, and the real motion.

    Lids are not mapped to the person's but in a row of their own, heads nowhere.
    """

    def speak(model: MotionModel, rate: str = MODEL) -> Method:
        return lambda clip: model.generate(
            clip.audio, identity=clip.identity, blink_rate=rate, map_head=False
        )

    tuned = models["fine-tuned"]
    return {
        **make_baselines(fold.person, fold.chosen_by, tuned.normalisation),
        **{name: speak(model) for name, model in models.items()},
        "fine-tuned, lids mapped": speak(tuned, PERSON),
        REAL: lambda clip: clip.motion,
    }
