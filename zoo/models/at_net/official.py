"""AT-net's weights of the code that ATVGnet's authors released, as checkpoints of the zoo.

Their sizes are known and the names of their layers are not: layers are told apart by their shapes,
and layers of one shape by their order. The coefficients' mean and directions lie in files of their
own, of LRW; without them a converted network makes coefficients, but no landmarks.
"""

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from toolkit.errors import ToolkitError
from toolkit.storage import hash_file
from zoo.data.sound_landmarks import make_contract
from zoo.landmarks.aligned import NUM_PCS, AlignedStatistics
from zoo.models.at_net import FAMILY
from zoo.models.at_net.networks import create_at_net
from zoo.training.checkpoint import load_checkpoint

OFFICIAL_CONTRACT = make_contract(25, "dlib 68")
"""What a converted network takes."""

Layer = Mapping[str, Tensor]
"""Its tensors by the last part of their names."""


def convert_official(
    path: Path, *, mean: Path | None = None, directions: Path | None = None
) -> dict[str, Any]:
    """A checkpoint of the released AT-net (`atnet_lstm_18.pth`), as content of one of the zoo.

    Args:
        path: a state dict that torch saved; nothing in it is executed.
        mean: .npy of 136 numbers, landmarks' mean: x and y of the first point, of the next, ….
        directions: .npy of (136, k) numbers, k at least 6, of which the first six columns count.

    Returns:
        `kind`, `recipe` (preset and the file's digest) and `model`: `preset`, `network` (a state
        dict of `AtNet`), `contract`, and with both files `statistics`.

    Raises:
        ToolkitError: a file is missing, damaged or of another layout.
        ValueError: one of `mean` and `directions` without the other.
    """
    if (mean is None) != (directions is None):
        raise ValueError("--mean and --directions belong together: give both or neither")
    model = {
        "preset": "paper",
        "network": _translate(path, load_checkpoint(path)),
        "contract": OFFICIAL_CONTRACT.to_state(),
    }
    if mean is not None and directions is not None:
        model["statistics"] = _read_statistics(mean, directions).to_state()
    recipe = {"preset": "paper", "converted": hash_file(path)}
    return {"kind": FAMILY.name, "recipe": recipe, "model": model}


def _translate(path: Path, released: Any) -> dict[str, Tensor]:
    """The file's tensors under the zoo's names: of each layer the first of its shapes that is left.

    A norm must stand directly behind its convolution.
    """
    with torch.device("meta"):
        own = _group(path, create_at_net("paper").state_dict())
    given = _group(path, released)
    network, chosen = dict[str, Tensor](), list[str]()
    for name, layer in own.items():
        left = [key for key in given if key not in chosen]
        if "running_mean" in layer:
            left = [key for before, key in pairwise(given) if before == chosen[-1]]
        same = [key for key in left if _describe(given[key]) == _describe(layer)]
        if not same:
            what, shape = next(iter(_describe(layer).items()))
            raise ToolkitError(
                f"{path}: not the released AT-net: it lacks a layer of {what} {shape}"
            )
        chosen.append(same[0])
        network |= {f"{name}.{entry}": given[same[0]][entry].clone() for entry in layer}
    if left := sorted(given.keys() - set(chosen)):
        raise ToolkitError(f"{path}: not the released AT-net: it holds {left[0]} as well")
    return network


def _group(path: Path, state: Any) -> dict[str, Layer]:
    """A state dict's layers by their names, in its order."""
    if not isinstance(state, Mapping) or not all(isinstance(x, Tensor) for x in state.values()):
        raise ToolkitError(f"{path}: no state dict, names with a tensor each")
    layers: dict[str, dict[str, Tensor]] = {}
    for name, tensor in state.items():
        layer, _, entry = str(name).rpartition(".")
        layers.setdefault(layer, {})[entry] = tensor
    return dict(layers)


def _describe(layer: Layer) -> dict[str, tuple[int, ...]]:
    return {entry: tuple(tensor.shape) for entry, tensor in layer.items()}


def _read_statistics(mean: Path, directions: Path) -> AlignedStatistics:
    middle = _read_numbers(mean)
    if middle.size != 136:
        raise ToolkitError(f"{mean}: an array {middle.shape}, not of 136 numbers")
    columns = _read_numbers(directions)
    if columns.ndim != 2 or len(columns) != 136 or columns.shape[1] < NUM_PCS:
        raise ToolkitError(f"{directions}: an array {columns.shape}, not (136, {NUM_PCS})")
    return AlignedStatistics(
        mean_shape=middle.reshape(68, 2),
        mean=middle.reshape(136),
        pcs=columns[:, :NUM_PCS].T,
    )


def _read_numbers(path: Path) -> npt.NDArray[np.float64]:
    try:
        with path.open("rb") as file:
            loaded = np.load(file)
            if not isinstance(loaded, np.ndarray):
                raise TypeError("an archive of arrays")
            values = loaded.astype(np.float64)
    except (OSError, ValueError, TypeError, EOFError, BadZipFile) as error:
        raise ToolkitError(f"{path}: no .npy file of numbers") from error
    if not np.isfinite(values).all():
        raise ToolkitError(f"{path}: holds numbers that are NaN or infinite")
    return np.asarray(values)
