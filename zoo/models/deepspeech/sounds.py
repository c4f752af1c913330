"""Speech without transcripts, from any files with sound: what is said in it the teacher says."""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from toolkit.clock import SAMPLE_RATE
from toolkit.errors import ToolkitError
from toolkit.features.deepspeech import decode_greedy
from toolkit.features.spectrogram import HOP, find_stretches
from toolkit.media.audio import read_sound
from zoo.data.transcripts import Pcm, SpeechStore, store_speech
from zoo.models.deepspeech.teacher import Teacher

MAX_SAMPLES = 12 * SAMPLE_RATE
"""Of a piece: stretches of speech that are longer are cut."""


def store_sounds(path: Path, given: Iterable[Path], teacher: Teacher) -> SpeechStore:
    """The speech in files, folders being searched; files without sound in folders are left out.

    Raises:
        ToolkitError: a path does not exist, a file that is named holds no sound, or there is no
            speech in any of them.
    """
    files = list(_list_files(given))
    names = "\n".join(f"{file} {file.stat().st_size}" for file, _ in files)
    key = hashlib.sha256(f"{teacher.digest}\n{names}".encode()).hexdigest()
    return store_speech(path, key, _hear(files, teacher))


def _list_files(given: Iterable[Path]) -> Iterator[tuple[Path, bool]]:
    """Files, and whether each was named itself."""
    for path in given:
        if path.is_dir():
            yield from ((p, False) for p in sorted(path.rglob("*")) if p.is_file())
        elif path.is_file():
            yield path, True
        else:
            raise ToolkitError(f"{path}: no such file or folder")


def _hear(files: Iterable[tuple[Path, bool]], teacher: Teacher) -> Iterator[tuple[Pcm, str]]:
    for file, is_named in files:
        try:
            pcm = read_sound(file)
        except ToolkitError:
            if is_named:
                raise
            continue
        for piece in _cut(pcm):
            if text := " ".join(decode_greedy(teacher.compute_scores(piece)).split()):
                yield piece, text


def _cut(pcm: Pcm) -> Iterator[Pcm]:
    """Stretches of speech, those that are too long in equal parts."""
    num_frames = 1 + len(pcm) // HOP
    for first, last in find_stretches(pcm, num_frames):
        stretch = pcm[first * HOP : last * HOP]
        num_parts = max(1, -(-len(stretch) // MAX_SAMPLES))
        yield from (part for part in np.array_split(stretch, num_parts) if len(part) > HOP)
