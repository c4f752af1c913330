"""Synthesised speech: sentences of plain text, read by the engines that are installed.

Synthetic voices teach how letters and sounds go together; rooms, noise and people come from the
recordings.
"""

import hashlib
import html
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from toolkit.clock import SAMPLE_RATE
from toolkit.errors import ToolkitError
from zoo.data.transcripts import Pcm, SpeechStore, normalise_text, store_speech
from zoo.models.deepspeech.engines import ENGINES, list_engines

WORDS = (3, 20)
"""Words of a sentence worth reading aloud."""

PER_VOICE = 20
"""Sentences in a row by one voice: starting one takes as long as a sentence."""

Rng = np.random.Generator


@dataclass(frozen=True, kw_only=True)
class Spoken:
    """A sentence read aloud.

    Attributes:
        pcm: (S,) int16 at 16 kHz.
        text: normalised, as in `Utterance`.
        voice: engine, voice, words a minute and pitch.
    """

    pcm: Pcm
    text: str
    voice: str


def read_sentences(paths: Iterable[Path]) -> list[str]:
    """Sentences of plain or HTML text files, folders being searched; no two alike.

    Only those of `WORDS` words in letters and common punctuation, so that what is read aloud is
    what stands there.

    Raises:
        ToolkitError: a path does not exist, or nothing in any of them is a sentence.
    """
    found = dict[str, None]()
    for path in _list_files(paths):
        text = path.read_text("utf-8", "replace")
        if path.suffix in (".html", ".htm"):
            text = html.unescape(re.sub(r"<[^>]*>", " ", text))
        found |= dict.fromkeys(_split_sentences(text))
    if not found:
        raise ToolkitError("no sentence to read aloud in the texts given")
    return list(found)


def _list_files(paths: Iterable[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            yield from sorted(p for p in path.rglob("*") if p.is_file())
        elif path.is_file():
            yield path
        else:
            raise ToolkitError(f"{path}: no such text")


def _split_sentences(text: str) -> Iterator[str]:
    for piece in re.split(r"(?<=[.!?;:\"])\s|\n\s*\n|\n%\n", text):
        sentence = " ".join(piece.split())
        is_plain = re.fullmatch(r"[A-Za-z',.;:!?\"() -]+", sentence)
        words = sentence.split()
        if is_plain and WORDS[0] <= len(words) <= WORDS[1] and not _has_capitals(words):
            yield sentence


def _has_capitals(words: Sequence[str]) -> bool:
    """Abbreviations are read letter by letter, or not: leave them out."""
    return any(len(word) > 1 and word.isupper() for word in words)


def read_aloud(sentences: Sequence[str], rng: Rng) -> Iterator[Spoken]:
    """Every sentence by some voice of some engine, `PER_VOICE` in a row by one.

    Raises:
        SetupError: eSpeak NG is not installed.
    """
    engines = [ENGINES[name] for name in list_engines()]
    shares = np.array([engine.share for engine in engines])
    for first in range(0, len(sentences), PER_VOICE):
        part = sentences[first : first + PER_VOICE]
        engine = engines[rng.choice(len(engines), p=shares / shares.sum())]
        for sentence, (pcm, voice) in zip(part, engine.read(part, rng), strict=True):
            yield Spoken(pcm=pcm, text=normalise_text(sentence), voice=voice)


def store_synthetic(
    path: Path,
    texts: Sequence[Path],
    sentences: Sequence[str],
    *,
    avoid: Collection[str],
    hours: float,
    seed: int,
) -> SpeechStore:
    """So many hours of sentences in random order, each read once; of `sentences` without `texts`.

    A sentence whose normalised text is one of `avoid` is left out.

    Raises:
        ToolkitError: a text is missing, or eSpeak NG is; nothing is left to be read.
    """
    names = [str(text) for text in texts]
    said = hash_sentences([*sentences, "", *sorted(avoid)])
    key = f"{names} {hours} {seed} {said} {list_engines()}"

    def choose() -> list[str]:
        found = read_sentences(texts) if texts else list(sentences)
        return [sentence for sentence in found if normalise_text(sentence) not in avoid]

    return store_speech(path, key, _speak_hours(choose, hours, seed))


def _speak_hours(
    choose: Callable[[], list[str]], hours: float, seed: int
) -> Iterator[tuple[Pcm, str]]:
    rng = np.random.default_rng([seed, 7])
    found = choose()
    order = [found[k] for k in rng.permutation(len(found))]
    left = hours * 3600 * SAMPLE_RATE
    for spoken in read_aloud(order, rng):
        if spoken.text and len(spoken.pcm) > SAMPLE_RATE // 2:
            yield spoken.pcm, spoken.text
            left -= len(spoken.pcm)
        if left <= 0:
            return


def hash_sentences(sentences: Sequence[str]) -> str:
    """SHA-256 of sentences in their order."""
    return hashlib.sha256("\n".join(sentences).encode()).hexdigest()
