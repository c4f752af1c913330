"""Fig. 6 in form: l-GAN by the time that it hears, by its losses, and in noise.

Legend: S samples of a sentence's sound, n frames.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.results.cascaded_figures import draw_lines
from tests.results.cascaded_speech import (
    HELD,
    L_GAN,
    LMD,
    OPENING,
    RIDGE,
    Corpus,
    Predict,
    list_baselines,
    load_sentences,
    score,
    train_l_gan,
    write_scores,
)
from tests.results.cascaded_subjects import ingest_s1
from tests.results.setup import Setup, Table
from toolkit.features.deepspeech import DeepSpeech
from zoo.data.landmarks import NUM_TAPS, LandmarkClips, cut_taps
from zoo.data.source import select_clips
from zoo.metrics.intervals import Interval

TIMES = (2, 4, 6, 8, 10)
"""Δt: scores around a frame, 33 ms apart."""

LOSSES: dict[str, dict[str, float]] = {
    "all": {},
    "no D_L": {"gan_weight": 0.0},
    "no direction": {"direction_weight": 0.0},
    "no regularisation": {"regularisation_weight": 0.0},
    "distance alone": {
        "gan_weight": 0.0, "direction_weight": 0.0, "regularisation_weight": 0.0,
    },
}  # fmt: skip

NOISES = (None, 40.0, 30.0, 20.0, 10.0, 0.0)
"""White noise: 10 · log10 of the sentence's mean power over the noise's, dB; None: no noise."""

Scores = Mapping[str, Interval]


def run_curves(setup: Setup) -> dict[str, Table]:
    """Short trainings on s1's sentences, judged on held-out ones."""
    curves = Curves(setup, load_sentences(ingest_s1(setup)))
    times = _split({taps: curves.hear(taps) for taps in TIMES})
    losses = {L_GAN: {name: curves.weigh(name) for name in LOSSES}}
    return tabulate(setup, "times", "Δt", times) | tabulate(setup, "losses", "losses", losses)


def run_noise(setup: Setup) -> dict[str, Table]:
    """l-GAN and ridge regression of clean sentences, in noise."""
    corpus = load_sentences(ingest_s1(setup))
    methods = {
        RIDGE: list_baselines(corpus)[RIDGE],
        L_GAN: train_l_gan(setup, corpus, f"{corpus.label}-l-gan"),
    }
    clean, found = corpus.judged[HELD], {}
    for level in NOISES:
        clips = clean if level is None else hear_noise(clean, corpus, level)
        name = "clean" if level is None else f"{level:g}"
        found[name] = {method: score(predict, clips) for method, predict in methods.items()}
    return tabulate(setup, "noise", "noise, dB", _split(found))


def tabulate(
    setup: Setup, name: str, across: str, lines: Mapping[str, Mapping[Any, Scores]]
) -> dict[str, Table]:
    """A table and a figure of method -> place -> scores."""
    target = setup.figures / f"results_cascaded_{name}.png"
    draw_lines(_make_panels(lines), list(lines[L_GAN]), across, target)
    rows = [
        {across: place, "method": method} | write_scores(of)
        for method, by in lines.items()
        for place, of in by.items()
    ]
    return {f"cascaded-{name}": Table(rows, figure=target, caption=f"{LMD} and {OPENING}")}


def _split(scores: Mapping[Any, Mapping[str, Scores]]) -> dict[str, dict[Any, Scores]]:
    """Method -> place -> scores."""
    return {
        method: {place: of[method] for place, of in scores.items()} for method in (L_GAN, RIDGE)
    }


def _make_panels(lines: Mapping[str, Mapping[Any, Scores]]) -> dict[str, dict[str, list[Interval]]]:
    return {
        figure: {method: [of[figure] for of in by.values()] for method, by in lines.items()}
        for figure in (LMD, OPENING)
    }


class Curves:
    """Short trainings on one man's sentences."""

    def __init__(self, setup: Setup, corpus: Corpus) -> None:
        self._setup = dataclasses.replace(setup, speech_epochs=setup.curve_epochs)
        self._corpus = corpus

    def hear(self, taps: int) -> dict[str, Scores]:
        """l-GAN and ridge regression by so many scores a frame."""
        corpus = self._corpus
        if taps != NUM_TAPS:
            corpus = load_sentences(corpus.dataset, taps)
        methods = {
            RIDGE: list_baselines(corpus)[RIDGE],
            L_GAN: self._train(corpus, f"time-{taps}", taps=taps),
        }
        return {name: score(predict, corpus.judged[HELD]) for name, predict in methods.items()}

    def weigh(self, name: str) -> Scores:
        """l-GAN by some of its losses."""
        label = "time-6" if not LOSSES[name] else name.replace(" ", "-")
        predict = self._train(self._corpus, label, **LOSSES[name])
        return score(predict, self._corpus.judged[HELD])

    def _train(self, corpus: Corpus, label: str, **changes: Any) -> Predict:
        return train_l_gan(self._setup, corpus, f"curve-{label}", **changes)


def hear_noise(clips: LandmarkClips, corpus: Corpus, level: float) -> LandmarkClips:
    """Clips whose scores are those of their sound with noise."""
    by_id, network = {clip.id: clip for clip in clips}, DeepSpeech()
    heard = []
    for part in select_clips(corpus.dataset):
        if clip := by_id.get(part.clip.id):
            pcm = mix_noise(part.reader.read("audio/pcm", part.index), level)
            scores = network.compute_scores(pcm, clip.num_frames, clip.fps)
            heard.append(dataclasses.replace(clip, scores=cut_taps(scores, clip.fps)))
    return dataclasses.replace(clips, clips=tuple(sorted(heard, key=lambda clip: clip.id)))


def mix_noise(pcm: npt.NDArray[np.int16], level: float) -> npt.NDArray[np.int16]:
    """Sound (S,) with white noise whose power is `level` dB below its own; the same every time."""
    sound = pcm.astype(np.float64)
    power = np.square(sound).mean() / 10 ** (level / 10)
    noise = np.random.default_rng(len(pcm)).normal(0, np.sqrt(power), len(pcm))
    return np.clip(np.rint(sound + noise), -32768, 32767).astype(np.int16)
