"""Greedy text of a file with sound by the acoustic model, without a language model."""

from dataclasses import dataclass
from pathlib import Path

from toolkit import weights as weights_files
from toolkit.clock import SAMPLE_RATE
from toolkit.errors import SetupError
from toolkit.features.deepspeech import (
    DeepSpeechNetwork,
    decode_greedy,
    infer_scores,
    load_network,
)
from toolkit.features.whisper import Whisper
from toolkit.media.audio import open_sound


@dataclass(frozen=True, kw_only=True)
class Transcript:
    """Text of one file.

    Attributes:
        path: the file.
        seconds: of sound.
        text: a–z, apostrophe and spaces.
        judge: what another recogniser made of it, as that writes; None where none was asked.
    """

    path: str
    seconds: float
    text: str
    judge: str | None = None


def open_network(weights: Path | None = None) -> DeepSpeechNetwork:
    """The network of a file of weights, by default the one that comes with the toolkit.

    Raises:
        SetupError: the file is missing, damaged or refused.
    """
    path = weights or weights_files.locate("deepspeech_small")
    if not path.is_file():
        what = "no such file of weights" if weights else "the embedded weights are missing"
        also = "" if weights else ", or install the toolkit again"
        raise SetupError(f"{path}: {what}: give --weights FILE{also}")
    return load_network(path)


def transcribe(path: Path, network: DeepSpeechNetwork, judge: Whisper | None = None) -> Transcript:
    """Text of any file with sound, in memory that hardly grows with its length.

    Raises:
        ToolkitError: no sound can be read.
        StorageError: the folder for temporary files is full.
    """
    with open_sound(path) as pcm:
        text = decode_greedy(infer_scores(network, pcm))
        return Transcript(
            path=str(path),
            seconds=len(pcm) / SAMPLE_RATE,
            text=text,
            judge=judge.transcribe(pcm) if judge else None,
        )
