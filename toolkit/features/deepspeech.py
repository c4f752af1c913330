"""29 character scores a frame, from the embedded network or from a checkpoint of the user's.

Axes below: S samples, T spectrogram frames (100 a second), K outputs (50 a second). Spectrogram
frame i is centred on sample 160·i and output k on frame 2·k, as both convolutions are padded by
half their kernel: output k belongs to k · 20 ms.
"""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from toolkit import weights as weights_files
from toolkit.errors import SetupError, StorageError
from toolkit.features.base import Arrays, Extractor
from toolkit.features.deepspeech_network import (
    RECURRENT,
    REDUCED_BINS,
    DeepSpeechNetwork,
    load_network,
)
from toolkit.features.deepspeech_sizes import NetworkSizes
from toolkit.features.spectrogram import HOP, MARGIN, MAX_STRETCH, WINDOW, Pcm, Spectrogram
from toolkit.schema import DEEPSPEECH_SYMBOLS, ClipInput, Provenance
from toolkit.storage import hash_file

__all__ = [
    "DeepSpeech",
    "DeepSpeechCheckpoint",
    "DeepSpeechNetwork",
    "NetworkSizes",
    "decode_greedy",
    "infer_scores",
    "interpolate_scores",
    "load_network",
]

OUTPUT_RATE = 50
"""Outputs a second: the first convolution takes every second spectrogram frame."""

PIECE = 3200
"""Outputs (64 s, a whole clip) that run through the network at once.

Longer signals carry the recurrent state from piece to piece. Pieces that merely overlap are not
enough, as measured on networks of 3 × 256 (largest difference from the whole, in log-probability,
with 8 s and with 20 s of overlap at either end): random weights 5e-7 with 8 s; an LSTM trained for
12 epochs on 12 minutes of speech 1e-4 and 8e-6, but 0.2 and 1e-3 where the signal holds 30 s of
digital silence; a GRU trained for 5 epochs 1.8 and 0.8. Carried states: under 6e-6 on all of them.
"""

REACH = 8
"""Outputs on either side that the two convolutions look at: 5 and 2.5, rounded up."""

Scores = npt.NDArray[np.float32]


# --- scores -------------------------------------------------------------------------------------


def infer_scores(network: DeepSpeechNetwork, pcm: Pcm, *, piece: int = PIECE) -> Scores:
    """Scores of a signal of any length.

    A signal of more than one piece runs layer by layer, each direction carrying its state from
    piece to piece and the layers between kept in temporary files: the result of the whole at
    once, in working memory that does not grow with the signal.

    Args:
        network: in evaluation mode.
        pcm: (S,) int16 at 16 kHz.
        piece: outputs that run through the network at once.

    Returns:
        (1 + S // 320, 29) float32 log-softmax, 50 a second, output k at k · 20 ms, in the order
        of `DEEPSPEECH_SYMBOLS`.

    Raises:
        StorageError: the folder for temporary files is full (long signals only).
    """
    if piece < 1:
        raise ValueError(f"piece must be positive: {piece}")
    spectrogram = Spectrogram(pcm, network.scaling)
    total = (spectrogram.num_frames + 1) // 2
    with torch.inference_mode():
        if total <= piece:
            frames = spectrogram.read(0, spectrogram.num_frames)
            scores: Scores = network(torch.from_numpy(frames)[None])[0].numpy()
            return scores
        return _infer_long(network, spectrogram, total, piece)


def _infer_long(
    network: DeepSpeechNetwork, spectrogram: Spectrogram, total: int, piece: int
) -> Scores:
    pieces = [(first, min(first + piece, total)) for first in range(0, total, piece)]
    features = _Spool(network.sizes.conv_channels[1] * REDUCED_BINS)
    for first, last in pieces:
        low, high = max(first - REACH, 0), min(last + REACH, total)
        frames = spectrogram.read(2 * low, min(2 * high, spectrogram.num_frames))
        part = network.convolve(torch.from_numpy(frames)[None])
        features.write(first, part[first - low : last - low])
    for index in range(network.sizes.num_layers):
        features = _recur_long(network, index, features, pieces)
    context = max(network.sizes.lookahead - 1, 0)
    scores = np.empty((total, len(DEEPSPEECH_SYMBOLS)), np.float32)
    for first, last in pieces:
        part = network.finish(features.read(first, min(last + context, total)))
        scores[first:last] = part[: last - first, 0].numpy()
    features.close()
    return scores


def _recur_long(
    network: DeepSpeechNetwork, index: int, features: "_Spool", pieces: list[tuple[int, int]]
) -> "_Spool":
    """One recurrent layer over all pieces: forwards, then backwards onto the same file."""
    result = _Spool(network.sizes.hidden_size)
    for backwards in (False, True)[: 1 + network.sizes.bidirectional]:
        recurrent, state = _take_direction(network, index, backwards), None
        for first, last in reversed(pieces) if backwards else pieces:
            part = network.normalise(index, features.read(first, last))
            part, state = recurrent(part.flip(0) if backwards else part, state)
            result.write(first, part.flip(0) + result.read(first, last) if backwards else part)
    features.close()
    return result


def _take_direction(network: DeepSpeechNetwork, index: int, backwards: bool) -> nn.Module:
    """One direction of a recurrent layer as a layer of its own."""
    weights = network.get_submodule(f"rnns.{index}.rnn").state_dict()
    suffix = "_reverse" if backwards else ""
    names = ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    make: Any = RECURRENT[network.sizes.rnn_type]
    single: nn.Module = make(weights["weight_ih_l0"].shape[1], network.sizes.hidden_size)
    single.load_state_dict({name: weights[name + suffix] for name in names})
    return single


class _Spool:
    """Rows of float32 in a temporary file: read and written in stretches, gone when closed."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._file = tempfile.TemporaryFile(prefix="ttk-")  # noqa: SIM115  closed by `close`
        self.close = self._file.close

    def write(self, first: int, rows: torch.Tensor) -> None:
        """Store (n, 1, width) rows from row `first` on."""
        try:
            self._file.seek(first * self._width * 4)
            self._file.write(rows.contiguous().numpy().data)
            self._file.flush()
        except OSError as error:
            folder = tempfile.gettempdir()
            raise StorageError(
                f"{folder}: no room for temporary files ({error}); free some or set TMPDIR"
            ) from error

    def read(self, first: int, last: int) -> torch.Tensor:
        """(last − first, 1, width) rows."""
        self._file.seek(first * self._width * 4)
        content = bytearray(self._file.read((last - first) * self._width * 4))
        return torch.frombuffer(content, dtype=torch.float32).view(last - first, 1, self._width)


def interpolate_scores(scores: Scores, num_frames: int, fps: int, delay: float = 0.0) -> Scores:
    """Scores on the frame clock: frame t at t / fps + delay, linear between outputs, ends clamped.

    Args:
        scores: (K, 29), 50 a second.
        num_frames: n.
        fps: clock rate.
        delay: seconds by which the network is late.

    Returns:
        (n, 29) float32; rows are not renormalised.
    """
    position = (np.arange(num_frames) / fps + delay) * OUTPUT_RATE
    position = np.clip(position, 0, len(scores) - 1)
    before = position.astype(np.int64)
    after = np.minimum(before + 1, len(scores) - 1)
    share = (position - before).astype(np.float32)[:, None]
    mixed: Scores = scores[before] * (1 - share) + scores[after] * share
    return mixed


def decode_greedy(scores: Scores) -> str:
    """Text of (K, 29) scores: the best symbol of each output, repeats merged, blanks dropped."""
    best = scores.argmax(1)
    starts = np.append(True, best[1:] != best[:-1])
    blank = len(DEEPSPEECH_SYMBOLS) - 1
    return "".join(DEEPSPEECH_SYMBOLS[i] for i in best[starts] if i != blank)


# --- extractors ---------------------------------------------------------------------------------


class DeepSpeech(Extractor):
    """Scores of the embedded small network."""

    arrays = ("audio/deepspeech",)
    constants = (
        WINDOW, HOP, MAX_STRETCH, MARGIN, OUTPUT_RATE, PIECE, REACH, DEEPSPEECH_SYMBOLS,
    )  # fmt: skip

    def __init__(self) -> None:
        """Load the embedded weights.

        Raises:
            SetupError: they are missing or damaged.
        """
        path = weights_files.locate("deepspeech_small")
        if not path.is_file():
            raise SetupError(
                f"{path}: the embedded weights are missing: install the toolkit again, or give "
                "others with --deepspeech checkpoint"
            )
        self._network = load_network(path)
        self._provenance = _describe("embedded", self._network, path)

    def provenance(self) -> Provenance:
        """Backend, sizes and digest of the network that runs."""
        return self._provenance

    def extract(self, clip: ClipInput) -> Arrays:
        """`audio/deepspeech`: (n, 29) float32 log-probabilities on the clip's clock."""
        return {"audio/deepspeech": self.compute_scores(clip.load_pcm(), clip.num_frames, clip.fps)}

    def compute_scores(self, pcm: Pcm, num_frames: int, fps: int) -> Scores:
        """(n, 29) float32 log-probabilities of (S,) int16 samples on the frame clock."""
        scores = infer_scores(self._network, pcm)
        return interpolate_scores(scores, num_frames, fps, self._network.delay)


class DeepSpeechCheckpoint(DeepSpeech):
    """Scores of a network the user points to: a deepspeech.pytorch checkpoint or safetensors."""

    def __init__(self, *, weights: Path | None = None) -> None:
        """Load the file, by default the one `ttk weights --fetch` gets.

        Raises:
            SetupError: it is missing, damaged or refused.
        """
        weights = weights or weights_files.locate("deepspeech_librispeech")
        if not weights.is_file():
            raise SetupError(
                f"{weights}: no such file: --deepspeech checkpoint needs --weights FILE, or "
                "ttk weights --fetch deepspeech_librispeech"
            )
        self._network = load_network(weights)
        self._provenance = _describe("checkpoint", self._network, weights)


def _describe(backend: str, network: DeepSpeechNetwork, path: Path) -> Provenance:
    digest = hash_file(path)
    rule = "" if network.scaling else ", normalised by stretches of speech"
    version = f"{path.stem} {network.sizes}{rule}"
    return Provenance(backend=backend, version=version, weights_sha256=digest)
