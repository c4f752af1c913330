"""Networks of random weights, for tests that need a network and nothing that it has learnt."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from toolkit.features.deepspeech import DeepSpeechNetwork, NetworkSizes
from zoo.data import MOTION_LAYOUT, Normalisation
from zoo.data.contract import Contract
from zoo.models.facial.model import create_facial_gan
from zoo.training.checkpoint import save_checkpoint

TINY = NetworkSizes(conv_channels=(2, 3), rnn_type="gru", hidden_size=12, num_layers=2)


def make_random_network(sizes: NetworkSizes = TINY) -> DeepSpeechNetwork:
    """Always the same weights, ready to run."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return DeepSpeechNetwork(sizes).eval()


def make_normalisation(*names: str) -> Normalisation:
    """Statistics that change nothing but the mean pose, 0.1 everywhere."""
    return Normalisation(
        kind="split",
        audio_mean=np.zeros(29, np.float32),
        audio_scale=np.ones(29, np.float32),
        pose_scale=np.ones(6, np.float32),
        expression_scale=1.0,
        pose_means={name: np.full(6, 0.1, np.float32) for name in names},
        pose_deviations={name: np.ones(6, np.float32) for name in names},
    )


def make_contract(**changes: Any) -> Contract:
    """Of the present layout at 30 frames a second."""
    known = {"layout": MOTION_LAYOUT, "fps": 30, "scale": "log_prob", "backends": {}}
    return Contract(**(known | changes))


def save_model(path: Path, *names: str, **contract: Any) -> Path:
    """A motion model of random weights that knows these people."""
    torch.manual_seed(0)
    model = create_facial_gan("small")
    content = {
        "preset": "small",
        "without": "",
        "generator": model.generator.state_dict(),
        "normalisation": make_normalisation(*names).to_state(),
        "contract": make_contract(**contract).to_state(),
    }
    save_checkpoint(path, {"kind": "facial-gan", "recipe": {}, "model": content})
    return path
