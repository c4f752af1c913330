"""Checkpoints: written whole or not at all, loaded without running anything in them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

from toolkit.errors import ToolkitError
from toolkit.storage import write_whole


def save_checkpoint(path: Path, content: dict[str, Any]) -> None:
    """Write tensors, numbers, texts, lists and dicts of them.

    Raises:
        StorageError: the disk refuses.
    """
    with write_whole(path) as temporary, temporary.open("wb") as file:
        try:
            torch.save(content, file)
        except RuntimeError as error:  # torch's own, about the archive that it could not finish
            cause = error.__context__
            if isinstance(cause, OSError):
                raise cause from None
            raise


def load_checkpoint(path: Path, kind: str | None = None) -> dict[str, Any]:
    """What `save_checkpoint` wrote, on the CPU.

    Args:
        path: the file.
        kind: the `kind` it must have, if given: the recipe that wrote it.

    Raises:
        ToolkitError: it is missing, damaged, not plain data, or of another kind.
    """
    if path.is_dir():
        raise ToolkitError(f"{path}: a folder: name the checkpoint in it, as best.pt of a run")
    if not path.is_file():
        raise ToolkitError(f"{path}: no such checkpoint")
    try:
        content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file fails in any way, all of them harmless
        # torch's own message advises to run whatever is in the file
        raise ToolkitError(f"{path}: damaged or not a checkpoint of the zoo") from error
    found = content.get("kind") if isinstance(content, dict) else None
    if kind is not None and found != kind:
        raise ToolkitError(f"{path}: a checkpoint of {found or 'something else'}, not of {kind}")
    return content


def save_weights(path: Path, weights: Mapping[str, torch.Tensor], about: dict[str, str]) -> None:
    """Write a network's weights as float16 safetensors; statistics and counters as they are.

    Args:
        path: the file to write.
        weights: name in the network -> tensor.
        about: the file's metadata.

    Raises:
        StorageError: the disk refuses.
    """
    tensors = {
        name: (tensor if _is_statistic(name) else tensor.half()).contiguous()
        for name, tensor in weights.items()
    }
    with write_whole(path) as temporary:
        temporary.write_bytes(save(tensors, about))  # `save_file` makes it its owner's alone


def _is_statistic(name: str) -> bool:
    """Whether a tensor is of batch normalisation's running statistics, by its name."""
    return name.endswith(("running_mean", "running_var", "num_batches_tracked"))
