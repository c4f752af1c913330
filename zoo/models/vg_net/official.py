"""Checkpoints of VG-net's generator that ATVGnet's authors released, as checkpoints of the zoo.

What is known of `generator_23.pth`: a state dict, its names prefixed `module.`, with the layers of
`zoo.models.vg_net.networks` in the sizes of `paper`. Their names are not known, so layers are told
by their order and shapes, and the three convolutions of the recurrent unit, which are of one shape,
by `update` and `reset` in their names. What does not fit is refused.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from toolkit.errors import ToolkitError
from toolkit.facemodel.model import load_default
from toolkit.storage import hash_file
from zoo.landmarks.align import view68
from zoo.landmarks.aligned import average_aligned
from zoo.models.vg_net import FAMILY
from zoo.models.vg_net.networks import VGNet, create_vg_net
from zoo.training.checkpoint import load_checkpoint

PREFIX = "module."

OFFICIAL_MARGIN = 1.28
"""The released code cuts half a square of 0.64 times the height of the face."""

_GATES = ("update", "reset")

_SPARE = ("bias", "num_batches_tracked")
"""What a layer of the file may lack."""

Layers = dict[str, dict[str, Tensor]]
"""Name of each layer -> name of each of its tensors -> tensor, in the file's order."""


def convert_official(path: Path) -> dict[str, Any]:
    """A generator's checkpoint of the released code, as content of one of the zoo.

    A bias before a norm, where the zoo's layer has none, goes into the norm's mean; where the file
    has none it is 0. The authors' mean face is not in the file: the toolkit's stands for it.

    Args:
        path: a state dict that torch saved; nothing in it is executed.

    Returns:
        `kind`, `recipe` (preset and the file's digest) and `model`, as a run's `best.pt` has it.

    Raises:
        ToolkitError: the file is missing, damaged, or of another layout.
    """
    state = _translate(path, _read_layers(path, load_checkpoint(path)))
    return {
        "kind": FAMILY.name,
        "recipe": {"preset": "paper", "converted": hash_file(path)},
        "model": {
            "preset": "paper",
            "ablate": "",
            "generator": state,
            "mean_face": torch.from_numpy(
                average_aligned([view68(load_default().mean_shape)[None]])
            ),
            "margin": OFFICIAL_MARGIN,
            "landmarks": "dlib's 68 points",
            "trained_on": [],
        },
    }


def _translate(path: Path, layers: Layers) -> dict[str, Tensor]:
    """The file's tensors under the zoo's names: layer by layer, in order."""
    expected = list(_list_layers(_describe()))
    if len(layers) != len(expected):
        raise _refuse(path, f"it has {len(layers)} layers, not {len(expected)}")
    state, spare = dict[str, Tensor](), torch.zeros(())
    for (name, given), (own_name, layer) in zip(layers.items(), expected, strict=True):
        own = layer.state_dict()
        for entry, value in own.items():
            if entry not in given and entry not in _SPARE:
                raise _refuse(path, f"{name} has no {entry}")
            found = given.get(entry, torch.zeros(value.shape))
            if found.shape != value.shape:
                shapes = f"{tuple(found.shape)}, not {tuple(value.shape)}"
                raise _refuse(path, f"{name}.{entry} is {shapes}")
            state[f"{own_name}.{entry}"] = found.to(value.dtype).clone()
        if isinstance(layer, nn.BatchNorm2d):
            state[f"{own_name}.running_mean"] -= spare
        spare = torch.zeros(()) if "bias" in own else given.get("bias", torch.zeros(()))
    return state


def _read_layers(path: Path, released: Any) -> Layers:
    """The file's layers, its three gates as the two convolutions that they are here."""
    is_plain = isinstance(released, Mapping) and all(
        isinstance(value, Tensor) and str(name).startswith(PREFIX)
        for name, value in released.items()
    )
    if not is_plain:
        raise _refuse(path, f"it is no state dict with names of {PREFIX}…")
    layers: Layers = {}
    for key, value in released.items():
        name, _, entry = str(key).removeprefix(PREFIX).rpartition(".")
        layers.setdefault(name, {})[entry] = value
    if bare := [name for name, tensors in layers.items() if "weight" not in tensors]:
        raise _refuse(path, f"{bare[0]} has no weight")
    return _join_gates(path, layers)


def _join_gates(path: Path, layers: Layers) -> Layers:
    """Update and reset as one convolution, then the candidate, where the first of the three is."""
    shape = tuple(_describe().recurrent.candidate.weight.shape)
    gates = [name for name, tensors in layers.items() if tuple(tensors["weight"].shape) == shape]
    named = [[name for name in gates if word in name.lower()] for word in _GATES]
    if len(gates) != 3 or [len(names) for names in named] != [1, 1]:
        raise _refuse(path, f"of three layers {shape} one must be named update and one reset")
    (update,), (reset,) = named
    (candidate,) = set(gates) - {update, reset}
    both: dict[str, Tensor] = {
        entry: torch.cat([layers[update][entry], layers[reset][entry]])
        for entry in ("weight", "bias")
        if entry in layers[update]
    }
    joined: Layers = {}
    for name, tensors in layers.items():
        if name == gates[0]:
            joined |= {f"{update} and {reset}": both, candidate: layers[candidate]}
        elif name not in gates:
            joined[name] = tensors
    return joined


def _describe() -> VGNet:
    """The network, with shapes and types but no numbers."""
    with torch.device("meta"):
        return create_vg_net("paper")


def _list_layers(network: VGNet) -> Iterator[tuple[str, nn.Module]]:
    """Layers with numbers, in order."""
    kinds = nn.Conv2d | nn.ConvTranspose2d | nn.Linear | nn.BatchNorm2d
    for name, layer in network.named_modules():
        if isinstance(layer, kinds):
            yield name, layer


def _refuse(path: Path, why: str) -> ToolkitError:
    return ToolkitError(f"{path}: not VG-net's generator of the released code: {why}")
