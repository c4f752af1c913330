"""Files in the layout of published networks, with weights that are drawn or all alike."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from toolkit.storage import hash_file
from zoo.evaluation import learned_distance


def list_shapes(create: Callable[[], nn.Module]) -> dict[str, tuple[int, ...]]:
    """Name -> shape of every number of a network; nothing is drawn."""
    with torch.device("meta"):
        return {name: tuple(tensor.shape) for name, tensor in create().state_dict().items()}


def draw_weights(shapes: dict[str, tuple[int, ...]], seed: int = 0) -> dict[str, Tensor]:
    """Weights under which numbers neither vanish nor grow, in the order of the names."""
    rng, found = np.random.default_rng(seed), {}
    for name, shape in sorted(shapes.items()):
        if not shape:
            values = np.zeros((), np.int64)
        elif len(shape) > 1:
            scale = np.float32(np.sqrt(2 / np.prod(shape[1:])))
            values = rng.standard_normal(shape, np.float32) * scale
        elif name.endswith(("weight", "running_var")):
            values = np.float32(0.5) + rng.random(shape, np.float32)
        else:
            values = np.float32(0.2) * rng.standard_normal(shape, np.float32)
        found[name] = torch.from_numpy(np.asarray(values))
    return found


def write_alike(path: Path, shapes: dict[str, tuple[int, ...]]) -> Path:
    """A small file whatever the shapes: every layer gives the mean of what it sees, and no bias."""
    weights = {}
    for name, shape in shapes.items():
        one = 1 / np.prod(shape[1:]) if len(shape) > 1 else float("bias" not in name)
        value = 0.0 if name.endswith("running_mean") else one
        kind = torch.float32 if shape else torch.int64
        weights[name] = torch.tensor(value, dtype=kind).expand(shape)
    torch.save(weights, path)
    return path


def draw_picture(height: int, width: int) -> np.ndarray:
    """(height, width, 3) uint8 with slopes and edges, another in each colour."""
    y, x, c = np.mgrid[:height, :width, :3]
    return ((3 * x + 5 * y + 60 * c + 40 * np.sin(x / 9) * np.cos(y / 7)) % 256).astype(np.uint8)


def list_layers(name: str) -> list[Tensor]:
    """Five layers (C,) of LPIPS for `alex` or `vgg`, by a rule."""
    channels = {"alex": (64, 192, 384, 256, 256), "vgg": (64, 128, 256, 512, 512)}[name]
    return [(torch.arange(c) * 7 + 3 * k) % 11 / 11.0 for k, c in enumerate(channels)]


def install_layers(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files in the layout of the package lpips, where it would be installed."""
    weights = folder / learned_distance.PACKAGE / "weights" / "v0.1"
    weights.mkdir(parents=True)
    known = {}
    for name in learned_distance.LAYERS:
        layers = {
            f"lin{k}.model.1.weight": layer.reshape(1, -1, 1, 1)
            for k, layer in enumerate(list_layers(name))
        }
        torch.save(layers, weights / f"{name}.pth")
        known[name] = hash_file(weights / f"{name}.pth")
    monkeypatch.setattr(learned_distance, "LAYERS", known)
    monkeypatch.setattr(learned_distance, "find_layers", lambda name: weights / f"{name}.pth")
