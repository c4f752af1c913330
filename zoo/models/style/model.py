"""Whose motion is it? Classifiers of head pose and of blinks over windows of 128 frames.

FACIAL's personalisation metric (supplement, section 3): N-way classifiers, trained on real motion,
tell how much of a person's style generated motion has. The pose loses its clip's mean, which says
where the camera stood; AU45 keeps its own. The supplement names "typical convolutional layers
followed by an average pooling layer and one dense layer": here four of stride 2, each with batch
normalisation and ReLU, which together see 61 frames.

Legend: B windows, T = 128 frames, K dimensions (6 of pose, 1 of AU45), N identities.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from toolkit.errors import ToolkitError
from zoo.data import AU45, MOTION_LAYOUT, POSE, WINDOW
from zoo.data.batches import place_windows
from zoo.metrics.confusion import Confusion, count_confusion
from zoo.training.checkpoint import load_checkpoint

KIND = "personalization"
STYLES = {"pose": POSE, "blink": AU45}
"""Classifier -> the dimensions it sees."""

CHANNELS = (32, 64, 128, 128)
KERNEL = 5
_PIECE = 1024

Labelled = tuple[str, npt.NDArray[np.float32]]
"""Identity and motion (n, 71), in stored units, of a clip."""


class StyleClassifier(nn.Module):
    """Scores (B, N) of identities from windows (B, T, K) of style, as `StyleWindows` cuts them."""

    scale: torch.Tensor

    def __init__(self, num_dimensions: int, num_identities: int) -> None:
        super().__init__()
        layers, width = list[nn.Module](), num_dimensions
        for channels in CHANNELS:
            layers += [
                nn.Conv1d(width, channels, KERNEL, stride=2, padding=KERNEL // 2, bias=False),
                nn.BatchNorm1d(channels),
                nn.ReLU(),
            ]
            width = channels
        self.convolutions = nn.Sequential(*layers)
        self.dense = nn.Linear(width, num_identities)
        self.register_buffer("scale", torch.ones(num_dimensions))

    def forward(self, windows: torch.Tensor) -> torch.Tensor:
        """Scores before the softmax."""
        x = (windows / self.scale).transpose(1, 2)  # (B, K, T)
        pooled = self.convolutions(x).mean(dim=-1)  # (B, 128)
        return torch.as_tensor(self.dense(pooled))


class StyleWindows:
    """Windows of 128 frames of clips, every `stride` frames and the last of each clip.

    Attributes:
        motion: (all frames, 71) float32 of the clips that are long enough, end to end; pose less
            its clip's mean.
        starts: (w,) int64 first frames.
        labels: (w,) int64 numbers of identities.

    Raises:
        ToolkitError: no clip of these identities is as long as a window.
    """

    def __init__(self, clips: Iterable[Labelled], identities: Sequence[str], stride: int) -> None:
        chosen = [(i, m) for i, m in clips if i in identities and len(m) >= WINDOW]
        if not chosen:
            raise ToolkitError(
                f"no clip of {', '.join(identities)} has {WINDOW} frames: "
                "split the dataset so that each part has every identity (ttk split --by clip)"
            )
        self.motion = np.concatenate([_remove_mean(motion) for _, motion in chosen])
        ends = np.cumsum([len(motion) for _, motion in chosen])
        starts = [place_windows(len(motion), WINDOW, stride) for _, motion in chosen]
        firsts = ends - [len(motion) for _, motion in chosen]
        self.starts = np.concatenate([f + s for f, s in zip(firsts, starts, strict=True)])
        numbers = [identities.index(identity) for identity, _ in chosen]
        self.labels = np.repeat(np.array(numbers), [len(s) for s in starts]).astype(np.int64)

    def __len__(self) -> int:
        return len(self.starts)

    def gather(self, windows: npt.NDArray[np.int64]) -> torch.Tensor:
        """Motion (B, T, 71) of (B,) numbers of windows."""
        return torch.from_numpy(self.motion[self.starts[windows, None] + np.arange(WINDOW)])


def _remove_mean(motion: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    values = np.array(motion, np.float32)
    values[:, POSE] -= values[:, POSE].mean(axis=0, dtype=np.float64).astype(np.float32)
    return values


@dataclass(frozen=True, eq=False)
class Classifiers:
    """Trained classifiers.

    Attributes:
        identities: names of the N.
        networks: pose, blink -> network.
        fps: frames a second of the motion they know.
    """

    identities: tuple[str, ...]
    networks: dict[str, StyleClassifier]
    fps: int

    def export(self) -> dict[str, Any]:
        """Plain data for a checkpoint."""
        states = {
            name: {key: tensor.cpu().clone() for key, tensor in network.state_dict().items()}
            for name, network in self.networks.items()
        }
        identities = list(self.identities)
        return {"identities": identities, "fps": self.fps, "layout": MOTION_LAYOUT} | states


def load_classifiers(path: Path) -> Classifiers:
    """The classifiers of a run of `zoo train personalization`.

    Raises:
        ToolkitError: no such checkpoint, of something else, or of another layout of motion.
    """
    model = load_checkpoint(path, KIND)["model"]
    if model["layout"] != MOTION_LAYOUT:
        raise ToolkitError(f"{path}: knows motion of {model['layout']}, not of {MOTION_LAYOUT}")
    classifiers = create_classifiers(tuple(model["identities"]), model["fps"])
    for name, network in classifiers.networks.items():
        network.load_state_dict(model[name])
    return classifiers


def create_classifiers(identities: tuple[str, ...], fps: int) -> Classifiers:
    """Untrained classifiers of these identities."""
    networks = {
        name: StyleClassifier(part.stop - part.start, len(identities))
        for name, part in STYLES.items()
    }
    return Classifiers(identities, networks, fps)


def measure_personalization(
    classifiers: Classifiers, clips: Iterable[Labelled], *, stride: int = 5
) -> dict[str, Confusion]:
    """How often motion is taken for that of its identity.

    Args:
        classifiers: trained on real motion.
        clips: real or generated, in stored units; those shorter than a window and those of
            identities that the classifiers do not know are left out.
        stride: frames from window to window.

    Returns:
        pose, blink -> confusion of windows.

    Raises:
        ToolkitError: no clip is left.
    """
    windows = StyleWindows(clips, classifiers.identities, stride)
    return {
        name: count_confusion(
            classifiers.identities, windows.labels, _classify(network, windows, p)
        )
        for (name, network), p in zip(classifiers.networks.items(), STYLES.values(), strict=True)
    }


def _classify(
    network: StyleClassifier, windows: StyleWindows, part: slice
) -> npt.NDArray[np.int64]:
    """Numbers (w,) of the identities that windows are taken for."""
    network.eval()
    device = network.scale.device
    found = list[npt.NDArray[np.int64]]()
    with torch.inference_mode():
        for first in range(0, len(windows), _PIECE):
            batch = windows.gather(np.arange(first, min(first + _PIECE, len(windows))))
            found.append(network(batch[..., part].to(device)).argmax(dim=1).cpu().numpy())
    return np.concatenate(found)
