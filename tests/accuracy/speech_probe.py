"""What speech features tell about the mouth: a ridge probe from a window of them to its opening.

A probe is fitted on a clip's clean sound and judged on blocks of the clip that it was not fitted
on, clean or noisy: the noise is added to the whole sound before any feature is computed, and no
fit ever sees it.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from tests.accuracy.people import find_person
from tests.accuracy.real import SENTENCES, RealClip
from tests.accuracy.ridge import list_rows, measure_fit, predict_blocks
from tests.accuracy.sound import WINDOW, Pcm, make_babble, make_pink, mix, rescale
from tests.accuracy.speech_features import (
    MEL,
    MFCC,
    OURS,
    OURS_BANDS,
    STATES,
    TEACHER,
    TEACHER_BANDS,
    Feature,
)
from toolkit.dataset.rows import measure_opening_ratio
from toolkit.media.audio import read_sound
from toolkit.storage import write_whole
from zoo.data.transcripts import read_transcripts

Floats = npt.NDArray[np.float64]

CLEAN = "clean"
LEVELS = (30, 25, 20, 15, 10, 5, 0)
"""dB of speech over noise."""

NOISES = ("pink noise", "babble")
NUM_VOICES = 6

RESCALED = {MEL: "log-mel, rescaled", MFCC: "MFCC, rescaled"}
"""The same, each number brought to the mean and deviation that it has in the clean recording: what
standardising every recording by itself would give."""

SHOWN = (CLEAN, *((noise, level) for noise in NOISES for level in (10, 0)))
"""Conditions of the probe's table."""


GUESS = "mean opening"
STYLES = {
    OURS: "C3o-",
    MEL: "C0s-",
    MFCC: "C2^-",
    RESCALED[MEL]: "C0s:",
    RESCALED[MFCC]: "C2^:",
    OURS_BANDS: "C3o:",
    STATES: "C1D-",
    TEACHER: "C4v-",
    TEACHER_BANDS: "C4v:",
    GUESS: "k--",
}
"""Lines of the figure."""


@dataclass(frozen=True)
class Case:
    """What one probe is fitted and judged on: recordings of one person.

    Attributes:
        name: of the video or folder.
        person: who it is; several cases may be of one.
        clips: one, judged by blocks of time; or several, judged whole.
    """

    name: str
    person: str
    clips: Sequence[RealClip]

    @property
    def longest(self) -> RealClip:
        """Its longest clip."""
        return max(self.clips, key=lambda clip: clip.num_frames)


@dataclass(frozen=True)
class Result:
    """The mouth of a case, and what each probe took it for.

    Attributes:
        name: of the case.
        person: who it is.
        true: (n,) inner lips' distance over the eyes' distance.
        found: (feature, condition) -> (n,); a condition is `CLEAN` or (noise, dB).
    """

    name: str
    person: str
    true: Floats
    found: Mapping[tuple[str, Any], Floats]

    @property
    def features(self) -> list[str]:
        """Their names, in order."""
        return list(dict.fromkeys(feature for feature, _ in self.found))


# --- probing ------------------------------------------------------------------------------------


def list_cases(clips: Sequence[RealClip], sentences: Sequence[RealClip]) -> list[Case]:
    """Each talking video is a case, and all sentences together are one."""
    cases = []
    for name in dict.fromkeys(clip.name for clip in clips):
        chosen = [clip for clip in clips if clip.name == name]
        cases.append(Case(name, find_person(name) or name, chosen))
    if sentences:
        cases.append(Case(f"{SENTENCES}, {len(sentences)} sentences", SENTENCES, sentences))
    return cases


def read_voices(folder: Path) -> list[Pcm]:
    """The longest test utterance of so many speakers: voices that no network was trained on."""
    rows = [row for row in read_transcripts(folder) if row.split == "test"]
    best: dict[str, Any] = {}
    for row in rows:
        if row.speaker not in best or len(row.text) > len(best[row.speaker].text):
            best[row.speaker] = row
    longest = sorted(best.values(), key=lambda row: (-len(row.text), row.speaker))
    return [read_sound(row.path) for row in longest[:NUM_VOICES]]


def probe_case(case: Case, features: Mapping[str, Feature], voices: Sequence[Pcm]) -> Result:
    """Fit on the case's clean sound, judge in every condition."""
    rows = list_rows([clip.num_frames for clip in case.clips])
    true = np.concatenate([read_opening(clip) for clip in case.clips])
    true = true[rows.starts + WINDOW // 2]
    sounds = make_sounds([read_pcm(clip) for clip in case.clips], voices)
    found: dict[tuple[str, Any], Floats] = {}
    heard = hear(case, features, sounds)
    for name in features:
        names = (name, RESCALED.get(name))
        chosen = {key: frames for key, frames in heard.items() if key[0] in names}
        found |= predict_blocks(chosen, (name, CLEAN), true, rows)
    return Result(case.name, case.person, true, found)


def read_pcm(clip: RealClip) -> Pcm:
    """(S,) int16 of a clip."""
    return np.asarray(clip.read("audio/pcm"), np.int16)


def read_opening(clip: RealClip) -> Floats:
    """(n,) distance of a clip's inner lips over that of the eyes."""
    landmarks = np.asarray(clip.read("face/landmarks"), np.float32)
    return measure_opening_ratio(landmarks).astype(np.float64)


def make_sounds(clean: Sequence[Pcm], voices: Sequence[Pcm]) -> dict[Any, list[Pcm]]:
    """Condition -> the recordings, each mixed with its own stretch of a noise."""
    ends = np.cumsum([len(pcm) for pcm in clean])
    noises = {"pink noise": make_pink(int(ends[-1])), "babble": make_babble(voices, int(ends[-1]))}
    sounds = {CLEAN: list(clean)}
    for name in NOISES:
        parts = np.split(noises[name], ends[:-1])
        for level in LEVELS:
            sounds[name, level] = [mix(a, b, level) for a, b in zip(clean, parts, strict=True)]
    return sounds


def hear(
    case: Case, features: Mapping[str, Feature], sounds: Mapping[Any, Sequence[Pcm]]
) -> dict[tuple[str, Any], Floats]:
    """(feature, condition) -> (N, d) frames of all recordings, rescaled too where that is asked."""
    heard: dict[tuple[str, Any], list[Floats]] = defaultdict(list)
    for index, clip in enumerate(case.clips):
        for condition, pcms in sounds.items():
            for name, feature in features.items():
                frames = feature(pcms[index], clip.num_frames, clip.fps)
                heard[name, condition].append(frames)
                if name in RESCALED:
                    clean = heard[name, CLEAN][index]
                    heard[RESCALED[name], condition].append(rescale(frames, clean))
    return {key: np.concatenate(parts) for key, parts in heard.items()}


# --- tables -------------------------------------------------------------------------------------


def average(people: Sequence[str], values: Iterable[Any]) -> Floats:
    """Mean over the people of the mean of each one's values."""
    found: dict[str, list[Any]] = defaultdict(list)
    for person, value in zip(people, values, strict=True):
        found[person].append(value)
    return np.asarray(np.mean([np.mean(part, axis=0) for part in found.values()], axis=0))


def _average(results: Sequence[Result], measure: Callable[[Result], Any]) -> Floats:
    return average([result.person for result in results], map(measure, results))


def tabulate_fits(results: Sequence[Result]) -> list[dict[str, Any]]:
    """R² and correlation of each case and feature in the conditions `SHOWN`; means last."""
    parts = [(result.name, [result]) for result in results]
    parts.append((f"mean of {len({r.person for r in results})} people", list(results)))
    rows = []
    for name, chosen in parts:
        for feature in chosen[0].features:
            row: dict[str, Any] = {"clip": name, "features": feature}
            for condition in SHOWN:
                key = feature, condition
                fits = _average(chosen, lambda r, key=key: measure_fit(r.found[key], r.true))
                label = _name_condition(condition)
                row[f"{label}: R²"], row["r, " + label] = fits.tolist()
            rows.append(row)
    return rows


def _name_condition(condition: Any) -> str:
    return condition if condition == CLEAN else f"{condition[0]} {condition[1]} dB"


def measure_error(results: Sequence[Result], feature: str, condition: Any) -> float:
    """Mean absolute error, per cent of the distance between the eyes, mean over the people."""
    key = feature, condition
    return 100 * float(_average(results, lambda r: np.abs(r.found[key] - r.true).mean()))


def tabulate_errors(results: Sequence[Result]) -> list[dict[str, Any]]:
    """`measure_error` by noise, level and feature; without a probe: the mean opening as a guess."""
    guess = 100 * float(_average(results, lambda r: np.abs(r.true - r.true.mean()).mean()))
    rows = []
    for noise in NOISES:
        for level in (CLEAN, *LEVELS):
            condition = CLEAN if level == CLEAN else (noise, level)
            features = results[0].features
            errors = {name: measure_error(results, name, condition) for name in features}
            rows.append({"noise": noise, "dB": level, **errors, GUESS: guess})
    return rows


def draw_errors(rows: Sequence[Mapping[str, Any]], target: Path) -> None:
    """The table of errors as a picture: one panel for each noise, clean on the left."""
    figure = Figure(figsize=(9, 3.4), dpi=110)
    for axes, noise in zip(figure.subplots(1, 2, sharey=True), NOISES, strict=True):
        chosen = [row for row in rows if row["noise"] == noise]
        for feature, style in STYLES.items():
            if feature in chosen[0]:
                values = [row[feature] for row in chosen]
                axes.plot(values, style, label=feature, markersize=4)
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
