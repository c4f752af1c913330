"""When there is speech in a recording, and how far a mouth follows it.

Legend: n frames, S samples at 16 kHz.
"""

import warnings
from pathlib import Path

import numpy as np
import numpy.typing as npt

from toolkit.clock import SAMPLE_RATE
from toolkit.errors import ToolkitError
from toolkit.features.voice_activity import STEP, compute_speech_probability, mark_speech

Pcm = npt.NDArray[np.int16]

HOLD, FADE = 0.4, 0.2
"""Seconds beside speech in which a mouth still follows, and over which it then comes to rest.

People open their mouths before the first sound. On eight sentences of GRID's s1, openings drawn by
an l-gan of his correlate with his own by 0.81 without HOLD, 0.89 with 0.3 s, 0.90 with 0.4 s and
where nothing is held back."""

_BLOCK = 300 * SAMPLE_RATE // STEP
_LEAD = 4 * SAMPLE_RATE // STEP
"""Steps that are listened to at once, and those before them by which the detector settles."""


def hear(audio: Path, pcm: Pcm, fps: int, silence: str) -> npt.NDArray[np.float32]:
    """How far a mouth follows speech, (n,) 0 to 1, of ⌊s · fps⌋ frames; warns of no speech.

    Args:
        audio: where the sound is from, for messages.
        pcm: (S,).
        fps: frames a second.
        silence: what the mouth does without speech, for the warning.

    Raises:
        ToolkitError: the sound is shorter than a frame.
    """
    num_frames = len(pcm) * fps // SAMPLE_RATE
    if not num_frames:
        raise ToolkitError(
            f"{audio}: {1000 * len(pcm) / SAMPLE_RATE:.3g} ms of sound, less than one frame of "
            f"{1000 / fps:.0f} ms"
        )
    voice = measure_voice(pcm, num_frames, fps)
    if not voice.any():
        warnings.warn(f"{audio}: no speech is heard in it: {silence}", stacklevel=3)
    return voice


def measure_voice(pcm: Pcm, num_frames: int, fps: float) -> npt.NDArray[np.float32]:
    """How far a mouth follows speech: (n,) 1 up to 0.4 s beside it, 0 from 0.6 s on.

    Between words, in pauses of up to half a second, it is 1, too. Memory holds five minutes.

    Args:
        pcm: (S,).
        num_frames: n.
        fps: frames a second.
    """
    spoken = mark_speech(_listen(pcm))
    places = np.flatnonzero(spoken)
    middles = (np.arange(num_frames) + 0.5) / fps
    if not len(places):
        return np.zeros(num_frames, np.float32)
    steps = middles * SAMPLE_RATE / STEP
    behind = np.searchsorted(places, steps.astype(np.int64))
    before = places[np.maximum(behind - 1, 0)]
    after = places[np.minimum(behind, len(places) - 1)]
    # a step k lasts from k to k + 1
    away = [
        np.maximum(np.maximum(place - steps, steps - place - 1), 0) for place in (before, after)
    ]
    seconds = np.minimum(*away) * STEP / SAMPLE_RATE
    share = ((seconds - HOLD) / FADE).clip(0, 1)
    return np.asarray(0.5 + 0.5 * np.cos(np.pi * share), np.float32)


def _listen(pcm: Pcm) -> npt.NDArray[np.float32]:
    """Probability of speech of each step, of stretches that the detector hears one by one."""
    num_steps, parts = -(-len(pcm) // STEP), list[npt.NDArray[np.float32]]()
    for first in range(0, num_steps, _BLOCK):
        lead = max(0, first - _LEAD)
        heard = compute_speech_probability(pcm[lead * STEP : (first + _BLOCK) * STEP])
        parts.append(heard[first - lead :])
    return np.concatenate(parts)
