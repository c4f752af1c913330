"""Share of time with speech, by Silero's voice activity detector.

The network: magnitudes of a short-time Fourier transform, four convolutions within a step, an LSTM
from step to step, one probability a step. Its weights lie in the wheel of `silero-vad` (MIT), whose
own functions need torchaudio; here they are computed with in NumPy. Axes: N steps, F frames of the
transform in a step, C channels.
"""

import functools
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from toolkit.clock import SAMPLE_RATE
from toolkit.errors import SetupError
from toolkit.storage import hash_file

Floats = npt.NDArray[np.float32]

STEP = 512
"""Samples for which there is one probability: 32 ms."""

WEIGHTS = "data/silero_vad.jit"
"""File of the package; `silero_vad_16k.safetensors` beside it holds other weights."""

SHA256 = "e1122837f4154c511485fe0b9c64455f7b929c96fbb8d79fbdb336383ebd3720"
"""Of that file in silero-vad 6.2.3."""

_CONTEXT = 64  # samples before a step that the network sees again
_WINDOW, _HOP = 256, 128
_STRIDES = (1, 2, 2, 1)
_BLOCK = 256  # steps convolved at once, so that memory does not grow with a clip

_THRESHOLD = 0.5
_MIN_SPEECH = round(0.25 * SAMPLE_RATE / STEP)
"""Steps in a row without which it is no speech: single ones flicker in buzzing machines."""

_MAX_PAUSE = round(0.5 * SAMPLE_RATE / STEP)
"""Steps of a pause between words, which counts as speech."""


def measure_speech_share(pcm: npt.NDArray[np.int16]) -> float:
    """Share of samples (S,) at 16 kHz that are speech, 0 to 1, short pauses included.

    Raises:
        SetupError: silero-vad is missing, or another release's.
    """
    if not len(pcm):
        return 0.0
    return float(mark_speech(compute_speech_probability(pcm)).mean())


def compute_speech_probability(pcm: npt.NDArray[np.int16]) -> Floats:
    """(N,) float32, 0 to 1, of samples (S,): N = ⌈S / 512⌉, the last step filled with silence."""
    layers = _load_layers()
    num_steps = -(-len(pcm) // STEP)
    blocks = [
        _encode(_read_steps(pcm, first, min(first + _BLOCK, num_steps)), layers)
        for first in range(0, num_steps, _BLOCK)
    ]
    hidden = _run_lstm(np.concatenate(blocks), layers)
    score = np.maximum(hidden, 0) @ layers["head.weight"] + layers["head.bias"]
    return np.asarray(_sigmoid(score), np.float32)


def _read_steps(pcm: npt.NDArray[np.int16], first: int, last: int) -> Floats:
    """Steps [first, last) with their context, (last − first, 576); silence around the signal."""
    start, stop = first * STEP - _CONTEXT, last * STEP
    samples = pcm[max(start, 0) : stop].astype(np.float32) / 32768
    behind = stop - max(start, 0) - len(samples)
    padded = np.pad(samples, (max(-start, 0), behind))
    return np.lib.stride_tricks.sliding_window_view(padded, _CONTEXT + STEP)[::STEP]


def mark_speech(probability: Floats) -> npt.NDArray[np.bool_]:
    """(N,) whether a step is speech: runs of at least 0.25 s, and pauses up to 0.5 s between."""
    speech = probability > _THRESHOLD
    _fill_runs(speech, False, _MIN_SPEECH - 1)
    spoken = np.flatnonzero(speech)
    if len(spoken):
        _fill_runs(speech[spoken[0] : spoken[-1] + 1], True, _MAX_PAUSE)
    return speech


def _fill_runs(speech: npt.NDArray[np.bool_], value: bool, longest: int) -> None:
    """Set runs of the other value, up to `longest` steps, to this one; in place."""
    edges = np.flatnonzero(np.diff(np.concatenate([[value], speech, [value]])))
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        if stop - start <= longest:
            speech[start:stop] = value


def find_weights() -> Path:
    """The file in the installed package; SetupError where it is not there or another."""
    found = importlib.util.find_spec("silero_vad")
    path = Path(found.origin).parent / WEIGHTS if found and found.origin else Path(WEIGHTS)
    if not path.is_file() or hash_file(path) != SHA256:
        raise SetupError("silero-vad is missing or another release: pip install silero-vad==6.2.3")
    return path


@functools.cache
def _load_layers() -> dict[str, Floats]:
    import torch

    load: Any = torch.jit.load  # untyped
    network = load(str(find_weights()), map_location="cpu")._model.state_dict()
    values = {name: value.detach().numpy() for name, value in network.items()}
    layers = {
        f"conv{layer}.{name}": values[f"encoder.{layer}.reparam_conv.{name}"]
        for layer in range(len(_STRIDES))
        for name in ("weight", "bias")
    }
    return layers | {
        "lstm.weight_ih": values["decoder.rnn.weight_ih"],
        "lstm.weight_hh": values["decoder.rnn.weight_hh"],
        "lstm.bias": values["decoder.rnn.bias_ih"] + values["decoder.rnn.bias_hh"],
        "head.weight": values["decoder.decoder.2.weight"][0, :, 0],
        "head.bias": values["decoder.decoder.2.bias"],
    }


def _encode(steps: Floats, layers: dict[str, Floats]) -> Floats:
    """Steps (N, 576) with their context -> (N, 128)."""
    reflected = np.pad(steps, ((0, 0), (0, _CONTEXT)), mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(reflected, _WINDOW, 1)[:, ::_HOP]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(_WINDOW) / _WINDOW)
    values = np.abs(np.fft.rfft(frames * hann)).astype(np.float32)  # (N, F, C)
    for layer, stride in enumerate(_STRIDES):
        values = _convolve(
            values, layers[f"conv{layer}.weight"], layers[f"conv{layer}.bias"], stride
        )
    return values[:, 0]


def _convolve(values: Floats, weight: Floats, bias: Floats, stride: int) -> Floats:
    """(N, F, C) by weight (C', C, 3), one frame of zeros on either side; ReLU."""
    padded = np.pad(values, ((0, 0), (1, 1), (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, 3, 1)[:, ::stride]  # (N, F', C, 3)
    columns = windows.reshape(*windows.shape[:2], -1)
    return np.maximum(columns @ weight.reshape(len(weight), -1).T + bias, 0)


def _run_lstm(values: Floats, layers: dict[str, Floats]) -> Floats:
    """(N, 128) -> the hidden states (N, 128); gates in the order input, forget, cell, output."""
    recurrent = layers["lstm.weight_hh"]
    gates = values @ layers["lstm.weight_ih"].T + layers["lstm.bias"]
    hidden = cell = np.zeros(values.shape[1], np.float32)
    states = np.empty_like(values)
    for step, given in enumerate(gates):
        entry, forget, new, leave = (given + recurrent @ hidden).reshape(4, -1)
        cell = _sigmoid(forget) * cell + _sigmoid(entry) * np.tanh(new)
        hidden = states[step] = _sigmoid(leave) * np.tanh(cell)
    return states


def _sigmoid(values: Any) -> Any:
    return 0.5 + 0.5 * np.tanh(0.5 * values)
