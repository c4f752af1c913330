"""Character and word error rates of the network, read greedily, on test and validation rows.

Beside them those of the judge, where it is installed.
"""

import dataclasses
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from toolkit.errors import SetupError
from toolkit.features.deepspeech import load_network
from toolkit.features.whisper import Whisper
from zoo.data.transcripts import Utterance, read_transcripts
from zoo.evaluation.speech import judge_utterances, transcribe_utterances
from zoo.metrics.error_rates import ALL, ErrorRates, Transcription, measure_errors
from zoo.models.deepspeech.recipe import choose_rows, find_validation

NATIVE = ("deepspeech_smoke", "jfk", "voicebank_demand_noisy")
"""Corpora whose test speakers are, or are taken for, native speakers of English."""

READ = ("dc_tts_selfrecorded", *NATIVE)
"""These, and one whose speaker's first language is not stated."""


def tabulate_rates(speech: Path, weights: Path) -> list[dict[str, Any]]:
    """One row for each corpus and for some together: test rows, then the validation part.

    The judge's columns are empty where it is not installed.
    """
    network, judge = load_network(weights), _open_judge()
    ours = _measure(speech, lambda rows: list(transcribe_utterances(network, rows)))
    judged = _measure(speech, lambda rows: list(judge_utterances(judge, rows))) if judge else None
    return list(_tabulate(ours, judged))


def _open_judge() -> Whisper | None:
    try:
        return Whisper()
    except SetupError as error:
        print(f"no judge: {error}", file=sys.stderr)
        return None


def _measure(
    speech: Path, transcribe: Callable[[Sequence[Utterance]], list[Transcription]]
) -> list[tuple[str, ErrorRates]]:
    """The part that rows are of, and their rates, in the table's order."""
    parts = read_parts(speech)
    test, validation = transcribe(parts["test"]), transcribe(parts["validation"])
    rates = [
        *measure_errors(test),
        *_pool("native English", test, NATIVE),
        *_pool("native English and dc_tts", test, READ),
    ]
    return [("test", rate) for rate in rates] + [
        ("validation", rate) for rate in measure_errors(validation)
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


def _tabulate(
    ours: Sequence[tuple[str, ErrorRates]], judged: Sequence[tuple[str, ErrorRates]] | None
) -> Iterator[dict[str, Any]]:
    for (part, rates), (_, other) in zip(ours, judged or ours, strict=True):
        yield {
            "part": part + (", sentence in train" if rates.in_train else ""),
            "speech": rates.corpus,
            "utterances": rates.num_utterances,
            "minutes": rates.minutes,
            "CER": rates.cer,
            "WER": rates.wer,
            "judge CER": other.cer if judged else "",
            "judge WER": other.wer if judged else "",
        }
