"""The network of deepspeech.pytorch with its sizes as parameters, and how its weights load.

Architecture: Amodei et al., Deep Speech 2 (arXiv:1512.02595), with the sizes, parameter names and
labels of the public project deepspeech.pytorch, so that its checkpoints load. Axes below: B batch,
T spectrogram frames (100 a second), K outputs (50 a second), C channels, H recurrent width.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from toolkit import weights as weights_files
from toolkit.errors import SetupError
from toolkit.features.deepspeech_sizes import RECURRENT_TYPES, NetworkSizes
from toolkit.features.spectrogram import Scaling
from toolkit.schema import DEEPSPEECH_SYMBOLS

PUBLISHED_LABELS = "_'ABCDEFGHIJKLMNOPQRSTUVWXYZ "
"""Order of the outputs in the published checkpoints (its blank is `_`)."""

REDUCED_BINS = 41
"""What the two frequency strides of 2 leave of the 161 bins."""

RECURRENT: dict[str, type[nn.RNNBase]] = dict(
    zip(RECURRENT_TYPES, (nn.LSTM, nn.GRU, nn.RNN), strict=True)
)
_GATES = {4: "lstm", 3: "gru", 1: "rnn"}


# --- network ------------------------------------------------------------------------------------


class DeepSpeechNetwork(nn.Module):
    """Spectrogram to log-probabilities; parameter names are those of deepspeech.pytorch.

    Attributes:
        sizes: of the network.
        delay: seconds by which its scores are late, as measured on its weights: a
            network that sees the whole signal may place its letters anywhere.
        scaling: of the spectrograms that it was trained on; None: each utterance by itself.
    """

    def __init__(self, sizes: NetworkSizes, dropout: float = 0.0) -> None:
        """`dropout` is the share of each recurrent layer's inputs that training drops."""
        super().__init__()
        self.sizes, self.delay = sizes, 0.0
        self.scaling: Scaling | None = None
        self.dropout = nn.Dropout(dropout)
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
        # with so few channels the convolutions run sixty times as fast in this order of memory
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

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
        x = self.convolve(spectrogram, lengths)
        for index in range(self.sizes.num_layers):
            x = self._recur(index, x, lengths)  # (K, B, H)
        return self.finish(x).transpose(0, 1)

    def convolve(
        self, spectrogram: torch.Tensor, lengths: torch.Tensor | None = None
    ) -> torch.Tensor:
        """(K, B, C·41) from (B, 161, T), zero behind the (B,) lengths (outputs) of the items."""
        x = spectrogram[:, None]  # (B, 1, 161, T)
        for module in self.get_submodule("conv.seq_module").children():
            x = _zero_tail(module(x), lengths)
        return x.flatten(1, 2).permute(2, 0, 1)

    def normalise(self, index: int, x: torch.Tensor) -> torch.Tensor:
        """Batch norm in front of a recurrent layer, (K, B, H); the first layer has none."""
        if index:
            norm = self.get_submodule(f"rnns.{index}.batch_norm.module")
            x = norm(x.flatten(0, 1)).view_as(x)
        return x

    def finish(self, x: torch.Tensor) -> torch.Tensor:
        """(K, B, 29) log-softmax from the last recurrent layer's (K, B, H)."""
        if self.sizes.lookahead:
            x = self._look_ahead(x)
        flat: torch.Tensor = self.get_submodule("fc.0.module")(x.flatten(0, 1))
        return flat.log_softmax(-1).view(*x.shape[:2], -1)

    def _recur(self, index: int, x: torch.Tensor, lengths: torch.Tensor | None) -> torch.Tensor:
        x = self.dropout(self.normalise(index, x))
        recurrent = self.get_submodule(f"rnns.{index}.rnn")
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
    recurrent: Any = RECURRENT[sizes.rnn_type]
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
    tensors, labels, own = _read_tensors(path)
    try:
        network = DeepSpeechNetwork(infer_sizes(tensors))
        network.delay = float(own.get("delay", 0))
        network.scaling = _read_scaling(own)
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


def _read_scaling(metadata: Mapping[str, str]) -> Scaling | None:
    names = [field.name for field in dataclasses.fields(Scaling)]
    if not any(name in metadata for name in names):
        return None
    return Scaling(**{name: float(metadata[name]) for name in names})


def describe_network(delay: float, scaling: Scaling | None) -> dict[str, str]:
    """The metadata from which `load_network` knows what is no tensor."""
    numbers = dataclasses.asdict(scaling) if scaling else {}
    return {
        "labels": "".join(DEEPSPEECH_SYMBOLS),
        "delay": f"{delay:.4f}",
        **{name: repr(value) for name, value in numbers.items()},
    }


def _read_tensors(path: Path) -> tuple[dict[str, torch.Tensor], str, dict[str, str]]:
    """State dict, labels and metadata of a weights file; only safetensors have any of the last."""
    if path.suffix == ".safetensors":
        tensors, metadata = weights_files.read_safetensors(path)
        return tensors, metadata.get("labels", DEEPSPEECH_SYMBOLS), metadata
    content = weights_files.read_checkpoint(path)
    state = content.get("state_dict", content) if isinstance(content, dict) else None
    if not isinstance(state, dict):
        raise SetupError(f"{path}: holds no state dict")
    hyper = content.get("hyper_parameters")  # of Lightning; version 2 has its labels beside it
    labels = (hyper if isinstance(hyper, dict) else content).get("labels")
    text = "".join(map(str, labels)) if isinstance(labels, list | str) else PUBLISHED_LABELS
    return {k: v for k, v in state.items() if isinstance(v, torch.Tensor)}, text, {}
