"""A language that a small network learns in seconds: every letter is a tone of its own."""

import csv
import wave
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

LETTERS = "abcde "
SECONDS = 0.14
COLUMNS = ("path", "speaker", "corpus", "licence", "transcript", "split", "note")


def play_text(text: str) -> npt.NDArray[np.int16]:
    """(S,) int16 at 16 kHz: tones from 400 Hz to 2.4 kHz, a gap behind each."""
    time = np.arange(int(SECONDS * 16000)) / 16000
    parts = [np.zeros(1600)]
    for letter in text:
        tone = np.sin(2 * np.pi * 400 * (1 + LETTERS.index(letter)) * time)
        parts += [8000 * tone, np.zeros(960)]
    return np.concatenate(parts).astype(np.int16)


def write_wav(path: Path, pcm: npt.NDArray[np.int16], rate: int = 16000) -> Path:
    """Write (S,) samples, mono."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(pcm.tobytes())
    return path


def write_table(folder: Path, rows: Sequence[Sequence[str]]) -> None:
    """Write `transcripts.csv`: rows of `COLUMNS`."""
    with (folder / "transcripts.csv").open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *rows])


def draw_texts(count: int, seed: int = 0) -> list[str]:
    """Different texts of two words."""
    rng = np.random.default_rng(seed)
    texts = dict[str, None]()
    while len(texts) < count:
        words = ("".join(rng.choice(list("abcde"), rng.integers(2, 4))) for _ in range(2))
        texts[" ".join(words)] = None
    return list(texts)


def write_speech(folder: Path, num_train: int = 60, num_test: int = 4) -> list[str]:
    """A folder of tones with its table; returns the texts, those of the test rows last."""
    texts = draw_texts(num_train + num_test)
    rows = []
    for number, text in enumerate(texts):
        name = f"{number}.wav"
        write_wav(folder / name, play_text(text))
        split = "train" if number < num_train else "test"
        note = "sentence-in-train" if number == num_train else ""
        rows.append((name, f"s{number % 3}", "tones", "CC BY 4.0", text.upper(), split, note))
    write_table(folder, rows)
    return texts
