"""How late the letters are: their times against words whose times are known.

Axes: K outputs (50 a second), 29 symbols, L letters of a text.
"""

import csv
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.accuracy.real import NUM_SENTENCES, SENTENCES, choose_evenly
from tests.accuracy.sound import Floats, Frames
from tests.accuracy.speech_features import Outputs
from toolkit.features.deepspeech import OUTPUT_RATE
from toolkit.media.audio import read_sound
from toolkit.schema import DEEPSPEECH_SYMBOLS

FUXI = "FuxiVirtualHuman_AAAI22-one-shot-talking-face/samples"

SURE = 0.5
"""Probability of a letter at its peak from which on its time counts."""

_BLANK = len(DEEPSPEECH_SYMBOLS) - 1


@dataclass(frozen=True)
class Word:
    """A word of letters a to z and apostrophes, with its times (s)."""

    text: str
    start: float
    end: float

    def place(self, index: int) -> float:
        """Where its letter `index` is, if all are equally long (s)."""
        return self.start + (index + 0.5) / len(self.text) * (self.end - self.start)


@dataclass(frozen=True)
class Recording:
    """A sound and its words."""

    path: Path
    words: list[Word]


# --- words --------------------------------------------------------------------------------------


def read_recordings(folder: Path) -> dict[str, list[Recording]]:
    """Name of each group -> its recordings."""
    return {
        "seven speakers": list(_read_phones(folder / FUXI)),
        "GRID s1": list(_read_sentences(folder / SENTENCES)),
    }


def _read_phones(folder: Path) -> Iterator[Recording]:
    """Words with the times of their first and last phone, in 10 ms."""
    for path in sorted((folder / "phonemes").glob("*.json")):
        words = [
            Word(
                word["word"].lower(), word["phones"][0]["bg"] / 100, word["phones"][-1]["ed"] / 100
            )
            for word in json.loads(path.read_text("utf-8"))
            if word["word"] != "sil"
        ]
        yield Recording(folder / "audios" / f"{path.stem}.wav", words)


def _read_sentences(folder: Path) -> Iterator[Recording]:
    """Words as `bin@0.95-1.18` in a table's last column."""
    (table,) = folder.glob("*.csv")
    rows = list(csv.reader(table.read_text("utf-8").splitlines()))[1:]
    for path, *_, words in choose_evenly(sorted(rows), NUM_SENTENCES):
        found = re.findall(r"([a-z']+)@([\d.]+)-([\d.]+)", words)
        yield Recording(folder / path, [Word(a, float(b), float(c)) for a, b, c in found])


# --- times --------------------------------------------------------------------------------------


def align(scores: Floats, symbols: Frames) -> Frames:
    """Which of (L,) symbols each output of the likeliest path says; −1 for blank.

    The path runs over blank, symbol, blank, …, blank, as in connectionist temporal classification:
    it may stay, go on by one, or pass over a blank between two symbols that differ.

    Args:
        scores: (K, 29) log-probabilities.
        symbols: (L,) positions in `DEEPSPEECH_SYMBOLS`; K must be at least L, and more by one for
            each symbol that is said twice in a row.

    Returns:
        (K,) positions in `symbols`.
    """
    states = np.full(2 * len(symbols) + 1, _BLANK)
    states[1::2] = symbols
    skips = np.zeros(len(states), bool)
    skips[3::2] = states[3::2] != states[1:-2:2]
    best = np.full(len(states), -np.inf)
    best[:2] = scores[0, states[:2]]
    steps = np.zeros((len(scores), len(states)), np.int64)
    for k in range(1, len(scores)):
        one = np.concatenate([[-np.inf], best[:-1]])
        two = np.where(skips, np.concatenate([[-np.inf] * 2, best[:-2]]), -np.inf)
        choices = np.stack([best, one, two])
        steps[k] = choices.argmax(0)
        best = choices.max(0) + scores[k, states]
    state = len(states) - 1 if best[-1] > best[-2] else len(states) - 2
    path = np.empty(len(scores), np.int64)
    for k in range(len(scores) - 1, -1, -1):
        path[k] = state
        state -= steps[k, state]
    return np.where(path % 2 == 1, path // 2, -1)


def measure_lags(scores: Floats, words: list[Word]) -> list[float]:
    """Seconds by which the sure letters' peaks come after their places in the words."""
    text = " ".join(word.text for word in words)
    places = [word.place(k) for word in words for k in range(len(word.text))]
    symbols = np.array([DEEPSPEECH_SYMBOLS.index(letter) for letter in text])
    said = align(scores, symbols)
    letters = [k for k, letter in enumerate(text) if letter != " "]
    lags = []
    for position, place in zip(letters, places, strict=True):
        outputs = np.flatnonzero(said == position)
        values = scores[outputs, symbols[position]]
        if np.exp(values.max()) > SURE:
            lags.append(float(outputs[values.argmax()] / OUTPUT_RATE - place))
    return lags


# --- table --------------------------------------------------------------------------------------


def tabulate_delay(
    groups: Mapping[str, list[Recording]], networks: Mapping[str, tuple[Outputs, float]]
) -> list[dict[str, Any]]:
    """Lag of the letters by group and network, ms.

    Args:
        groups: name -> recordings.
        networks: name -> its outputs, and the delay (s) that is taken out of them.
    """
    rows = []
    for group, recordings in groups.items():
        for name, (outputs, delay) in networks.items():
            parts = [measure_lags(outputs(read_sound(r.path)), r.words) for r in recordings]
            lags = 1000 * np.concatenate(parts)
            rows.append(
                {
                    "speech": group,
                    "scores": name,
                    "recordings": len(recordings),
                    "letters": sum(len(word.text) for r in recordings for word in r.words),
                    "sure": len(lags),
                    "mean lag, ms": float(lags.mean()),
                    "median lag, ms": float(np.median(lags)),
                    "delay taken out, ms": 1000 * delay,
                    "median left, ms": float(np.median(lags)) - 1000 * delay,
                }
            )
    return rows
