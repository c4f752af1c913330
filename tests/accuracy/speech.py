"""The tables about the network behind `audio/deepspeech`."""

import functools
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.accuracy.real import SENTENCES, ingest_sentences, ingest_talking
from tests.accuracy.sound import Pcm
from tests.accuracy.speech_delay import read_recordings, tabulate_delay
from tests.accuracy.speech_errors import read_parts, tabulate_rates
from tests.accuracy.speech_features import OURS, TEACHER, Outputs, Scores, clock, list_features
from tests.accuracy.speech_official import compare_official
from tests.accuracy.speech_probe import (
    Case,
    Result,
    draw_errors,
    list_cases,
    probe_case,
    read_voices,
    tabulate_errors,
    tabulate_fits,
)
from tests.accuracy.speech_silence import tabulate_silence
from tests.accuracy.speech_speed import measure_speed
from tests.accuracy.speech_surroundings import choose_sentences, tabulate_surroundings
from toolkit import weights as weights_files
from toolkit.features.deepspeech import DeepSpeechNetwork, infer_scores, load_network
from toolkit.features.whisper import Whisper
from zoo.models.deepspeech.teacher import WEIGHTS, Teacher

Rows = Sequence[Mapping[str, Any]]


def find_speech_weights() -> Path | None:
    """The shipped weights, or the file that TTK_SPEECH_WEIGHTS names; None where there is none."""
    given = os.environ.get("TTK_SPEECH_WEIGHTS")
    path = Path(given) if given else weights_files.locate("deepspeech_small")
    return path if path.is_file() else None


def open_teacher() -> Outputs | None:
    """The teacher of the run's folder that TTK_TEACHER names; None where it names none."""
    given = os.environ.get("TTK_TEACHER")
    if not given:
        return None
    return Teacher(Whisper(), Path(given) / "teacher" / WEIGHTS).compute_scores


def list_tables(
    folder: Path,
    weights: Path,
    out: Path,
    figure: Path,
    workers: int,
    teacher: Outputs | None = None,
) -> dict[str, Callable[[], Rows]]:
    """Name of each table -> what measures it.

    Args:
        folder: of the real data.
        weights: of the network.
        out: where talking clips and sentences are ingested.
        figure: picture of the errors in noise, written with its table.
        workers: processes of the ingest.
        teacher: what our network learnt from, where it is to be measured beside it.
    """
    speech = folder / "speech"

    @functools.cache
    def load() -> DeepSpeechNetwork:
        return load_network(weights)

    def infer(pcm: Pcm) -> Scores:
        return infer_scores(load(), pcm)

    @functools.cache
    def cases() -> list[Case]:
        clips = ingest_talking(folder, out / "talking", workers)
        return list_cases(clips, ingest_sentences(folder, out / "sentences", workers))

    @functools.cache
    def probe() -> list[Result]:
        features, voices = list_features(load(), teacher), read_voices(speech)
        return [probe_case(case, features, voices) for case in cases()]

    def measure_noise() -> Rows:
        rows = tabulate_errors(probe())
        draw_errors(rows, figure)
        return rows

    def measure_surroundings() -> Rows:
        delay = load().delay
        return tabulate_surroundings(
            choose_sentences(read_parts(speech)),
            [case for case in cases() if case.person != SENTENCES],
            infer,
            clock(infer, delay),
            read_voices(speech)[0],
            delay,
        )

    def measure_silence() -> Rows:
        networks = {OURS: infer} | ({TEACHER: teacher} if teacher else {})
        return tabulate_silence(read_parts(speech), networks)

    def measure_delay() -> Rows:
        networks = {OURS: (infer, load().delay)} | ({TEACHER: (teacher, 0.0)} if teacher else {})
        return tabulate_delay(read_recordings(folder), networks)

    return {
        "speech-errors": lambda: tabulate_rates(speech, weights),
        "speech-official": lambda: compare_official(folder, weights),
        "speech-delay": measure_delay,
        "speech-surroundings": measure_surroundings,
        "speech-silence": measure_silence,
        "speech-probe": lambda: tabulate_fits(probe()),
        "speech-noise": measure_noise,
        "speech-speed": lambda: [measure_speed(folder, weights)],
    }
