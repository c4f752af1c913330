"""How well an acoustic model hears: greedy character and word error rates, corpus by corpus."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from toolkit.clock import SAMPLE_RATE
from toolkit.features.deepspeech import DeepSpeechNetwork, decode_greedy, infer_scores
from toolkit.media.audio import read_sound
from zoo.data.transcripts import Utterance
from zoo.metrics.error_rates import count_edits

IN_TRAIN = "sentence-in-train"
"""In a row's note: its sentence stands in the training rows as well, by other speakers."""

ALL = "all"

WEIGHTS = "best.safetensors"
"""What a run of the recipe leaves for users, in its folder."""


@dataclass(frozen=True, kw_only=True)
class Heard:
    """An utterance, what was heard of it, and how long it is."""

    utterance: Utterance
    text: str
    seconds: float


@dataclass(frozen=True, kw_only=True)
class ErrorRates:
    """Errors over some utterances, pooled.

    Attributes:
        corpus: theirs, or `all`.
        in_train: whether their sentences stand in the training rows.
        num_utterances: how many there are.
        minutes: of sound.
        cer: edits of characters, spaces counted, over the characters said.
        wer: edits of words over the words said.
    """

    corpus: str
    in_train: bool
    num_utterances: int
    minutes: float
    cer: float
    wer: float


def hear_utterances(network: DeepSpeechNetwork, utterances: Iterable[Utterance]) -> Iterator[Heard]:
    """One after the other.

    Raises:
        ToolkitError: a recording cannot be read.
    """
    for utterance in utterances:
        pcm = read_sound(utterance.path)
        text = decode_greedy(infer_scores(network, pcm))
        yield Heard(utterance=utterance, text=text, seconds=len(pcm) / SAMPLE_RATE)


class _Tally:
    """Sums over utterances."""

    def __init__(self) -> None:
        self.num_utterances = self.edits = self.characters = self.word_edits = self.words = 0
        self.seconds = 0.0

    def add(self, heard: Heard) -> None:
        wanted = heard.utterance.text
        self.num_utterances += 1
        self.seconds += heard.seconds
        self.edits += count_edits(heard.text, wanted)
        self.characters += len(wanted)
        self.word_edits += count_edits(heard.text.split(), wanted.split())
        self.words += len(wanted.split())


def measure_errors(heard: Iterable[Heard]) -> list[ErrorRates]:
    """Rates of each corpus in the order of their names, then of all; known sentences apart."""
    tallies = dict[tuple[bool, str], _Tally]()
    for item in heard:
        in_train = IN_TRAIN in item.utterance.note
        for corpus in (item.utterance.corpus, ALL):
            tallies.setdefault((in_train, corpus), _Tally()).add(item)
    order = sorted(tallies, key=lambda key: (key[0], key[1] == ALL, key[1]))
    return [_make_rates(*key, tallies[key]) for key in order]


def _make_rates(in_train: bool, corpus: str, tally: _Tally) -> ErrorRates:
    return ErrorRates(
        corpus=corpus,
        in_train=in_train,
        num_utterances=tally.num_utterances,
        minutes=tally.seconds / 60,
        cer=tally.edits / max(1, tally.characters),
        wer=tally.word_edits / max(1, tally.words),
    )


def find_weights(path: Path | None) -> Path | None:
    """`WEIGHTS` of a run's folder; any other path as it is."""
    return path / WEIGHTS if path is not None and path.is_dir() else path
