"""Checkpoints: written whole or not at all, loaded without running anything in them."""

from pathlib import Path
from typing import Any

import torch

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
