"""The acoustic model that comes with the toolkit hears a sentence alike wherever it stands."""

import re

import numpy as np
import pytest

from tests.accuracy.sound import Floats
from tests.accuracy.speech_surroundings import (
    ALONE,
    Surroundings,
    cut_outputs,
    list_surroundings,
)
from toolkit.features.deepspeech import decode_greedy, infer_scores, load_network
from toolkit.sample.speech import SENTENCES, Voice, open_synthesiser
from toolkit.weights import locate
from zoo.metrics.error_rates import measure_cer

NAMES = (
    ALONE, "-20 dB", "+6 dB", "10 s of silence before", "10 s of silence behind",
    "30 s of loud noise before", "30 s of applause behind", "30 s of music before",
    "30 s of another voice before",
)  # fmt: skip


def test_a_sentence_is_heard_alike_at_any_level_and_beside_any_sound() -> None:
    """Error rate within 0.03 of that alone, probabilities with r of 0.95 and more.

    The network before, whose spectrograms were normalised by the rest of a recording, has 0.53
    behind 30 s of noise instead of 0.29, and r of 0.92 before music.
    """
    pytest.importorskip("espeakng_loader")
    network = load_network(locate("deepspeech_small"))
    with open_synthesiser(Voice(name="en-us+m7", rate=150, pitch=40)) as speak:
        spoken = [np.rint(speak(text) / 2).astype(np.int16) for text in SENTENCES[:4]]
    said = [re.sub("[^a-z' ]", "", text.lower()) for text in SENTENCES[:4]]
    surroundings = {around.name: around for around in list_surroundings(spoken[-1])}

    def hear(around: Surroundings) -> list[Floats]:
        scores = (infer_scores(network, around.enclose(pcm)) for pcm in spoken)
        return [
            cut_outputs(found, around.first, pcm, network.delay)
            for found, pcm in zip(scores, spoken, strict=True)
        ]

    alone = hear(surroundings[ALONE])
    error = measure_cer(said, [decode_greedy(scores) for scores in alone])
    assert error < 0.5
    for name in NAMES[1:]:
        found = hear(surroundings[name])
        assert measure_cer(said, [decode_greedy(s) for s in found]) == pytest.approx(
            error, abs=0.03
        ), name
        for here, there in zip(found, alone, strict=True):
            shared = min(len(here), len(there))  # ends of a recording have no outputs behind them
            pair = (np.exp(scores[:shared]).ravel() for scores in (here, there))
            assert np.corrcoef(*pair)[0, 1] > 0.95, name
