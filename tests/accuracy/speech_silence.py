"""How silent the network is where nobody speaks, and how much it says where somebody does.

Axes: S samples at 16 kHz, K outputs (50 a second), 29 symbols.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from tests.accuracy.sound import Floats, Pcm, make_applause, make_music, make_pink, set_level
from tests.accuracy.speech_features import Outputs
from toolkit.clock import SAMPLE_RATE
from toolkit.media.audio import read_sound
from toolkit.schema import DEEPSPEECH_SYMBOLS
from zoo.data.transcripts import Utterance

SECONDS = 60
"""Of each sound without speech."""

ROOMS = (-60, -50, -40)
"""dBFS, root mean square, of room noise."""

MANY = 0.5
"""Probability over which a symbol counts as said."""

SPEECH = (("test", "voicebank_demand_noisy"), ("validation", "librispeech"))

_BLANK = len(DEEPSPEECH_SYMBOLS) - 1
_LETTERS = [k for k, symbol in enumerate(DEEPSPEECH_SYMBOLS[:_BLANK]) if symbol != " "]


def make_silences() -> dict[str, Pcm]:
    """Sounds without speech, by name."""
    length = SECONDS * SAMPLE_RATE
    pink = make_pink(length)
    return {
        "digital silence": np.zeros(length, np.int16),
        **{f"room noise, {level} dBFS": set_level(pink, level) for level in ROOMS},
        "music": set_level(make_music(length), -18),
        "applause": set_level(make_applause(length), -18),
    }


def measure_symbols(scores: Floats) -> dict[str, float]:
    """Of (K, 29) log-probabilities: the blank's mean, and how many say it, or a letter."""
    probability = np.exp(scores.astype(np.float64))
    blank = probability[:, _BLANK]
    return {
        "mean probability of blank": float(blank.mean()),
        "share with blank over 0.5": float((blank > MANY).mean()),
        "share with a letter over 0.5": float((probability[:, _LETTERS].max(1) > MANY).mean()),
    }


def tabulate_silence(
    parts: Mapping[str, Sequence[Utterance]], networks: Mapping[str, Outputs]
) -> list[dict[str, Any]]:
    """Figures of `measure_symbols` by sound and network.

    Args:
        parts: `test` and `validation` rows of the transcripts.
        networks: name -> what gives the scores of a sound.
    """
    sounds: dict[str, list[Pcm]] = {name: [pcm] for name, pcm in make_silences().items()}
    for part, corpus in SPEECH:
        rows = [row for row in parts[part] if row.corpus == corpus]
        sounds[f"speech, {corpus}, {part}"] = [read_sound(row.path) for row in rows]
    return [
        {"sound": name, "scores": network, **measure_symbols(_join(outputs, pcms))}
        for name, pcms in sounds.items()
        for network, outputs in networks.items()
    ]


def _join(outputs: Outputs, pcms: Iterable[Pcm]) -> Floats:
    return np.concatenate([outputs(pcm) for pcm in pcms])
