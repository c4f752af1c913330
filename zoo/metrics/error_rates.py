"""Character and word error rates of a recogniser, corpus by corpus."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

ALL = "all"


@dataclass(frozen=True, kw_only=True)
class Transcription:
    """What a recogniser made of an utterance.

    Attributes:
        corpus: where the utterance is from.
        target: what is said: a–z, apostrophe and single spaces.
        pred: what the recogniser wrote.
        seconds: how long it is.
        in_train: whether its sentence stands in the training rows as well, by other speakers.
        doubt: why what is said cannot be compared with what was written; empty where it can.
    """

    corpus: str
    target: str
    pred: str
    seconds: float
    in_train: bool = False
    doubt: str = ""


@dataclass(frozen=True, kw_only=True)
class ErrorRates:
    """Errors over some utterances, pooled.

    Attributes:
        corpus: the utterances', or `all`.
        in_train: whether their sentences stand in the training rows.
        num_utterances: how many are judged.
        minutes: of their sound.
        cer: edits of characters, spaces counted, over the characters said; None: none is judged.
        wer: edits of words over the words said; likewise.
        not_judged: why utterances are not judged -> how many; they are in no other figure.
    """

    corpus: str
    in_train: bool
    num_utterances: int
    minutes: float
    cer: float | None
    wer: float | None
    not_judged: dict[str, int] = field(default_factory=dict)


def measure_errors(transcriptions: Iterable[Transcription]) -> list[ErrorRates]:
    """Rates of each corpus in the order of their names, then of all; known sentences apart."""
    groups = dict[tuple[bool, str], list[Transcription]]()
    for item in transcriptions:
        for corpus in (item.corpus, ALL):
            groups.setdefault((item.in_train, corpus), []).append(item)
    order = sorted(groups, key=lambda key: (key[0], key[1] == ALL, key[1]))
    return [_pool(*key, groups[key]) for key in order]


def _pool(in_train: bool, corpus: str, given: Sequence[Transcription]) -> ErrorRates:
    items = [item for item in given if not item.doubt]
    texts = [item.pred for item in items], [item.target for item in items]
    return ErrorRates(
        corpus=corpus,
        in_train=in_train,
        num_utterances=len(items),
        minutes=sum(item.seconds for item in items) / 60,
        cer=measure_cer(*texts) if items else None,
        wer=measure_wer(*texts) if items else None,
        not_judged=dict(sorted(Counter(item.doubt for item in given if item.doubt).items())),
    )


def count_edits(pred: Sequence[object], target: Sequence[object]) -> int:
    """Levenshtein distance: insertions, deletions and substitutions from one to the other."""
    row = list(range(len(target) + 1))
    for i, item in enumerate(pred, 1):
        before, row[0] = row[0], i
        for j, other in enumerate(target, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (item != other))
    return row[-1]


def measure_voice_wer(transcript: str, recognised: str) -> float:
    """WER of what a judge reads from one sound, beside what is said in it."""
    return measure_wer([recognised], [transcript])


def measure_voice_cer(transcript: str, recognised: str) -> float:
    """CER of the same."""
    return measure_cer([recognised], [transcript])


def measure_cer(preds: Sequence[str], targets: Sequence[str]) -> float:
    """Edits of characters, spaces counted, over the targets' characters, pooled over all texts."""
    edits = sum(count_edits(a, b) for a, b in zip(preds, targets, strict=True))
    return edits / max(1, sum(map(len, targets)))


def measure_wer(preds: Sequence[str], targets: Sequence[str]) -> float:
    """Edits of words over the targets' words, pooled over all texts."""
    pairs = [(a.split(), b.split()) for a, b in zip(preds, targets, strict=True)]
    return sum(count_edits(a, b) for a, b in pairs) / max(1, sum(len(b) for _, b in pairs))
