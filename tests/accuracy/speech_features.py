"""The features that the mouth probe compares, each a function of a sound, by name.

Axes: S samples at 16 kHz, n frames on the clock, K outputs of a network (50 a second).
"""

import functools
from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

from tests.accuracy.sound import Pcm, compute_mel, compute_mfcc
from toolkit.errors import SetupError
from toolkit.features.deepspeech import DeepSpeechNetwork, infer_scores, interpolate_scores
from toolkit.features.whisper import Whisper

Floats = npt.NDArray[np.float64]
Scores = npt.NDArray[np.float32]

Outputs = Callable[[Pcm], Scores]
"""(S,) int16 -> (K, d) float32, 50 a second, output k at k · 20 ms."""

Feature = Callable[[Pcm, int, int], Floats]
"""(S,) int16, n, fps -> (n, d) frames, frame t about t / fps."""

OURS, MEL, MFCC, STATES = "ours", "log-mel", "MFCC", "Whisper's states"
TEACHER, TEACHER_BANDS, OURS_BANDS = "teacher", "teacher, 8 bands", "ours, 8 bands"

NUM_ENERGIES = 8
"""Bands of log-mel power that stand beside scores, which do not say how loud a sound is."""


def list_features(
    network: DeepSpeechNetwork, teacher: Outputs | None = None
) -> Mapping[str, Feature]:
    """Name -> feature; Whisper's states where its extra is installed."""
    ours = _remember(lambda pcm: infer_scores(network, pcm))
    features = {
        OURS: clock(ours, network.delay),
        MEL: compute_mel,
        MFCC: lambda *sound: compute_mfcc(compute_mel(*sound)),
        OURS_BANDS: join(clock(ours, network.delay), compute_energies),
    }
    whisper = open_whisper()
    if whisper:
        features[STATES] = clock(lambda pcm: whisper.encode_evenly(pcm).astype(np.float32))
    if teacher:
        scores = _remember(teacher)
        features[TEACHER] = clock(scores)
        features[TEACHER_BANDS] = join(clock(scores), compute_energies)
    return features


def open_whisper() -> Whisper | None:
    """The recogniser; None without the extra `teacher`."""
    try:
        return Whisper()
    except SetupError:
        return None


def clock(outputs: Outputs, delay: float = 0.0) -> Feature:
    """Outputs brought to the frames, as `audio/deepspeech` is."""

    def compute(pcm: Pcm, num_frames: int, fps: int) -> Floats:
        return interpolate_scores(outputs(pcm), num_frames, fps, delay).astype(np.float64)

    return compute


def join(*features: Feature) -> Feature:
    """The numbers of several side by side."""
    return lambda *sound: np.hstack([feature(*sound) for feature in features])


def compute_energies(pcm: Pcm, num_frames: int, fps: int) -> Floats:
    """(n, 8) log-mel power in 8 bands."""
    return compute_mel(pcm, num_frames, fps, NUM_ENERGIES)


def _remember(outputs: Outputs) -> Outputs:
    """The same for the sound heard last, without computing it again."""

    @functools.lru_cache(maxsize=1)
    def compute(content: bytes) -> Scores:
        return outputs(np.frombuffer(content, np.int16))

    return lambda pcm: compute(pcm.tobytes())
