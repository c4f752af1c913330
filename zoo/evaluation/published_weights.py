"""Published weights in torch's files, loaded strictly into networks of the same layout.

Nothing of a file is executed. A file of another network is one error that says what it lacks.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from toolkit.errors import SetupError
from toolkit.storage import hash_file
from toolkit.weights import read_checkpoint

Network = TypeVar("Network", bound=nn.Module)

_COUNTER = "num_batches_tracked"
"""Of batch normalisation: of no use once a network is trained, and not in every file."""


class PublishedFile(NamedTuple):
    """A file that others publish.

    Attributes:
        what: what it holds, for messages.
        name: of the file.
        digests: beginnings of its SHA-256, as the publisher states them; none: not stated.
    """

    what: str
    name: str
    digests: tuple[str, ...] = ()


def read_weights(path: Path, published: PublishedFile) -> dict[str, Tensor]:
    """Name -> tensor, those of floats in float32, of a torch file of weights.

    Raises:
        SetupError: no such file, or of something else.
    """
    if not path.is_file():
        what = "a folder: give the file in it" if path.is_dir() else "no such file"
        raise SetupError(f"{path}: {what}")
    try:
        content = read_checkpoint(path)
    except SetupError as error:
        raise refuse(path, published, "it is no file of plain torch weights") from error
    if not isinstance(content, Mapping) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in content.items()
    ):
        raise refuse(path, published, "it holds more than names and tensors")
    return {name: t.float() if t.is_floating_point() else t for name, t in content.items()}


def load_strictly(
    create: Callable[[], Network],
    weights: Mapping[str, Tensor],
    path: Path,
    published: PublishedFile,
) -> Network:
    """The network with these weights, for use: every name and shape is as in the file.

    Args:
        create: makes the network, with all that the file holds.
        weights: as `read_weights` gives them.
        path: where they come from.
        published: what they should be.

    Raises:
        SetupError: a name or a shape differs, or a number is not finite.
    """
    with torch.device("meta"):  # nothing is drawn for weights that are replaced
        network = create()
    expected = network.state_dict()
    counters = {name: torch.zeros((), dtype=torch.long) for name in expected if _COUNTER in name}
    given = counters | dict(weights)
    if wrong := _find_difference(expected, given):
        raise refuse(path, published, wrong)
    if bad := next((name for name, t in given.items() if not torch.isfinite(t).all()), ""):
        raise refuse(path, published, f"{bad} is not finite")
    network.load_state_dict(given, assign=True)
    return network.requires_grad_(False).eval()


def _find_difference(expected: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> str:
    """What a file has otherwise; "" where nothing."""
    for name, tensor in expected.items():
        if name not in given:
            return f"it lacks {name}"
        if given[name].shape != tensor.shape:
            return f"{name} is {tuple(given[name].shape)}, not {tuple(tensor.shape)}"
    return next((f"it has {name} besides" for name in given if name not in expected), "")


def refuse(path: Path, published: PublishedFile, why: str) -> SetupError:
    """The error of a file that is another than the published one."""
    return SetupError(f"{path}: not {published.what} ({published.name}): {why}")


def write_label(path: Path, published: PublishedFile) -> str:
    """A file's name with its digest, and whether it stands in for the published one."""
    digest = hash_file(path)
    is_other = published.digests and not digest.startswith(published.digests)
    note = f", a stand-in for {published.name}" if is_other else ""
    return f"{path.name}, sha256 {digest[:12]}…{note}"


def write_levels(picture: Any, device: torch.device) -> Tensor:
    """(1, 3, H, W) float32 levels, 0 to 255, of a picture (H, W, 3) uint8."""
    return torch.from_numpy(picture).to(device).permute(2, 0, 1)[None].float()
