"""How good generated motion is, beside what needs no network.

Every method makes motion for the whole of each clip from its audio, from the identity's rest on;
the truth is not looked at, but for the first frame and mean pose of people the model has not seen.
Legend: n frames of a clip.
"""

import functools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch

from toolkit.dataset.paths import check_name
from toolkit.storage import check_ending, check_place
from zoo.data import (
    AU45,
    EXPRESSION,
    MIN_FRAMES,
    POSE,
    WINDOW,
    ClipSet,
    MotionClip,
    Normalisation,
    load_clips,
)
from zoo.data.contract import make_contract
from zoo.data.source import select_clips
from zoo.evaluation.figures import FORMATS, draw_positions
from zoo.metrics.baselines import choose_ridge, fit_components, fit_constant
from zoo.metrics.blinks import BlinkClip, compare_blinks, measure_blinks
from zoo.metrics.confusion import Confusion, plot_confusion
from zoo.metrics.dynamics import compare_spectra, measure_spectrum
from zoo.metrics.intervals import Interval, bootstrap_interval
from zoo.metrics.mouth import correlate, measure_mouth_error, measure_opening_mm
from zoo.models.registry import open_model
from zoo.motion.model import MotionModel

Motion = npt.NDArray[np.float32]
Method = Callable[[MotionClip], Motion]
"""Motion (n, 71), in stored units, for a clip's audio."""


class StyleJudge(Protocol):
    """What tells whose style motion has: a model of the family `personalization`."""

    def measure(self, clips: Iterable[tuple[str, Motion]], /) -> dict[str, Confusion]:
        """pose, blink -> confusion of windows of (identity, motion (n, 71))."""


BLOCK_SECONDS = 4
"""Blocks of the bootstrap."""


@dataclass(frozen=True, kw_only=True)
class MotionScores:
    """One method's figures over all clips of a part.

    Attributes:
        method: its name.
        expression_error: rms over the 64 coefficients, standard deviations.
        mouth_error: mean distance of the lips' vertices, mm.
        mouth_correlation: of the mouth's opening, pooled over clips less their means.
        spectrum: part -> distance of the velocity spectra, |log10|; `mean` of all.
        pose_range: rotation's deviation within clips over the truth's.
        blink_rate, blink_duration: identity -> found over true, less 1; None: no blink.
        personalization: pose, blink -> share of windows taken for their identity.
        unseen: identities among the clips that the method was not trained on. A model begins their
            clips with the first frame of each and moves about its mean pose.
        by_position: (128,) rms expression error at each frame of a window, 0, 127, … beginning
            anew; fewer where every clip is shorter.
    """

    method: str
    expression_error: Interval
    mouth_error: Interval
    mouth_correlation: Interval
    spectrum: dict[str, float]
    pose_range: float
    blink_rate: dict[str, float | None]
    blink_duration: dict[str, float | None]
    personalization: dict[str, float]
    unseen: list[str]
    by_position: list[float]


def make_baselines(
    trained: ClipSet, chosen_by: ClipSet, normalisation: Normalisation
) -> dict[str, Method]:
    """Best constant of each identity, and per-frame ridge regression, from the training clips."""
    constants = {
        name: fit_constant(clip.motion for clip in trained if clip.identity == name)
        for name in trained.identities
    }
    everyone = fit_constant(clip.motion for clip in trained)
    components = fit_components(normalisation.normalise_audio(clip.audio) for clip in trained)

    def read_audio(clip: MotionClip) -> Motion:
        audio = normalisation.normalise_audio(clip.audio)
        return audio if components is None else audio @ components

    pairs = [
        [(read_audio(clip), normalisation.normalise_motion(clip)) for clip in part]
        for part in (trained, chosen_by)
    ]
    ridge = choose_ridge(*pairs)

    def hold(clip: MotionClip) -> Motion:
        constant = constants.get(clip.identity, everyone)
        return np.tile(constant.astype(np.float32), (clip.num_frames, 1))

    def regress(clip: MotionClip) -> Motion:
        motion = ridge.predict(read_audio(clip))
        mean = constants.get(clip.identity, everyone)[POSE].astype(np.float32)
        deviation = normalisation.pose_deviations.get(clip.identity)
        return normalisation.denormalise_motion(motion.astype(np.float32), mean, deviation)

    return {"constant": hold, "ridge": regress}


def score_motion(
    name: str,
    method: Method,
    clips: ClipSet,
    classifiers: StyleJudge | None = None,
    known: Iterable[str] | None = None,
) -> tuple[MotionScores, dict[str, Confusion]]:
    """A method's figures over clips, and the confusions of the personalisation classifiers.

    Args:
        name: of the method.
        method: what is measured.
        clips: the real motion.
        classifiers: tell whose style it is.
        known: identities that the method was trained on; None: it needs no training.
    """
    truth = list(clips)
    made = [method(clip) for clip in truth]
    labelled = [(clip.identity, motion) for clip, motion in zip(truth, made, strict=True)]
    confusions = classifiers.measure(labelled) if classifiers else {}
    spectra = [
        measure_spectrum(motions, clips.fps, [clip.valid for clip in truth])
        for motions in (made, [clip.motion for clip in truth])
    ]
    blinks = [
        measure_blinks(
            (
                BlinkClip(c.identity, m[:, AU45.start], c.valid)
                for c, m in zip(truth, of, strict=True)
            ),
            clips.fps,
        )
        for of in (made, [clip.motion for clip in truth])
    ]
    compared = compare_blinks(*blinks)
    scores = MotionScores(
        method=name,
        **_measure_errors(made, truth, clips.fps),
        spectrum=compare_spectra(*spectra),
        pose_range=_spread(made) / max(_spread([clip.motion for clip in truth]), 1e-9),
        blink_rate={identity: error.rate for identity, error in compared.items()},
        blink_duration={identity: error.duration for identity, error in compared.items()},
        personalization={style: found.accuracy for style, found in confusions.items()},
        unseen=[] if known is None else sorted(set(clips.identities) - set(known)),
        by_position=_measure_by_position(made, truth),
    )
    return scores, confusions


def _measure_errors(
    made: Sequence[Motion], truth: Sequence[MotionClip], fps: int
) -> dict[str, Interval]:
    """Errors of valid frames, each with its 95 % interval."""
    valid = [clip.valid for clip in truth]
    pairs = [
        (motion[keep][:, EXPRESSION], clip.motion[keep][:, EXPRESSION])
        for motion, clip, keep in zip(made, truth, valid, strict=True)
    ]
    squares = np.concatenate([((f - w) ** 2).mean(axis=1) for f, w in pairs])
    distances = np.concatenate([measure_mouth_error(f, w) for f, w in pairs])
    opening = [
        np.concatenate([(o := measure_opening_mm(pair[side])) - o.mean() for pair in pairs])
        for side in (0, 1)
    ]
    lengths, block = [int(keep.sum()) for keep in valid], BLOCK_SECONDS * fps
    statistics: dict[str, Callable[[npt.NDArray[np.int64]], float]] = {
        "expression_error": lambda frames: math.sqrt(float(squares[frames].mean())),
        "mouth_error": lambda frames: float(distances[frames].mean()),
        "mouth_correlation": lambda frames: correlate(opening[0][frames], opening[1][frames]),
    }
    return {
        name: bootstrap_interval(statistic, lengths, block=block)
        for name, statistic in statistics.items()
    }


def _spread(motions: Sequence[Motion]) -> float:
    """Deviation of pitch, yaw and roll within clips, rad."""
    rotations = [motion[:, POSE.start : POSE.start + 3] for motion in motions]
    return math.sqrt(float(np.concatenate([(r - r.mean(axis=0)) ** 2 for r in rotations]).mean()))


def _measure_by_position(made: Sequence[Motion], truth: Sequence[MotionClip]) -> list[float]:
    step = WINDOW - 1
    errors = [
        ((motion - clip.motion)[first : first + WINDOW, EXPRESSION] ** 2).mean(axis=1)
        for motion, clip in zip(made, truth, strict=True)
        for first in range(0, max(clip.num_frames - WINDOW, 0) + 1, step)
    ]
    longest = max(map(len, errors))
    counts = [sum(len(error) > t for error in errors) for t in range(longest)]
    padded = [np.pad(error, (0, longest - len(error))) for error in errors]
    squares = np.sum(padded, axis=0) / np.array(counts, np.float32)
    return [float(value) for value in np.sqrt(squares)]


def _find_model(model: str, identity: str, shards: Path) -> Path:
    if "{identity}" not in model:
        return Path(model)
    return Path(model.replace("{identity}", check_name(identity, shards)))


def _list_people(shards: Path, split: str) -> list[str]:
    """Identities of the clips that are scored; all, where none is long enough."""
    parts = select_clips(shards, split=split)
    long = [part for part in parts if part.last - part.first >= MIN_FRAMES]
    return sorted({part.clip.identity for part in long or parts})


def evaluate_part(
    model: str,
    shards: Path,
    split: str,
    *,
    classifiers: Path | None = None,
    device: torch.device | str = "cpu",
    plot: Path | None = None,
) -> list[MotionScores]:
    """Scores of a model, of the baselines and of the real motion on a part of the split.

    Args:
        model: a checkpoint; `{identity}` in it stands for each clip's identity.
        shards: the dataset's.
        split: `train`, `val` or `test`.
        classifiers: of personal style, trained on real motion.
        device: where the generator runs.
        plot: a picture to draw: the confusions of personal style or, without classifiers, the
            error at each frame of a window.

    Raises:
        ToolkitError: a checkpoint is missing, or trained on data of another kind; an identity that
            `{identity}` would make a path of.
        ValueError: the picture's name has none of the endings `FORMATS`.
    """
    if plot is not None:
        check_ending(plot, FORMATS)
        check_place(plot)
    paths = {name: _find_model(model, name, shards) for name in _list_people(shards, split)}
    models: dict[Path, MotionModel] = {
        path: open_model(path, device, makes="motion") for path in sorted({*paths.values()})
    }
    first = next(iter(models.values()))
    load = functools.partial(load_clips, shards, speech_features=first.contract.speech_features)
    clips = load(split=split)
    for trained in models.values():
        trained.contract.refuse_others(make_contract(clips), str(shards))
    trained_on, chosen_by = (load(split=part) for part in ("train", "val"))

    def speak(clip: MotionClip) -> Motion:
        chosen = models[paths[clip.identity]]
        if clip.identity in known["model"]:
            return chosen.generate(clip.audio, identity=clip.identity)
        return chosen.generate(clip.audio, initial=clip)  # their rest pose is unknown

    known = dict.fromkeys(("constant", "ridge"), trained_on.identities)
    known["model"] = tuple(
        name for name, path in paths.items() if name in models[path].normalisation.pose_means
    )
    baselines = make_baselines(trained_on, chosen_by, first.normalisation)
    methods: dict[str, Method] = {"model": speak, **baselines, "real": lambda clip: clip.motion}
    judges = open_model(classifiers, makes="identities") if classifiers else None
    results = {
        name: score_motion(name, of, clips, judges, known.get(name)) for name, of in methods.items()
    }
    scores = [found for found, _ in results.values()]
    if plot is not None and judges is None:
        draw_positions({s.method: s.by_position for s in scores if s.method != "real"}, plot)
    elif plot is not None:
        plot_confusion(_list_confusions(results), plot)
    return scores


def _list_confusions(
    results: Mapping[str, tuple[MotionScores, Mapping[str, Confusion]]],
) -> dict[str, Confusion]:
    """Title -> confusion, of the real and the generated motion by each style."""
    return {
        f"{name}, {style}": found
        for name in ("real", "model")
        for style, found in results[name][1].items()
    }
