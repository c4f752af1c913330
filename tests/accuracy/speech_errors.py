"""Character and word error rates of the network, read greedily, on test and validation rows."""

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from toolkit.features.deepspeech import load_network
from zoo.data.transcripts import Utterance, read_transcripts
from zoo.evaluation.speech import transcribe_utterances
from zoo.metrics.error_rates import ALL, ErrorRates, Transcription, measure_errors
from zoo.models.deepspeech.recipe import choose_rows, find_validation

NATIVE = ("deepspeech_smoke", "jfk", "voicebank_demand_noisy")
"""Corpora whose test speakers are, or are taken for, native speakers of English."""

READ = ("dc_tts_selfrecorded", *NATIVE)
"""These, and one whose speaker's first language is not stated."""


def tabulate_rates(speech: Path, weights: Path) -> list[dict[str, Any]]:
    """One row for each corpus and for some together: test rows, then the validation part."""
    network, parts = load_network(weights), read_parts(speech)
    test = list(transcribe_utterances(network, parts["test"]))
    validation = list(transcribe_utterances(network, parts["validation"]))
    return [
        *_tabulate("test", measure_errors(test)),
        *_tabulate("test", _pool("native English", test, NATIVE)),
        *_tabulate("test", _pool("native English and dc_tts", test, READ)),
        *_tabulate("validation", measure_errors(validation)),
    ]


def read_parts(speech: Path) -> dict[str, list[Utterance]]:
    """`test` rows, and those that weights are chosen by, `validation`; none is trained on."""
    rows = read_transcripts(speech)
    training = choose_rows(rows)
    kept = find_validation(training)
    return {
        "test": [row for row in rows if row.split == "test"],
        "validation": [row for row in training if row.text in kept],
    }


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
