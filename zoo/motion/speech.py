"""Speech features of a recording, made as those that a model was trained on."""

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from toolkit.clock import SAMPLE_RATE
from toolkit.errors import ToolkitError
from toolkit.features.deepspeech import DeepSpeech, DeepSpeechCheckpoint
from toolkit.features.whisper import WhisperStates
from toolkit.media.audio import SILENCE_DBFS, find_peak, open_sound
from zoo.data import describe_backend
from zoo.data.contract import Contract


def predict_scores(
    path: Path, contract: Contract, weights: Path | None = None
) -> npt.NDArray[np.float32 | np.float16]:
    """Speech features of any file with sound, at the model's frame rate.

    Warns of a silent recording.

    Args:
        path: the recording.
        contract: of the model that is to speak.
        weights: of the acoustic model; None: the one that comes with the toolkit.

    Returns:
        (n, 29) float32 scores, or for a model that reads them (n, 384) float16 states of Whisper.

    Raises:
        ToolkitError: no sound can be read, or the model was trained on the scores of another
            acoustic model, on logits, or on Whisper's states and weights are given.
        SetupError: the states are asked for and the extra `teacher` is not installed.
    """
    if contract.scale == "logit":
        raise ToolkitError(
            f"{path}: the model was converted from the released FACIAL code and takes raw logits "
            "of DeepSpeech 0.1.0, no recording: zoo generate --scores FILE.npy"
        )
    backend = _open_backend(contract, weights)
    made = describe_backend(backend.provenance())
    contract.refuse_others(replace(contract, backends={contract.speech_features: made}), str(path))
    with open_sound(path) as pcm:
        if find_peak(pcm) < SILENCE_DBFS:
            text = f"{path} is silent: nothing in it reaches {SILENCE_DBFS:.0f} dBFS"
            warnings.warn(text, stacklevel=2)
        return backend.compute_scores(
            pcm, max(1, len(pcm) * contract.fps // SAMPLE_RATE), contract.fps
        )


def _open_backend(contract: Contract, weights: Path | None) -> DeepSpeech | WhisperStates:
    if contract.speech_features == "whisper":
        if weights is not None:
            raise ToolkitError(
                f"{weights}: the model reads Whisper's states, no scores: leave --weights away"
            )
        return WhisperStates()
    return DeepSpeech() if weights is None else DeepSpeechCheckpoint(weights=weights)
