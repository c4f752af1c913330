"""Whose motion is it? Classifiers of head pose and of blinks over windows of 128 frames.

FACIAL's personalisation metric (supplement, section 3): N-way classifiers, trained on real motion,
tell how much of a person's style generated motion has. The pose loses its clip's mean, which says
where the camera stood; AU45 keeps its own. The supplement names "typical convolutional layers
followed by an average pooling layer and one dense layer": here four of stride 2, each with batch
normalisation and ReLU, which together see 61 frames.

Legend: B windows, T = 128 frames, K dimensions (6 of pose, 1 of AU45), N identities.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from toolkit.errors import ToolkitError
from zoo.data import AU45, MIN_FRAMES, MOTION_LAYOUT, POSE, WINDOW
from zoo.data.batches import join_windows, make_mask
from zoo.metrics.confusion import Confusion, count_confusion
from zoo.models.style import FAMILY
from zoo.training.checkpoint import load_checkpoint
from zoo.training.networks import copy_to_cpu
from zoo.training.options import find_preset

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

    def forward(self, windows: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """Scores before the softmax; with a mask, as in `MotionBatch`, of the clips' own frames."""
        if mask is not None:
            windows = windows.where(mask[..., None], 0)
        x = (windows / self.scale).transpose(1, 2)  # (B, K, T)
        x = self.convolutions(x)  # (B, 128, T / 16)
        if mask is None:
            return torch.as_tensor(self.dense(x.mean(dim=-1)))
        weights = mask[:, None, :: 2 ** len(CHANNELS)].to(x.dtype)
        return torch.as_tensor(self.dense((x * weights).sum(dim=-1) / weights.sum(dim=-1)))


class StyleWindows:
    """Windows of 128 frames of clips, every `stride` frames and the last of each clip.

    A shorter clip of `MIN_FRAMES` or more is one window, padded at its end.

    Attributes:
        motion: (all frames, 71) float32 of the clips that are long enough, end to end; pose less
            its clip's mean.
        labels: (w,) int64 numbers of identities.

    Raises:
        ToolkitError: no clip of these identities has `MIN_FRAMES`.
    """

    def __init__(self, clips: Iterable[Labelled], identities: Sequence[str], stride: int) -> None:
        chosen = [(i, m) for i, m in clips if i in identities and len(m) >= MIN_FRAMES]
        if not chosen:
            raise ToolkitError(
                f"no clip of {', '.join(identities)} has {MIN_FRAMES} frames: "
                "split the dataset so that each part has every identity (ttk split --by clip)"
            )
        arrays = [{"motion": _remove_mean(motion)} for _, motion in chosen]
        self.motion = np.concatenate([clip["motion"] for clip in arrays])
        self._windows = join_windows(arrays, WINDOW, stride)
        numbers = np.array([identities.index(identity) for identity, _ in chosen], np.int64)
        self.labels = numbers[self._windows.place(np.arange(len(self._windows)))[0]]

    def __len__(self) -> int:
        return len(self._windows)

    def gather(self, windows: npt.NDArray[np.int64]) -> torch.Tensor:
        """Motion (B, T, 71) of (B,) numbers of windows."""
        return torch.from_numpy(self._windows.read(windows)["motion"])

    def make_mask(self, windows: npt.NDArray[np.int64]) -> torch.Tensor | None:
        """(B, T) bool as in `MotionBatch`."""
        return make_mask(self._windows, windows)


def _remove_mean(motion: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    values = np.array(motion, np.float32)
    values[:, POSE] -= values[:, POSE].mean(axis=0, dtype=np.float64).astype(np.float32)
    return values


class StyleClassifiers(nn.Module):
    """A classifier of each style, over the same identities.

    Attributes:
        identities: names of the N.
        fps: frames a second of the motion they know.
        networks: pose, blink -> network.
    """

    def __init__(self, identities: Sequence[str], fps: int) -> None:
        """Untrained ones."""
        super().__init__()
        self.identities, self.fps = tuple(identities), fps
        self.networks = nn.ModuleDict(
            {
                name: StyleClassifier(part.stop - part.start, len(self.identities))
                for name, part in STYLES.items()
            }
        )

    def forward(self, motion: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """Scores (2, B, N), of pose and of blinks, from motion (B, T, 71) less mean poses."""
        scores = [self.networks[name](motion[..., part], mask) for name, part in STYLES.items()]
        return torch.stack(scores)

    def measure(self, clips: Iterable[Labelled], *, stride: int = 5) -> dict[str, Confusion]:
        """How often motion is taken for that of its identity.

        Args:
            clips: real or generated, in stored units; those below `MIN_FRAMES` and those of
                identities that the classifiers do not know are left out.
            stride: frames from window to window.

        Returns:
            pose, blink -> confusion of windows.

        Raises:
            ToolkitError: no clip is left.
        """
        windows = StyleWindows(clips, self.identities, stride)
        preds = self._classify(windows)
        return {
            name: count_confusion(self.identities, windows.labels, pred)
            for name, pred in zip(STYLES, preds, strict=True)
        }

    def _classify(self, windows: StyleWindows) -> npt.NDArray[np.int64]:
        """Numbers (2, w) of the identities that windows are taken for, by pose and by blinks."""
        self.eval()
        device = next(self.parameters()).device
        preds = list[npt.NDArray[np.int64]]()
        with torch.inference_mode():
            for first in range(0, len(windows), _PIECE):
                places = np.arange(first, min(first + _PIECE, len(windows)))
                batch, mask = windows.gather(places), windows.make_mask(places)
                scores = self(batch.to(device), None if mask is None else mask.to(device))
                preds.append(scores.argmax(dim=2).cpu().numpy())
        return np.concatenate(preds, axis=1)

    def export(self) -> dict[str, Any]:
        """Plain data for a checkpoint."""
        states = {name: copy_to_cpu(network) for name, network in self.networks.items()}
        identities = list(self.identities)
        return {"identities": identities, "fps": self.fps, "layout": MOTION_LAYOUT} | states


def create_classifiers(
    preset: str = "paper", *, identities: Sequence[str] = ("a", "b"), fps: int = 30
) -> StyleClassifiers:
    """Untrained classifiers of these identities; ValueError for another preset than `paper`."""
    find_preset(dict.fromkeys(FAMILY.presets), preset)
    return StyleClassifiers(identities, fps)


def open_classifiers(path: Path, device: torch.device | str = "cpu") -> StyleClassifiers:
    """The classifiers of a run of `zoo train personalization`.

    Raises:
        ToolkitError: no such checkpoint, of something else, or of another layout of motion.
    """
    model = load_checkpoint(path, FAMILY.name)["model"]
    if model["layout"] != MOTION_LAYOUT:
        raise ToolkitError(f"{path}: knows motion of {model['layout']}, not of {MOTION_LAYOUT}")
    classifiers = StyleClassifiers(model["identities"], model["fps"])
    for name, network in classifiers.networks.items():
        network.load_state_dict(model[name])
    return classifiers.to(device)
