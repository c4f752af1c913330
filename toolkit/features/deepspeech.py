"""29 character scores a frame: the network of deepspeech.pytorch with any weights that fit it.

Architecture: Amodei et al., Deep Speech 2 (arXiv:1512.02595), with the sizes, names and
spectrogram of the public project deepspeech.pytorch, so that its checkpoints load. Axes below:
B batch, S samples, T spectrogram frames (100 a second), K outputs (50 a second), C channels,
H recurrent width. Spectrogram frame i is centred on sample 160·i, output k on frame 2·k (both
convolutions are padded by half their kernel): output k therefore belongs to k · 20 ms.
"""

import hashlib
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.fft import rfft
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from toolkit import weights as weights_files
from toolkit.errors import SetupError
from toolkit.features.base import Arrays, Extractor
from toolkit.schema import DEEPSPEECH_SYMBOLS, ClipInput, Provenance

PUBLISHED_LABELS = "_'ABCDEFGHIJKLMNOPQRSTUVWXYZ "
"""Order of the outputs in the published checkpoints (its blank is `_`)."""

WINDOW, HOP = 320, 160
"""Samples of the Hamming window (20 ms) and between two frames (10 ms) at 16 kHz."""

NUM_BINS = WINDOW // 2 + 1
OUTPUT_RATE = 50
"""Outputs a second: the first convolution takes every second spectrogram frame."""

REDUCED_BINS = 41
"""What the two frequency strides of 2 leave of the 161 bins."""

SAMPLES_PER_OUTPUT = 2 * HOP
STATISTICS_BLOCK = 6000
PIECE = 6000
OVERLAP = 1000
SEED = 0

_RECURRENT: dict[str, type[nn.RNNBase]] = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}
_GATES = {4: "lstm", 3: "gru", 1: "rnn"}

Scores = npt.NDArray[np.float32]
Pcm = npt.NDArray[np.int16]


# --- network ------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class NetworkSizes:
    """What may differ from one network to the next; the default is the project's small one.

    `lookahead` is the context (outputs) of the convolution that follows a network of one
    direction, 0 for a bidirectional one, which has none.
    """

    conv_channels: tuple[int, int] = (8, 8)
    rnn_type: str = "lstm"
    hidden_size: int = 256
    num_layers: int = 3
    bidirectional: bool = True
    lookahead: int = 0

    def __post_init__(self) -> None:
        if self.rnn_type not in _RECURRENT:
            raise ValueError(f"rnn_type {self.rnn_type!r} is none of {', '.join(_RECURRENT)}")
        if min(*self.conv_channels, self.hidden_size, self.num_layers) < 1:
            raise ValueError(f"every size must be positive: {self}")
        if self.bidirectional == (self.lookahead > 0):
            raise ValueError("a network of one direction has a lookahead, a bidirectional one none")

    def __str__(self) -> str:
        directions = "bidirectional" if self.bidirectional else f"lookahead {self.lookahead}"
        return f"{self.num_layers}x{self.hidden_size} {self.rnn_type} {directions}"


class DeepSpeechNetwork(nn.Module):
    """Spectrogram to log-probabilities; parameter names are those of deepspeech.pytorch."""

    def __init__(self, sizes: NetworkSizes) -> None:
        super().__init__()
        self.sizes = sizes
        first, second = sizes.conv_channels
        stack = nn.Sequential(
            nn.Conv2d(1, first, (41, 11), stride=(2, 2), padding=(20, 5)),
            nn.BatchNorm2d(first),
            nn.Hardtanh(0, 20),
            nn.Conv2d(first, second, (21, 11), stride=(2, 1), padding=(10, 5)),
            nn.BatchNorm2d(second),
            nn.Hardtanh(0, 20),
        )
        self.conv = nn.ModuleDict({"seq_module": stack})
        self.rnns = nn.ModuleList(_make_layer(sizes, index) for index in range(sizes.num_layers))
        if sizes.lookahead:
            self.lookahead = nn.ModuleList([nn.ModuleDict({"conv": _make_lookahead(sizes)})])
        symbols = nn.Linear(sizes.hidden_size, len(DEEPSPEECH_SYMBOLS), bias=False)
        head = nn.Sequential(nn.BatchNorm1d(sizes.hidden_size), symbols)
        self.fc = nn.ModuleList([nn.ModuleDict({"module": head})])

    def forward(
        self, spectrogram: torch.Tensor, num_frames: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Log-probabilities of a batch.

        Args:
            spectrogram: (B, 161, T) float32, normalised, zero behind each item's end.
            num_frames: (B,) int64, frames of each item where they differ; None: all T.

        Returns:
            (B, K, 29) float32 log-softmax in the order of `DEEPSPEECH_SYMBOLS`, K = (T + 1) // 2;
            item b means something in its first (num_frames[b] + 1) // 2 rows.
        """
        lengths = None if num_frames is None else (num_frames + 1) // 2
        x = spectrogram[:, None]  # (B, 1, 161, T)
        for module in self.get_submodule("conv.seq_module").children():
            x = _zero_tail(module(x), lengths)
        x = x.flatten(1, 2).permute(2, 0, 1)  # (K, B, C·41)
        for layer in self.rnns:
            x = self._recur(layer, x, lengths)  # (K, B, H)
        if self.sizes.lookahead:
            x = self._look_ahead(x)
        flat: torch.Tensor = self.get_submodule("fc.0.module")(x.flatten(0, 1))
        return flat.log_softmax(-1).view(*x.shape[:2], -1).transpose(0, 1)

    def _recur(
        self, layer: nn.Module, x: torch.Tensor, lengths: torch.Tensor | None
    ) -> torch.Tensor:
        if hasattr(layer, "batch_norm"):
            x = layer.get_submodule("batch_norm.module")(x.flatten(0, 1)).view_as(x)
        recurrent = layer.get_submodule("rnn")
        if lengths is None:
            x, _ = recurrent(x)
        else:
            packed = pack_padded_sequence(x, lengths.cpu(), enforce_sorted=False)
            x, _ = pad_packed_sequence(recurrent(packed)[0], total_length=x.shape[0])
        if self.sizes.bidirectional:
            x = x.view(*x.shape[:2], 2, -1).sum(2)
        return x

    def _look_ahead(self, x: torch.Tensor) -> torch.Tensor:
        channels = x.permute(1, 2, 0)  # (B, H, K)
        padded = nn.functional.pad(channels, (0, self.sizes.lookahead - 1))
        context: torch.Tensor = self.get_submodule("lookahead.0.conv")(padded)
        return nn.functional.hardtanh(context, 0, 20).permute(2, 0, 1)


def _make_layer(sizes: NetworkSizes, index: int) -> nn.ModuleDict:
    num_inputs = sizes.hidden_size if index else sizes.conv_channels[1] * REDUCED_BINS
    recurrent: Any = _RECURRENT[sizes.rnn_type]
    layer = nn.ModuleDict()
    if index:
        layer["batch_norm"] = nn.ModuleDict({"module": nn.BatchNorm1d(num_inputs)})
    layer["rnn"] = recurrent(num_inputs, sizes.hidden_size, bidirectional=sizes.bidirectional)
    return layer


def _make_lookahead(sizes: NetworkSizes) -> nn.Conv1d:
    width = sizes.hidden_size
    return nn.Conv1d(width, width, sizes.lookahead, groups=width, bias=False)


def _zero_tail(x: torch.Tensor, lengths: torch.Tensor | None) -> torch.Tensor:
    """Zero (B, C, F, K) behind each item's end, as if it had been padded there by itself."""
    if lengths is None:
        return x
    behind = torch.arange(x.shape[-1], device=x.device) >= lengths.to(x.device)[:, None]
    return x.masked_fill(behind[:, None, None], 0.0)


# --- weights ------------------------------------------------------------------------------------


def infer_sizes(tensors: Mapping[str, torch.Tensor]) -> NetworkSizes:
    """Sizes of the network that a state dict belongs to.

    Raises:
        KeyError: a tensor of the architecture is missing.
        ValueError: the shapes belong to another architecture.
    """
    first, second = (tensors[f"conv.seq_module.{index}.weight"] for index in (0, 3))
    recurrent = tensors["rnns.0.rnn.weight_hh_l0"]
    rows, width = recurrent.shape
    if rows % width or rows // width not in _GATES:
        raise ValueError(f"recurrent weights of shape {tuple(recurrent.shape)}")
    bidirectional = "rnns.0.rnn.weight_hh_l0_reverse" in tensors
    return NetworkSizes(
        conv_channels=(first.shape[0], second.shape[0]),
        rnn_type=_GATES[rows // width],
        hidden_size=width,
        num_layers=len({name.split(".")[1] for name in tensors if name.startswith("rnns.")}),
        bidirectional=bidirectional,
        lookahead=0 if bidirectional else tensors["lookahead.0.conv.weight"].shape[-1],
    )


def load_network(path: Path) -> DeepSpeechNetwork:
    """Network from a `.safetensors` file or a checkpoint of deepspeech.pytorch, ready to run.

    The outputs are put in the order of `DEEPSPEECH_SYMBOLS`, whatever the file's labels are:
    those of its metadata, else (safetensors) the stored order, else (checkpoint) the published.

    Raises:
        SetupError: the file is missing, damaged, refused, or of another architecture.
    """
    tensors, labels = _read_tensors(path)
    try:
        network = DeepSpeechNetwork(infer_sizes(tensors))
        if sorted(labels.lower()) != sorted(DEEPSPEECH_SYMBOLS):
            raise ValueError(f"its labels are {labels!r}")
        order = [labels.lower().index(symbol) for symbol in DEEPSPEECH_SYMBOLS]
        tensors["fc.0.module.1.weight"] = tensors["fc.0.module.1.weight"][order]
        missing, unknown = network.load_state_dict(tensors, strict=False)
    except (KeyError, ValueError, IndexError, RuntimeError) as error:
        raise SetupError(
            f"{path}: not a network of deepspeech.pytorch V2 or V3: {error}"
        ) from error
    missing = [name for name in missing if not name.endswith("num_batches_tracked")]
    if missing or unknown:
        names = ", ".join([*missing, *unknown][:3])
        raise SetupError(f"{path}: not a network of deepspeech.pytorch V2 or V3: {names}")
    return network.eval()


def _read_tensors(path: Path) -> tuple[dict[str, torch.Tensor], str]:
    """State dict and labels of a weights file."""
    if path.suffix == ".safetensors":
        tensors, metadata = weights_files.read_safetensors(path)
        return tensors, metadata.get("labels", DEEPSPEECH_SYMBOLS)
    content = weights_files.read_checkpoint(path)
    state = content.get("state_dict", content) if isinstance(content, dict) else None
    if not isinstance(state, dict):
        raise SetupError(f"{path}: holds no state dict")
    hyper = content.get("hyper_parameters")  # of Lightning; version 2 has its labels beside it
    labels = (hyper if isinstance(hyper, dict) else content).get("labels")
    text = "".join(map(str, labels)) if isinstance(labels, list | str) else PUBLISHED_LABELS
    return {k: v for k, v in state.items() if isinstance(v, torch.Tensor)}, text


def make_stand_in(sizes: NetworkSizes | None = None) -> DeepSpeechNetwork:
    """A network of seeded random weights, the same on every machine; it has learnt nothing."""
    network = DeepSpeechNetwork(sizes or NetworkSizes())
    random = np.random.Generator(np.random.PCG64(SEED))
    for name, parameter in sorted(network.named_parameters()):
        if name in ("conv.seq_module.0.bias", "conv.seq_module.3.bias"):
            parameter.data.zero_()
        elif parameter.dim() > 1 or ".rnn." in name:  # norms stay 1 and 0, as they are made
            fan_in = parameter[0].numel() if parameter.dim() > 1 else network.sizes.hidden_size
            values = 2 * random.random(parameter.shape, np.float32) - 1
            parameter.data = torch.from_numpy(values * np.float32(fan_in**-0.5))
    return network.eval()


def hash_network(network: DeepSpeechNetwork) -> str:
    """SHA-256 over the names and little-endian float32 values of the parameters and statistics."""
    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.numpy().astype("<f4").tobytes())
    return digest.hexdigest()


# --- spectrogram --------------------------------------------------------------------------------


class Spectrogram:
    """Normalised spectrogram of a signal, computed in stretches so that memory stays bounded.

    log(1 + |STFT|) of the int16 samples over 32767, as deepspeech.pytorch scales them, frames
    centred and the ends mirrored; mean 0 and standard deviation 1 over the whole signal, which
    a first pass measures (all 0 where the signal has no variance).
    """

    def __init__(self, pcm: Pcm) -> None:
        """Measure the statistics of (S,) int16 samples at 16 kHz; ValueError for anything else."""
        if pcm.ndim != 1 or pcm.dtype != np.int16 or not len(pcm):
            raise ValueError(f"need (S,) int16 samples, got {pcm.shape} {pcm.dtype}")
        self.num_frames = 1 + len(pcm) // HOP
        self._pcm = pcm
        phase = 2 * np.pi * np.arange(WINDOW) / WINDOW
        self._window = (0.54 - 0.46 * np.cos(phase)).astype(np.float32)
        self._mean, self._scale = self._measure()

    def read(self, first: int, last: int) -> Scores:
        """(161, last − first) float32: frames `[first, last)`."""
        return (self._transform(first, last) - self._mean) * self._scale

    def _measure(self) -> tuple[np.float32, np.float32]:
        total = square = 0.0
        for first in range(0, self.num_frames, STATISTICS_BLOCK):
            block = self._transform(first, min(first + STATISTICS_BLOCK, self.num_frames))
            total += float(block.sum(dtype=np.float64))
            square += float(np.square(block).sum(dtype=np.float64))
        count = self.num_frames * NUM_BINS
        variance = max(square - total**2 / count, 0.0) / (count - 1)
        scale = 1 / np.sqrt(variance) if variance > 1e-12 else 0.0
        return np.float32(total / count), np.float32(scale)

    def _transform(self, first: int, last: int) -> Scores:
        index = np.arange(first * HOP - WINDOW // 2, (last - 1) * HOP + WINDOW // 2)
        samples = self._pcm[_mirror(index, len(self._pcm))].astype(np.float32) / 32767
        frames = np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::HOP]
        magnitude: Scores = np.abs(rfft(frames * self._window, axis=1))
        return np.log1p(magnitude).T


def _mirror(index: npt.NDArray[np.int64], length: int) -> npt.NDArray[np.int64]:
    """Fold indices into `[0, length)` by mirroring at the first and last sample."""
    if length == 1:
        return np.zeros_like(index)
    folded = np.abs(index) % (2 * (length - 1))
    return np.minimum(folded, 2 * (length - 1) - folded)


def compute_spectrogram(pcm: Pcm) -> Scores:
    """(161, 1 + S // 160) float32 normalised spectrogram of (S,) int16 samples at 16 kHz."""
    spectrogram = Spectrogram(pcm)
    return spectrogram.read(0, spectrogram.num_frames)


# --- scores -------------------------------------------------------------------------------------


def infer_scores(
    network: DeepSpeechNetwork, pcm: Pcm, *, piece: int = PIECE, overlap: int = OVERLAP
) -> Scores:
    """Scores of a signal of any length, in bounded working memory.

    Args:
        network: in evaluation mode.
        pcm: (S,) int16 at 16 kHz.
        piece: outputs that run through the network at once.
        overlap: outputs at either end of a piece that only give context to the rest.

    Returns:
        (1 + S // 320, 29) float32 log-softmax, 50 a second, output k at k · 20 ms, in the order
        of `DEEPSPEECH_SYMBOLS`. A signal of one piece is exact; a longer one as `OVERLAP` says.
    """
    if overlap < 0 or piece <= 2 * overlap:
        raise ValueError(f"piece {piece} must be longer than two overlaps of {overlap}")
    spectrogram = Spectrogram(pcm)
    total = (spectrogram.num_frames + 1) // 2
    scores = np.empty((total, len(DEEPSPEECH_SYMBOLS)), np.float32)
    for first, last in _cut_pieces(total, piece, overlap):
        frames = spectrogram.read(2 * first, min(2 * last, spectrogram.num_frames))
        with torch.inference_mode():
            part = network(torch.from_numpy(frames)[None])[0].numpy()
        skip = overlap if first else 0
        scores[first + skip : last] = part[skip:]  # the next piece writes over the worse end
    return scores


def _cut_pieces(total: int, piece: int, overlap: int) -> Iterator[tuple[int, int]]:
    """Stretches `[first, last)` of at most `piece` outputs, each 2 overlaps into the last one."""
    first = 0
    while first + piece < total:
        yield first, first + piece
        first = min(first + piece - 2 * overlap, total - piece)
    yield first, total


def interpolate_scores(scores: Scores, num_frames: int, fps: int) -> Scores:
    """Scores on the frame clock: frame t at t / fps, linear between outputs, ends clamped.

    Args:
        scores: (K, 29), 50 a second.
        num_frames: n.
        fps: clock rate.

    Returns:
        (n, 29) float32; rows are not renormalised.
    """
    position = np.minimum(np.arange(num_frames) * OUTPUT_RATE / fps, len(scores) - 1)
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
    """Scores of the embedded small network; of a seeded random stand-in where it is missing."""

    arrays = ("audio/deepspeech",)

    def __init__(self) -> None:
        """Load the embedded weights, or warn that there are none."""
        path = weights_files.locate("deepspeech_small")
        if path.is_file():
            self._network = load_network(path)
            self._provenance = _describe("embedded", self._network, path)
            return
        self._network = make_stand_in()
        self._provenance = Provenance(
            backend="embedded",
            version=f"untrained-seed{SEED}",
            weights_sha256=hash_network(self._network),
            note="seeded random stand-in weights: features carry no speech content",
        )
        warnings.warn(
            "audio/deepspeech comes from seeded random stand-in weights and carries no speech "
            "content: --deepspeech checkpoint uses trained ones",
            stacklevel=2,
        )

    def provenance(self) -> Provenance:
        """Backend, sizes and digest of the network that runs."""
        return self._provenance

    def extract(self, clip: ClipInput) -> Arrays:
        """`audio/deepspeech`: (n, 29) float32 log-probabilities on the clip's clock."""
        scores = infer_scores(self._network, clip.load_pcm())
        return {"audio/deepspeech": interpolate_scores(scores, clip.num_frames, clip.fps)}


class DeepSpeechCheckpoint(DeepSpeech):
    """Scores of a network the user points to: a deepspeech.pytorch checkpoint or safetensors."""

    def __init__(self, *, weights: Path) -> None:
        """Load the file; SetupError where it is missing, damaged or refused."""
        self._network = load_network(weights)
        self._provenance = _describe("checkpoint", self._network, weights)


def _describe(backend: str, network: DeepSpeechNetwork, path: Path) -> Provenance:
    digest = weights_files.hash_file(path)
    version = f"{path.stem} {network.sizes}"
    return Provenance(backend=backend, version=version, weights_sha256=digest)
