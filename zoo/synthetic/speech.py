"""What is said: scores and sound with pauses at known places, real speech or generated.

n frames, S samples; a pause is frames [first, last).
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
from scipy.special import log_softmax

from toolkit.clock import SAMPLE_RATE, frame_to_sample
from toolkit.errors import ToolkitError
from toolkit.features.deepspeech import DeepSpeech
from toolkit.media.audio import read_sound
from toolkit.schema import DEEPSPEECH_SYMBOLS, ClipInput, Provenance
from zoo.data.transcripts import Utterance, read_transcripts
from zoo.synthetic.options import FPS

Pcm = npt.NDArray[np.int16]
Scores = npt.NDArray[np.float32]
Pauses = Sequence[tuple[int, int]]

VOWELS = [DEEPSPEECH_SYMBOLS.index(letter) for letter in "aeiou"]
_CONSONANTS = [k for k in range(1, 27) if k not in VOWELS]
SPACE, _BLANK = 0, 28

SILENCE_SECONDS = 0.05
"""Silences within recordings are shortened to this, so that the pauses put in stand out."""

_SHORTEST_SECONDS = 1.5
_GATE_DB = -25.0
_FLOOR_DB = -32.0
_LEVEL = 0.07
_FADE = 160
_UNHEARD = 0.9
_LONGEST_UNHEARD = 8
_STEP = 160


@dataclass(frozen=True, eq=False, kw_only=True)
class Speech:
    """One clip's sound: (n, 29) log-probabilities, (S,) samples at 16 kHz, and its pauses."""

    scores: Scores
    pcm: Pcm
    pauses: tuple[tuple[int, int], ...]


class Speaker(Protocol):
    """Who lends identities a voice."""

    def provenance(self) -> Provenance:
        """What made the scores."""

    def speak(
        self, person: int, num_frames: int, pauses: Pauses, rng: np.random.Generator
    ) -> Speech:
        """`num_frames` frames of speech of an identity, with these pauses."""


def draw_pauses(
    rate: float, num_frames: int, rng: np.random.Generator
) -> tuple[tuple[int, int], ...]:
    """Pauses of 0.4 to 0.6 s that begin `rate` times a second, at least a second apart."""
    found = list[tuple[int, int]]()
    shortest = 1.0
    rest = 1 / rate - shortest
    begin = rng.uniform(0.2, 1 / rate)
    while begin * FPS < num_frames - FPS:
        first = round(begin * FPS)
        found.append((first, first + round(rng.uniform(0.4, 0.6) * FPS)))
        begin += shortest + rng.gamma(4, rest / 4)
    return tuple(found)


# --- generated ----------------------------------------------------------------------------------


class GeneratedSpeech:
    """Letters in words of consonants and vowels, as an acoustic model might score them."""

    def provenance(self) -> Provenance:
        """This generator's name and version."""
        return Provenance(backend="synthetic", version="letters-1")

    def speak(
        self, person: int, num_frames: int, pauses: Pauses, rng: np.random.Generator
    ) -> Speech:
        """Letters of 2 to 4 frames; vowels are stressed more or less; noise as loud as they are."""
        logits = rng.normal(0, 1, (num_frames, len(DEEPSPEECH_SYMBOLS)))
        loudness = np.full(num_frames, 0.002)
        t = 0
        while t < num_frames:
            symbol, length, stress = _draw_letter(rng)
            rows = slice(t, t + length)
            logits[rows, symbol] += stress
            logits[rows, _BLANK] += 3
            loudness[rows] = 0.03 * stress / 4
            t += length
        for first, last in pauses:
            logits[first:last] = rng.normal(0, 1, logits[first:last].shape)
            logits[first:last, _BLANK] += 8
            loudness[first:last] = 0.0005
        scores = np.asarray(log_softmax(logits, axis=1), np.float32)
        return Speech(scores=scores, pcm=_make_noise(loudness, rng), pauses=tuple(pauses))


def _draw_letter(rng: np.random.Generator) -> tuple[int, int, float]:
    """Symbol, frames it lasts, and by how much its logit rises."""
    kind = rng.choice(3, p=(0.4, 0.42, 0.18))
    if kind == 0:
        return int(rng.choice(VOWELS)), int(rng.integers(2, 5)), float(rng.uniform(3, 8))
    if kind == 1:
        return int(rng.choice(_CONSONANTS)), int(rng.integers(2, 4)), float(rng.uniform(3, 6))
    return SPACE, 2, 4.0


def _make_noise(loudness: npt.NDArray[np.float64], rng: np.random.Generator) -> Pcm:
    num_samples = frame_to_sample(len(loudness), FPS)
    place = np.arange(num_samples) * FPS // SAMPLE_RATE
    return np.asarray(rng.normal(0, 32767 * loudness[place]).round(), np.int16)


# --- recorded -----------------------------------------------------------------------------------


class RecordedSpeech:
    """Recordings of a folder with `transcripts.csv`, scored by the embedded acoustic model.

    Every identity has speakers of its own, whose utterances follow one another in random order;
    all are used before one is used again.
    """

    def __init__(self, folder: Path, num_people: int, seed: int) -> None:
        """Share the speakers out; ToolkitError where there are fewer of them than identities."""
        by_speaker: dict[str, list[Utterance]] = {}
        for utterance in read_transcripts(folder):
            by_speaker.setdefault(utterance.speaker, []).append(utterance)
        if len(by_speaker) < num_people:
            raise ToolkitError(
                f"{folder}: {len(by_speaker)} speakers are too few for {num_people} identities"
            )
        order = sorted(by_speaker, key=lambda name: _draw(seed, name))
        self._folder = folder
        self._extractor = DeepSpeech()
        shares = [[u for name in order[k::num_people] for u in by_speaker[name]]
                  for k in range(num_people)]  # fmt: skip
        self._streams = [_Stream(u, self._score, [seed, k, 7]) for k, u in enumerate(shares)]

    def provenance(self) -> Provenance:
        """Of the acoustic model."""
        return self._extractor.provenance()

    def speak(
        self, person: int, num_frames: int, pauses: Pauses, rng: np.random.Generator
    ) -> Speech:
        """The identity's next recordings, faint noise in the pauses."""
        num_samples = frame_to_sample(num_frames, FPS)
        sound = rng.normal(0, 3, num_samples)
        ends = [0, *(frame for pause in pauses for frame in pause), num_frames]
        for begin, end in zip(ends[::2], ends[1::2], strict=True):
            first, last = frame_to_sample(begin, FPS), frame_to_sample(end, FPS)
            sound[first:last] += _fade(self._streams[person].take(last - first))
        pcm = _to_pcm(sound)
        return Speech(scores=self._score(pcm, num_frames), pcm=pcm, pauses=tuple(pauses))

    def _score(self, pcm: Pcm, num_frames: int) -> Scores:
        found = self._extractor.extract(_as_clip(self._folder, pcm, num_frames))
        return np.asarray(found["audio/deepspeech"], np.float32)


class _Stream:
    """Samples of utterances that are recognised well, in random order, without end."""

    def __init__(
        self,
        utterances: Sequence[Utterance],
        score: Callable[[Pcm, int], Scores],
        seed: list[int],
    ) -> None:
        self._utterances, self._score = utterances, score
        self._rng = np.random.default_rng(seed)
        self._rest = np.empty(0)
        self._sounds = self._play()

    def take(self, num_samples: int) -> npt.NDArray[np.float64]:
        """The next (S,) samples."""
        parts, missing = [self._rest], num_samples - len(self._rest)
        while missing > 0:
            parts.append(next(self._sounds))
            missing -= len(parts[-1])
        sound = np.concatenate(parts)
        self._rest = sound[num_samples:]
        return sound[:num_samples]

    def _play(self) -> Iterator[npt.NDArray[np.float64]]:
        found = True
        while found:
            found = False
            for number in self._rng.permutation(len(self._utterances)).tolist():
                pcm = read_sound(self._utterances[number].path)
                if not is_clean(pcm):
                    continue
                pcm = shorten_silences(pcm)
                if len(pcm) < _SHORTEST_SECONDS * SAMPLE_RATE:
                    continue
                sound = pcm * (_LEVEL * 32767 / np.sqrt(np.mean(pcm.astype(np.float64) ** 2)))
                if is_heard(self._score(_to_pcm(sound), len(sound) * FPS // SAMPLE_RATE)):
                    found = True
                    yield sound
        raise ToolkitError(
            f"{self._utterances[0].path.parent}: no recording without noise has "
            f"{_SHORTEST_SECONDS} s of speech that the acoustic model recognises"
        )


def is_clean(pcm: Pcm) -> bool:
    """Whether the quietest twentieth of (S,) samples lies 32 dB under the speech.

    In noise silence cannot be distinguished from speech, and would be a pause at an unknown place.
    """
    level = _measure_level(pcm)
    return bool(len(level)) and float(np.percentile(level, 5)) <= _FLOOR_DB


def is_heard(scores: Scores) -> bool:
    """Whether (n, 29) scores have a letter every nine frames, and within five of either end.

    A longer stretch without one, within a recording or where two meet, sounds to the acoustic model
    like a pause at an unknown place.
    """
    silent = np.exp(scores[:, [SPACE, _BLANK]]).sum(axis=1) > _UNHEARD
    loud = np.flatnonzero(~silent)
    edge = _LONGEST_UNHEARD // 2 + 1
    gaps = np.diff([-edge, *loud, len(scores) - 1 + edge])
    return bool(len(loud)) and int(gaps.max()) - 1 <= _LONGEST_UNHEARD


def shorten_silences(pcm: Pcm) -> Pcm:
    """(S,) samples whose silences, 25 dB under the speech, last `SILENCE_SECONDS` at most."""
    level = _measure_level(pcm)
    if not len(level):
        return pcm[:0]
    longest = round(SILENCE_SECONDS * SAMPLE_RATE / _STEP)
    run = np.zeros(len(level), np.int64)  # of silent steps up to and including each
    for step in np.flatnonzero(level <= _GATE_DB).tolist():
        run[step] = (run[step - 1] if step else 0) + 1
    return pcm[: len(level) * _STEP].reshape(-1, _STEP)[run <= longest].reshape(-1)


def _measure_level(pcm: Pcm) -> npt.NDArray[np.float64]:
    """Level of each whole 10 ms, dB; 0 where the speech is loud (95th percentile)."""
    steps = pcm[: len(pcm) // _STEP * _STEP].reshape(-1, _STEP)
    energy = np.square(steps.astype(np.float64)).mean(axis=1) + 1e-6
    loud = float(np.percentile(energy, 95)) if len(energy) else 1.0
    return np.asarray(10 * np.log10(energy / loud), np.float64)


def _to_pcm(sound: npt.NDArray[np.float64]) -> Pcm:
    return np.clip(sound.round(), -32767, 32767).astype(np.int16)


def _fade(sound: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The same, rising and falling over 10 ms at its ends."""
    length = min(_FADE, len(sound) // 2)
    ramp = np.minimum(np.arange(1, len(sound) + 1), np.arange(len(sound), 0, -1)) / max(length, 1)
    return np.asarray(sound * np.minimum(ramp, 1))


def _as_clip(folder: Path, pcm: Pcm, num_frames: int) -> ClipInput:
    """Samples as an extractor sees them; of the picture there is nothing to say."""
    return ClipInput(
        clip_id="synthetic",
        path=folder,
        fps=FPS,
        start_frame=0,
        num_frames=num_frames,
        picture_size=(0, 0),
        intrinsics=(1, 1, 0, 0),
        crop=(0, 0, 1, 1),
        valid=np.ones(num_frames, bool),
        source_time=np.arange(num_frames) / FPS,
        source_index=np.arange(num_frames),
        source_num_frames=num_frames,
        load_landmarks=lambda: np.empty((0, 0, 3), np.float32),
        load_pcm=lambda: pcm,
        read_frames=lambda: iter(()),
    )


def _draw(seed: int, name: str) -> bytes:
    return hashlib.sha256(f"{seed} {name}".encode()).digest()
