"""Scores of a recording, made as those that a model was trained on."""

import warnings
from pathlib import Path

import numpy as np
import numpy.typing as npt

from toolkit.clock import SAMPLE_RATE
from toolkit.errors import ToolkitError
from toolkit.features.deepspeech import DeepSpeech, DeepSpeechCheckpoint
from toolkit.media.audio import SILENCE_DBFS, find_peak, open_sound
from zoo.data import describe_backend
from zoo.data.contract import Contract


def predict_scores(
    path: Path, contract: Contract, weights: Path | None = None
) -> npt.NDArray[np.float32]:
    """(n, 29) float32 scores of any file with sound, at the model's frame rate.

    Warns of a silent recording.

    Args:
        path: the recording.
        contract: of the model that is to speak.
        weights: of the acoustic model; None: the one that comes with the toolkit.

    Raises:
        ToolkitError: no sound can be read, or the model was trained on the scores of another
            acoustic model, or on logits.
    """
    if contract.scale == "logit":
        raise ToolkitError(
            f"{path}: the model was converted from the released FACIAL code and takes raw logits "
            "of DeepSpeech 0.1.0, no recording: zoo generate --scores FILE.npy"
        )
    backend = DeepSpeech() if weights is None else DeepSpeechCheckpoint(weights=weights)
    made = Contract(
        layout=contract.layout,
        fps=contract.fps,
        scale="log_prob",
        backends={"deepspeech": describe_backend(backend.provenance())},
    )
    contract.refuse_others(made, str(path))
    with open_sound(path) as pcm:
        if find_peak(pcm) < SILENCE_DBFS:
            text = f"{path} is silent: nothing in it reaches {SILENCE_DBFS:.0f} dBFS"
            warnings.warn(text, stacklevel=2)
        return backend.compute_scores(
            pcm, max(1, len(pcm) * contract.fps // SAMPLE_RATE), contract.fps
        )
