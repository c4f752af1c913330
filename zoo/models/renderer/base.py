"""Another renderer's weights, of anyone or of several people, as the beginning of a run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from toolkit.errors import ToolkitError
from toolkit.storage import hash_file
from zoo.models.renderer import FAMILY
from zoo.training.checkpoint import load_checkpoint


def take_base(
    path: Path, own: Mapping[str, Any], networks: Mapping[str, nn.Module]
) -> dict[str, Any]:
    """Put a checkpoint's weights into networks; what to say of it in checkpoints that began so.

    Args:
        path: the checkpoint.
        own: what it must agree with, as checkpoints name it.
        networks: `generator`, and those that it may lack: checkpoints of before have no
            discriminators.

    Raises:
        ToolkitError: no renderer's checkpoint, or one of another kind or version.
    """
    content = load_checkpoint(path, FAMILY.name)["model"]
    for name, value in own.items():
        if (known := content.get(name, False)) != value:
            raise ToolkitError(
                f"{path}: {name.replace('_', ' ')} {_say(known)}, not {_say(value)}: "
                "begin with another renderer, or without --base"
            )
    try:
        for name, network in networks.items():
            if name == "generator" or name in content:
                network.load_state_dict(content[name])
    except RuntimeError as error:
        raise ToolkitError(
            f"{path}: its weights do not fit this version's networks: begin without --base"
        ) from error
    return {
        "identity": _name_people(content),
        "sha256": hash_file(path),
        "base": content.get("base"),
    }


def _name_people(content: dict[str, Any]) -> str:
    """Whom a checkpoint learnt."""
    people = content.get("people") or [content["person"]]
    return ", ".join(person["identity"] for person in people)


def _say(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return " ".join(map(str, value.values())) if isinstance(value, dict) else str(value)
