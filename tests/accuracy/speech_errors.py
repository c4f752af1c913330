"""Character and word error rates of the network, read greedily, on test and validation rows."""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from toolkit.features.deepspeech import load_network
from zoo.data.transcripts import read_transcripts
from zoo.evaluation.speech import transcribe_utterances
from zoo.metrics.error_rates import ALL, ErrorRates, Transcription, measure_errors
from zoo.models.deepspeech.recipe import choose_rows, find_validation

NATIVE = ("deepspeech_smoke", "jfk", "voicebank_demand_noisy")
"""Corpora whose test speakers are, or are taken for, native speakers of English."""

READ = ("dc_tts_selfrecorded", *NATIVE)
"""These, and one whose speaker's first language is not stated."""


def tabulate_rates(speech: Path, weights: Path) -> list[dict[str, Any]]:
    """One row for each corpus and for some together: test rows, then the validation part."""
    network = load_network(weights)
    rows = read_transcripts(speech)
    test = list(transcribe_utterances(network, (row for row in rows if row.split == "test")))
    training = choose_rows(rows)
    kept = find_validation(training)
    validation = list(transcribe_utterances(network, (row for row in training if row.text in kept)))
    return [
        *_tabulate("test", measure_errors(test)),
        *_tabulate("test", _pool("native English", test, NATIVE)),
        *_tabulate("test", _pool("native English and dc_tts", test, READ)),
        *_tabulate("validation", measure_errors(validation)),
    ]


def _pool(
    name: str, items: Sequence[Transcription], corpora: Sequence[str]
) -> Iterator[ErrorRates]:
    """The rows `all` of some corpora together, under another name."""
    chosen = [item for item in items if item.corpus in corpora]
    for rates in measure_errors(chosen):
        if rates.corpus == ALL:
            yield dataclasses.replace(rates, corpus=name)


def _tabulate(part: str, found: Iterable[ErrorRates]) -> Iterator[dict[str, Any]]:
    for rates in found:
        yield {
            "part": part + (", sentence in train" if rates.in_train else ""),
            "speech": rates.corpus,
            "utterances": rates.num_utterances,
            "minutes": rates.minutes,
            "CER": rates.cer,
            "WER": rates.wer,
        }
