"""Transcribed speech in a folder: `transcripts.csv` and the files it names.

Columns: `path` (from the folder), `speaker`, `corpus`, `licence`, `transcript`, `split` (`train` or
`test`), and optionally `note`. Anything ffmpeg reads will do as sound.

A transcript is compared in a–z, apostrophe and space: letters lose their accents, ligatures become
their letters. What is read aloud but has no such letters (digits, signs, other scripts) cannot be
compared: such a row is neither trained on nor judged.
"""

import csv
import hashlib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from toolkit.errors import ToolkitError
from toolkit.media.audio import read_sound
from toolkit.schema import DEEPSPEECH_SYMBOLS
from toolkit.storage import write_whole

TABLE = "transcripts.csv"
COLUMNS = ("path", "speaker", "corpus", "licence", "transcript", "split")
SPLITS = ("train", "test")

IN_TRAIN = "sentence-in-train"
"""In a row's note: its sentence stands in the training rows as well, by other speakers."""

Pcm = npt.NDArray[np.int16]


@dataclass(frozen=True, kw_only=True)
class Utterance:
    """One row of the table.

    Attributes:
        path: the sound.
        speaker: who speaks.
        corpus: where it is from.
        licence: its terms.
        text: what is said: a–z, apostrophe and single spaces.
        split: `train` or `test`.
        note: what else the table says, such as `sentence-in-train`.
        doubt: why its transcript cannot be compared, see `find_doubt`; empty where it can.
    """

    path: Path
    speaker: str
    corpus: str
    licence: str
    text: str
    split: str
    note: str = ""
    doubt: str = ""

    @property
    def in_train(self) -> bool:
        """Whether its sentence stands in the training rows as well."""
        return IN_TRAIN in self.note


def read_transcripts(folder: Path) -> list[Utterance]:
    """Every row of a folder's table, in its order.

    Raises:
        ToolkitError: the table is missing, lacks a column, or names a file that is not there.
    """
    table = folder / TABLE
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            if missing := set(COLUMNS) - set(reader.fieldnames or ()):
                raise ToolkitError(f"{table}: column {min(missing)} is missing")
            found = [_read_row(folder, row, table, number) for number, row in enumerate(reader, 2)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ToolkitError(f"{table}: cannot be read: {error}") from error
    if not found:
        raise ToolkitError(f"{table}: holds no row")
    return found


def _read_row(folder: Path, row: dict[str, str], table: Path, line: int) -> Utterance:
    path = folder / (row["path"] or "")
    if not path.is_file():
        raise ToolkitError(f"{table}, line {line}: {path} is not there")
    if row["split"] not in SPLITS:
        raise ToolkitError(f"{table}, line {line}: split {row['split']!r} is not train or test")
    return Utterance(
        path=path,
        speaker=row["speaker"],
        corpus=row["corpus"],
        licence=row["licence"],
        text=normalise_text(row["transcript"] or ""),
        split=row["split"],
        note=row.get("note") or "",
        doubt=find_doubt(row["transcript"] or ""),
    )


def normalise_text(text: str) -> str:
    """Lower case, a–z, apostrophes within words and single spaces; everything else parts words.

    Letters lose their accents (Déjà: deja), ligatures and letters that Unicode does not take apart
    are spelled out (æ: ae, ß: ss), an apostrophe of any kind is one.
    """
    text = re.sub(r"[^a-z']+", " ", _spell(text))
    return " ".join(word for word in (part.strip("'") for part in text.split()) if word)


NO_LETTERS, DIGITS, SIGNS, OTHER_LETTERS = (
    "no letters", "digits", "signs that are read aloud", "letters of another script",
)  # fmt: skip


def find_doubt(text: str) -> str:
    """Why a normalised transcript is not what is said; empty where it is."""
    spelled = _spell(text)
    if any(c.isalpha() and not "a" <= c <= "z" for c in spelled):
        return OTHER_LETTERS
    if any(c.isnumeric() for c in spelled):
        return DIGITS
    if any(c in "&@%+=" or unicodedata.category(c) == "Sc" for c in spelled):
        return SIGNS
    return "" if normalise_text(text) else NO_LETTERS


_LETTERS = str.maketrans(
    dict.fromkeys("’‘‛ʼʹ′＇`´ʻ", "'")
    | {"æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "ł": "l", "ı": "i"}
    | {"ħ": "h", "ŧ": "t", "ŋ": "ng", "ß": "ss"}
)
"""What Unicode's decomposition leaves: apostrophes, and Latin letters with strokes or of their own.

Compatible forms (ﬁ, ſ, fullwidth letters) it takes apart."""


def _spell(text: str) -> str:
    """Lower case without accents and unseen characters; Latin letters as a–z."""
    parts = (
        unicodedata.normalize("NFKD" if c.isalpha() else "NFD", c)
        for c in text.casefold().translate(_LETTERS)
    )
    spelled = "".join(parts).casefold().translate(_LETTERS)
    return "".join(c for c in spelled if unicodedata.category(c) not in ("Mn", "Cf"))


def encode_text(text: str) -> npt.NDArray[np.int64]:
    """Positions in `DEEPSPEECH_SYMBOLS` of a normalised text's characters."""
    return np.array([DEEPSPEECH_SYMBOLS.index(character) for character in text], np.int64)


class SpeechStore:
    """Samples and texts of many utterances in one file, decoded once: 16 kHz mono int16."""

    def __init__(self, path: Path) -> None:
        """Open what `store_speech` wrote."""
        with np.load(path.with_suffix(".npz")) as index:
            self._offsets = index["offsets"]
            self.texts: list[str] = index["texts"].tolist()
            self.key = str(index["key"])
        self.path = path
        self._samples = np.memmap(path, np.dtype("<i2"), "r")

    def __len__(self) -> int:
        return len(self.texts)

    def count_samples(self) -> npt.NDArray[np.int64]:
        """Samples of each utterance."""
        return np.diff(self._offsets)

    def read(self, number: int) -> Pcm:
        """(S,) int16 samples of utterance `number`, a view of the file."""
        return self._samples[self._offsets[number] : self._offsets[number + 1]]


def store_speech(path: Path, key: str, speech: Iterable[tuple[Pcm, str]]) -> SpeechStore:
    """The store at `path`, made of (samples, text) pairs unless it was made under this key before.

    Written whole or not at all; the pairs are not asked for where nothing is to be written.

    Raises:
        ToolkitError: there is no sound in any of them.
    """
    index = path.with_suffix(".npz")
    if not _matches(path, index, key):
        path.parent.mkdir(parents=True, exist_ok=True)
        index.unlink(missing_ok=True)
        offsets, texts = [0], list[str]()
        with write_whole(path) as temporary, temporary.open("wb") as file:
            for pcm, text in speech:
                file.write(pcm.astype("<i2").data)
                offsets.append(offsets[-1] + len(pcm))
                texts.append(text)
            if not offsets[-1]:
                raise ToolkitError(f"{path}: no speech to put there")
        with write_whole(index) as temporary, temporary.open("wb") as file:
            np.savez(file, offsets=np.array(offsets, np.int64), texts=np.array(texts), key=key)
    return SpeechStore(path)


def store_utterances(path: Path, utterances: Sequence[Utterance]) -> SpeechStore:
    """The store of these utterances, in their order."""
    key = hashlib.sha256("\n".join(f"{u.path} {u.text}" for u in utterances).encode()).hexdigest()
    return store_speech(path, key, ((read_sound(u.path), u.text) for u in utterances))


def _matches(path: Path, index: Path, key: str) -> bool:
    if not (path.is_file() and index.is_file()):
        return False
    with np.load(index) as content:
        return str(content["key"]) == key and path.stat().st_size == 2 * content["offsets"][-1]
