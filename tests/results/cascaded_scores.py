"""What the paper reads, the layer before the softmax, beside log-probabilities, which shards hold.

A log-probability is the logit less one number a frame, the logarithm of the sum of exponentials.

Legend: S samples of a sentence's sound, K outputs of the acoustic model, n frames.
"""

import dataclasses
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from tests.results.cascaded_speech import (
    HELD,
    L_GAN,
    RIDGE,
    Corpus,
    Measured,
    list_baselines,
    load_sentences,
    measure,
    score_measured,
    subtract,
    train_l_gan,
    write_scores,
)
from tests.results.cascaded_subjects import ingest_s1
from tests.results.setup import Setup, Table
from toolkit.features.deepspeech import infer_scores, interpolate_scores, load_network
from toolkit.weights import locate
from zoo.data.landmarks import LandmarkClips, cut_taps
from zoo.data.source import select_clips

LOG_PROBABILITIES, LOGITS = "log-probabilities", "before the softmax"

Floats = npt.NDArray[np.float32]


class LogitReader:
    """The shipped acoustic model, read before its softmax."""

    def __init__(self) -> None:
        self._network = load_network(locate("deepspeech_small"))
        self._seen = list[torch.Tensor]()
        layer = self._network.get_submodule("fc.0.module")
        layer.register_forward_hook(lambda *passed: self._seen.append(passed[-1]))

    def read(self, pcm: npt.NDArray[np.int16]) -> Floats:
        """(K, 29) of (S,) samples at 16 kHz, 50 a second."""
        self._seen.clear()
        infer_scores(self._network, pcm)
        return torch.cat(self._seen).numpy()

    def read_frames(self, pcm: npt.NDArray[np.int16], num_frames: int, fps: int) -> Floats:
        """(n, 29) on the clock of a clip's frames."""
        return interpolate_scores(self.read(pcm), num_frames, fps, self._network.delay)


def run_scores(setup: Setup) -> dict[str, Table]:
    """Ridge regression and l-GAN by both, on s1's held-out sentences."""
    corpus = load_sentences(ingest_s1(setup))
    heard = {LOG_PROBABILITIES: corpus, LOGITS: take_logits(corpus)}
    found = {kind: measure_both(setup, of, kind) for kind, of in heard.items()}
    return {"cascaded-scores": Table(list(tabulate(found)))}


def take_logits(corpus: Corpus) -> Corpus:
    """The same clips with logits of their sound for scores."""
    reader, frames = LogitReader(), dict[str, Floats]()
    for part in select_clips(corpus.dataset):
        pcm = part.reader.read("audio/pcm", part.index)
        scores = reader.read_frames(pcm, part.clip.num_frames, part.reader.fps)
        frames[part.clip.id] = cut_taps(scores, part.reader.fps)

    def exchange(clips: LandmarkClips) -> LandmarkClips:
        own = tuple(dataclasses.replace(clip, scores=frames[clip.id]) for clip in clips)
        return dataclasses.replace(clips, clips=own, scale="logit")

    return dataclasses.replace(
        corpus,
        label=f"{corpus.label}-logits",
        trained=exchange(corpus.trained),
        chosen_by=exchange(corpus.chosen_by),
        judged={name: exchange(clips) for name, clips in corpus.judged.items()},
    )


def measure_both(setup: Setup, corpus: Corpus, kind: str) -> dict[str, Measured]:
    """Method -> what it makes of the held-out sentences; the l-GAN's training is a short one."""
    clips = corpus.judged[HELD]
    methods = {
        RIDGE: list_baselines(corpus)[RIDGE],
        L_GAN: train_l_gan(setup, corpus, f"curve-{corpus.label}", epochs=setup.curve_epochs),
    }
    print(kind, file=sys.stderr, flush=True)
    return {method: measure(predict, clips) for method, predict in methods.items()}


def tabulate(found: dict[str, dict[str, Measured]]) -> Iterator[dict[str, Any]]:
    """A row for each method and kind of scores; differences by the same resamples of both."""
    for method in (RIDGE, L_GAN):
        for kind, of in found.items():
            made, other = of[method], found[LOG_PROBABILITIES][method]
            beside = {} if kind == LOG_PROBABILITIES else subtract(made, other, LOG_PROBABILITIES)
            yield {"method": method, "scores": kind} | write_scores(score_measured(made) | beside)
