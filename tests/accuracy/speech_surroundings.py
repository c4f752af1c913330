"""Whether a sentence is heard alike, whatever stands before and behind it and at whatever level.

Axes: S samples at 16 kHz, K outputs (50 a second), n frames on the clock.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.accuracy.real import choose_evenly
from tests.accuracy.ridge import fit_probe, list_rows
from tests.accuracy.sound import (
    WINDOW,
    Floats,
    Pcm,
    make_applause,
    make_music,
    make_pink,
    set_level,
)
from tests.accuracy.speech_features import Feature, Outputs, Scores
from tests.accuracy.speech_probe import Case, average, read_opening, read_pcm
from toolkit.clock import SAMPLE_RATE
from toolkit.features.deepspeech import OUTPUT_RATE, decode_greedy
from toolkit.media.audio import read_sound
from zoo.data.transcripts import Utterance
from zoo.metrics.error_rates import measure_cer

ALONE = "alone"
NUM_SENTENCES = {("test", "voicebank_demand_noisy"): 40, ("validation", "librispeech"): 20}
"""(Part, corpus) -> sentences."""

PEAK = 16_383
"""Of a sentence: what is louder becomes quieter, so that 6 dB more still fit."""

LEVELS = (-20, -10, 6)
"""dB, of the sentence alone."""

SILENCES = {10: 1, 60: 3, 300: 6}
"""Seconds of digital silence -> every so many-th sentence is heard with it."""

LOUD, EVERY = 30, 3
"""Seconds of what is not silence, and every so many-th sentence is heard with it."""

PAUSE = SAMPLE_RATE // 2
"""Samples of silence between that and the sentence."""

STEP = SAMPLE_RATE // OUTPUT_RATE
"""Samples from one output to the next; all that stands before a sentence is a multiple of it."""

MIDDLE = 6
"""Seconds of a talking clip whose mouth is compared."""

SLOT, NUM_SLOTS = 60, 60
"""Seconds of an hour's recording for one sentence, and how many there are."""


@dataclass(frozen=True)
class Sentence:
    """What is said in a sound, at most as loud as `PEAK`."""

    corpus: str
    text: str
    pcm: Pcm


@dataclass(frozen=True)
class Surroundings:
    """What a sentence is heard in.

    Attributes:
        name: of the row.
        before: samples.
        behind: samples.
        decibels: by which the sentence is louder.
        every: so many-th sentence is heard so.
    """

    name: str
    before: Pcm
    behind: Pcm
    decibels: float = 0.0
    every: int = 1

    def enclose(self, pcm: Pcm) -> Pcm:
        """The whole recording."""
        spoken = np.round(pcm * 10 ** (self.decibels / 20)).astype(np.int16)
        return np.concatenate([self.before, spoken, self.behind])

    @property
    def first(self) -> int:
        """The output that the sentence begins at."""
        return len(self.before) // STEP


def list_surroundings(voice: Pcm) -> list[Surroundings]:
    """Alone first; then levels, silence, and what is loud, before and behind."""
    nothing = np.zeros(0, np.int16)
    found = [Surroundings(ALONE, nothing, nothing)]
    found += [Surroundings(f"{level:+d} dB", nothing, nothing, level) for level in LEVELS]
    for seconds, every in SILENCES.items():
        found += _place(f"{seconds} s of silence", np.zeros(seconds * SAMPLE_RATE, np.int16), every)
    for name, sound in make_fillings(LOUD, voice).items():
        found += _place(f"{LOUD} s of {name}", sound, EVERY)
    return found


def make_fillings(seconds: int, voice: Pcm) -> dict[str, Pcm]:
    """What is not silence, by name; the voice is said over and over, as loud as it is."""
    length = seconds * SAMPLE_RATE
    return {
        "loud noise": set_level(make_pink(length), -14),
        "applause": set_level(make_applause(length), -18),
        "music": set_level(make_music(length), -18),
        "another voice": np.resize(voice, length),
    }


def _place(name: str, sound: Pcm, every: int) -> Iterator[Surroundings]:
    nothing = np.zeros(0, np.int16)
    pause = np.zeros(PAUSE if sound.any() else 0, np.int16)
    yield Surroundings(f"{name} before", np.concatenate([sound, pause]), nothing, every=every)
    yield Surroundings(f"{name} behind", nothing, np.concatenate([pause, sound]), every=every)


# --- words --------------------------------------------------------------------------------------


def choose_sentences(parts: Mapping[str, Sequence[Utterance]]) -> list[Sentence]:
    """`NUM_SENTENCES` of two corpora, evenly over their rows; in an order drawn at random."""
    chosen: list[Utterance] = []
    for (part, corpus), number in NUM_SENTENCES.items():
        rows = [row for row in parts[part] if row.corpus == corpus and not row.doubt]
        chosen += choose_evenly(rows, number)
    order = np.random.default_rng(0).permutation(len(chosen))
    return [Sentence(chosen[k].corpus, chosen[k].text, read_quiet(chosen[k].path)) for k in order]


def read_quiet(path: Path) -> Pcm:
    """A sound, made quieter where its peak is over `PEAK`."""
    return _limit(read_sound(path))


def _limit(pcm: Pcm) -> Pcm:
    peak = np.abs(pcm.astype(np.int32)).max(initial=1)
    return np.round(pcm * min(1.0, PEAK / peak)).astype(np.int16)


def cut_outputs(outputs: Scores, first: int, pcm: Pcm, delay: float) -> Scores:
    """The outputs of a sentence that begins at output `first`, `delay` seconds late."""
    start = first + round(delay * OUTPUT_RATE)
    return outputs[start : start + 1 + len(pcm) // STEP]


def read_sentences(
    sentences: Sequence[Sentence], around: Surroundings, outputs: Outputs, delay: float
) -> list[str]:
    """The text read in each sentence's own stretch."""
    found = []
    for sentence in sentences:
        scores = outputs(around.enclose(sentence.pcm))
        found.append(decode_greedy(cut_outputs(scores, around.first, sentence.pcm, delay)))
    return found


def read_hour(
    sentences: Sequence[Sentence], voice: Pcm, outputs: Outputs, delay: float
) -> list[str]:
    """The texts of at most 60 sentences, one in each minute of a recording.

    The rest of each minute is, in turn, silence, room noise, and what `make_fillings` makes.
    """
    room = set_level(make_pink(SLOT * SAMPLE_RATE), -50)
    fillings = [np.zeros_like(room), room, *make_fillings(SLOT, voice).values()]
    hour = np.concatenate([fillings[k % len(fillings)] for k in range(NUM_SLOTS)])
    starts = [(k * SLOT + SLOT // 2) * SAMPLE_RATE for k in range(len(sentences))]
    for start, sentence in zip(starts, sentences, strict=True):
        hour[start - PAUSE : start + len(sentence.pcm) + PAUSE] = 0
        hour[start : start + len(sentence.pcm)] = sentence.pcm
    scores = outputs(hour)
    return [
        decode_greedy(cut_outputs(scores, start // STEP, sentence.pcm, delay))
        for start, sentence in zip(starts, sentences, strict=True)
    ]


# --- mouths -------------------------------------------------------------------------------------


def predict_mouths(
    case: Case, feature: Feature, surroundings: Sequence[Surroundings]
) -> dict[str, Floats]:
    """Name of the surroundings -> (n,) mouth in the middle of a case's longest clip, heard in them.

    The probe is fitted on the clip's other windows, at least one window away, in its whole sound.
    """
    clip = case.longest
    pcm, rows = _limit(read_pcm(clip)), list_rows([clip.num_frames])
    first = clip.num_frames // 2 - MIDDLE * clip.fps // 2
    last = first + MIDDLE * clip.fps
    outside = (rows.starts < first - 2 * WINDOW) | (rows.starts > last + WINDOW)
    fitted = rows.take(np.flatnonzero(outside))
    opening = read_opening(clip)[fitted.starts + WINDOW // 2]
    predict = fit_probe(feature(pcm, clip.num_frames, clip.fps), opening, fitted)
    middle = pcm[first * SAMPLE_RATE // clip.fps : last * SAMPLE_RATE // clip.fps]
    found = {}
    for around in surroundings:
        begin = len(around.before) * clip.fps // SAMPLE_RATE
        frames = feature(around.enclose(middle), begin + last - first, clip.fps)
        found[around.name] = predict(frames, np.arange(begin, len(frames) - WINDOW + 1))
    return found


# --- tables -------------------------------------------------------------------------------------


def tabulate_surroundings(
    sentences: Sequence[Sentence],
    cases: Sequence[Case],
    outputs: Outputs,
    feature: Feature,
    voice: Pcm,
    delay: float,
) -> list[dict[str, Any]]:
    """Error rates of the sentences, and how like the mouths are to those of the clips alone.

    Args:
        sentences: that are read.
        cases: talking clips.
        outputs: of the network.
        feature: its scores on the clock.
        voice: another one.
        delay: of the outputs, s.
    """
    surroundings, quiet = list_surroundings(_limit(voice)), _limit(voice)
    mouths = [(case, predict_mouths(case, feature, surroundings)) for case in cases]
    texts = {a.name: read_sentences(sentences[:: a.every], a, outputs, delay) for a in surroundings}
    rows = []
    for around in surroundings:
        row = {"surroundings": around.name}
        row |= _measure(sentences[:: around.every], texts[around.name], texts[ALONE], around.every)
        rows.append(row | _compare_mouths(mouths, around.name))
    hour = read_hour(sentences[:NUM_SLOTS], quiet, outputs, delay)
    row = _measure(sentences[:NUM_SLOTS], hour, texts[ALONE][:NUM_SLOTS], 1)
    return [*rows, {"surroundings": "within an hour of all these"} | row]


def _measure(
    sentences: Sequence[Sentence], found: Sequence[str], alone: Sequence[str], every: int
) -> dict[str, Any]:
    targets, compared = [sentence.text for sentence in sentences], alone[::every]
    row: dict[str, Any] = {"sentences": len(sentences)}
    for _, corpus in NUM_SENTENCES:
        pairs = [(a, s.text) for a, s in zip(found, sentences, strict=True) if s.corpus == corpus]
        row[f"CER, {corpus}"] = measure_cer(*zip(*pairs, strict=True))
    row["CER"], row["alone"] = measure_cer(found, targets), measure_cer(compared, targets)
    return row | {"difference": row["CER"] - row["alone"]}


def _compare_mouths(
    mouths: Sequence[tuple[Case, Mapping[str, Floats]]], name: str
) -> dict[str, float]:
    """Mean over the people, and the least of the clips."""
    values = [float(np.corrcoef(found[name], found[ALONE])[0, 1]) for _, found in mouths]
    people = [case.person for case, _ in mouths]
    if not values:
        return {}
    return {"mouth: r": float(average(people, values)), "least r": min(values)}
