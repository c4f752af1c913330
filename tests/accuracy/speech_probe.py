"""What speech features tell about the mouth: a ridge probe from a window of them to its opening.

A probe is fitted on a clip's clean sound and judged on blocks of the clip that it was not fitted
on, clean or noisy: the noise is added to the whole sound before any feature is computed, and no
fit ever sees it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from tests.accuracy.real import RealClip
from tests.accuracy.ridge import measure_fit, predict_blocks
from tests.accuracy.sound import (
    WINDOW,
    Pcm,
    compute_mel,
    compute_mfcc,
    make_babble,
    make_pink,
    make_windows,
    mix,
    rescale,
)
from toolkit.dataset.rows import measure_opening_ratio
from toolkit.features.deepspeech import (
    DeepSpeechNetwork,
    infer_scores,
    interpolate_scores,
    load_network,
)
from toolkit.media.audio import read_sound
from toolkit.storage import write_whole
from zoo.data.transcripts import read_transcripts

Floats = npt.NDArray[np.float64]

CLEAN = "clean"
LEVELS = (30, 25, 20, 15, 10, 5, 0)
"""dB of speech over noise."""

NOISES = ("pink noise", "babble")
NUM_VOICES = 6

OURS, MEL, MFCC = "ours", "log-mel", "MFCC"
RESCALED = {MEL: "log-mel, rescaled", MFCC: "MFCC, rescaled"}
"""The same, each number brought to the mean and deviation that it has in the clean recording: what
standardising every recording by itself would give."""

FEATURES = (OURS, MEL, MFCC, *RESCALED.values())

SHOWN = (CLEAN, *((noise, level) for noise in NOISES for level in (10, 0)))
"""Conditions of the probe's table."""


GUESS = "mean opening"
STYLES = {
    OURS: "C3o-",
    MEL: "C0s-",
    MFCC: "C2^-",
    RESCALED[MEL]: "C0s:",
    RESCALED[MFCC]: "C2^:",
    GUESS: "k--",
}
"""Lines of the figure."""


@dataclass(frozen=True)
class Result:
    """A clip's mouth, and what each probe took it for.

    Attributes:
        name: of the video.
        true: (n,) inner lips' distance over the eyes' distance.
        found: (feature, condition) -> (n,); a condition is `CLEAN` or (noise, dB).
    """

    name: str
    true: Floats
    found: Mapping[tuple[str, Any], Floats]


# --- probing ------------------------------------------------------------------------------------


def probe_clips(clips: Iterable[RealClip], folder: Path, weights: Path) -> list[Result]:
    """Every feature in every condition, on every clip."""
    network, voices = load_network(weights), read_voices(folder / "speech")
    return [probe_clip(clip, network, voices) for clip in clips]


def read_voices(folder: Path) -> list[Pcm]:
    """The longest test utterance of so many speakers: voices that no network was trained on."""
    rows = [row for row in read_transcripts(folder) if row.split == "test"]
    best: dict[str, Any] = {}
    for row in rows:
        if row.speaker not in best or len(row.text) > len(best[row.speaker].text):
            best[row.speaker] = row
    longest = sorted(best.values(), key=lambda row: (-len(row.text), row.speaker))
    return [read_sound(row.path) for row in longest[:NUM_VOICES]]


def probe_clip(clip: RealClip, network: DeepSpeechNetwork, voices: Sequence[Pcm]) -> Result:
    """Fit on the clip's clean sound, judge in every condition."""
    pcm = np.asarray(clip.read("audio/pcm"), np.int16)
    opening = measure_opening_ratio(np.asarray(clip.read("face/landmarks"), np.float32))
    true = opening[WINDOW // 2 : WINDOW // 2 + len(opening) - WINDOW + 1]
    sounds: dict[Any, Pcm] = {CLEAN: pcm}
    noises = {
        "pink noise": make_pink(len(pcm)),
        "babble": make_babble(voices, len(pcm)),
    }
    for name in NOISES:
        sounds |= {(name, level): mix(pcm, noises[name], level) for level in LEVELS}
    heard = {
        condition: compute_features(network, sound, clip.num_frames, clip.fps)
        for condition, sound in sounds.items()
    }
    found: dict[tuple[str, Any], Floats] = {}
    for feature in (OURS, MEL, MFCC):
        found |= _probe_feature(feature, {c: f[feature] for c, f in heard.items()}, true)
    return Result(clip.name, true, found)


def _probe_feature(
    feature: str, heard: Mapping[Any, Floats], true: Floats
) -> dict[tuple[str, Any], Floats]:
    """(feature, condition) -> (n,) predictions, by one fit; rescaled too where that is asked."""
    frames = {(feature, condition): values for condition, values in heard.items()}
    if feature in RESCALED:
        frames |= {(RESCALED[feature], c): rescale(f, heard[CLEAN]) for c, f in heard.items()}
    windows = {key: make_windows(values) for key, values in frames.items()}
    return predict_blocks(windows[feature, CLEAN], true, windows, gap=WINDOW)


def compute_features(
    network: DeepSpeechNetwork, pcm: Pcm, num_frames: int, fps: int
) -> dict[str, Floats]:
    """Feature -> (n, d) frames on the clock."""
    scores = interpolate_scores(infer_scores(network, pcm), num_frames, fps, network.delay)
    mel = compute_mel(pcm, num_frames, fps)
    return {OURS: scores.astype(np.float64), MEL: mel, MFCC: compute_mfcc(mel)}


# --- tables -------------------------------------------------------------------------------------


def tabulate_fits(results: Sequence[Result]) -> list[dict[str, Any]]:
    """R² and correlation of each clip and feature in the conditions `SHOWN`; means last."""
    rows = []
    for name in (*(result.name for result in results), "mean"):
        chosen = [result for result in results if name in (result.name, "mean")]
        for feature in FEATURES:
            row: dict[str, Any] = {"clip": name, "features": feature}
            for condition in SHOWN:
                fits = [measure_fit(r.found[feature, condition], r.true) for r in chosen]
                label = _name_condition(condition)
                row[f"{label}: R²"], row["r, " + label] = np.mean(fits, axis=0).tolist()
            rows.append(row)
    return rows


def _name_condition(condition: Any) -> str:
    return condition if condition == CLEAN else f"{condition[0]} {condition[1]} dB"


def measure_error(results: Sequence[Result], feature: str, condition: Any) -> float:
    """Mean absolute error, per cent of the distance between the eyes, mean over the clips."""
    errors = [np.abs(r.found[feature, condition] - r.true).mean() for r in results]
    return 100 * float(np.mean(errors))


def tabulate_errors(results: Sequence[Result]) -> list[dict[str, Any]]:
    """`measure_error` by noise, level and feature; without a probe: the mean opening as a guess."""
    guess = 100 * float(np.mean([np.abs(r.true - r.true.mean()).mean() for r in results]))
    rows = []
    for noise in NOISES:
        for level in (CLEAN, *LEVELS):
            condition = CLEAN if level == CLEAN else (noise, level)
            errors = {name: measure_error(results, name, condition) for name in FEATURES}
            rows.append({"noise": noise, "dB": level, **errors, GUESS: guess})
    return rows


def draw_errors(rows: Sequence[Mapping[str, Any]], target: Path) -> None:
    """The table of errors as a picture: one panel for each noise, clean on the left."""
    figure = Figure(figsize=(9, 3.4), dpi=110)
    for axes, noise in zip(figure.subplots(1, 2, sharey=True), NOISES, strict=True):
        chosen = [row for row in rows if row["noise"] == noise]
        for feature, style in STYLES.items():
            axes.plot([row[feature] for row in chosen], style, label=feature, markersize=4)
        axes.set_xticks(range(len(chosen)), [str(row["dB"]) for row in chosen])
        axes.set_xlabel(f"speech over {noise}, dB", fontsize=9)
        axes.set_ylim(0.6 * chosen[0][GUESS], 1.6 * chosen[0][GUESS])
        axes.tick_params(labelsize=8)
        axes.grid(alpha=0.3)
    figure.axes[0].set_ylabel("mean error of the opening,\n% of the eyes' distance", fontsize=9)
    figure.axes[0].legend(fontsize=7, loc="upper left")
    figure.tight_layout()
    with write_whole(target) as temporary:
        figure.savefig(temporary, format="png")
