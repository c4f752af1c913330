"""What a run of the acoustic model leaves: a checkpoint, and weights that the toolkit takes."""

from pathlib import Path
from typing import Any

import torch

from toolkit.features.deepspeech import DeepSpeechNetwork
from toolkit.features.deepspeech_network import describe_network
from toolkit.features.deepspeech_sizes import NetworkSizes
from toolkit.features.transcribe import open_network
from toolkit.storage import check_ending
from zoo.models.deepspeech import FAMILY
from zoo.models.deepspeech.chains import SCALING
from zoo.training.checkpoint import load_checkpoint, save_weights
from zoo.training.options import find_preset

WEIGHTS = "best.safetensors"
"""What a run of the recipe leaves for users, in its folder."""


PRESETS = {"small": NetworkSizes()}
"""`small`: the one whose weights come with the toolkit."""


def create_deepspeech(preset: str = "small", **options: Any) -> DeepSpeechNetwork:
    """A network with random weights, from spectrograms (B, 161, T) to scores (B, K, 29).

    Args:
        preset: one of `PRESETS`.
        options: of `DeepSpeechNetwork`.

    Raises:
        ValueError: an unknown preset.
    """
    return DeepSpeechNetwork(find_preset(PRESETS, preset), **options)


def open_deepspeech(path: Path, device: torch.device | str = "cpu") -> DeepSpeechNetwork:
    """The network of a file of weights or of a run's folder; SetupError where it is refused."""
    return open_network(find_run_weights(path)).to(device)


def find_run_weights(path: Path | None) -> Path | None:
    """`WEIGHTS` of a run's folder; any other path as it is."""
    return path / WEIGHTS if path is not None and path.is_dir() else path


def export_weights(checkpoint: Path, target: Path, delay: float = 0.0) -> None:
    """Write a checkpoint's network as float16 safetensors; its statistics stay float32.

    Args:
        checkpoint: of a run.
        target: the file to write.
        delay: seconds by which the network was measured to be late.

    Raises:
        ValueError: the file's name does not end in `.safetensors`, by which such weights are known.
    """
    check_ending(target, (".safetensors",))
    model = load_checkpoint(checkpoint, FAMILY.name)["model"]
    save_weights(target, model["network"], describe_network(delay, SCALING))
