"""Checkpoints of the code that FACIAL's authors released, as checkpoints of the zoo.

Their parameters are named after the released modules, the zoo's after
`zoo.models.facial.official`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from toolkit.errors import ToolkitError
from toolkit.facemodel.official import OFFICIAL_FPS, OFFICIAL_LAYOUT
from toolkit.storage import hash_file
from zoo.data.contract import Contract
from zoo.models.facial.official import OfficialGenerator
from zoo.training.checkpoint import load_checkpoint

__all__ = ["OFFICIAL_CONTRACT", "convert_official"]

OFFICIAL_CONTRACT = Contract(
    layout=OFFICIAL_LAYOUT,
    fps=OFFICIAL_FPS,
    scale="logit",
    backends={"deepspeech": "Mozilla DeepSpeech 0.1.0, raw logits"},
)
"""What a converted model takes: no log-probabilities, and no motion of the toolkit's."""

_LEVELS = 5


def convert_official(path: Path) -> dict[str, Any]:
    """A generator's checkpoint (`Gen-….mdl`) of the released code, as content of one of the zoo.

    Args:
        path: a state dict that torch saved; nothing in it is executed.

    Returns:
        `kind`, `recipe` (preset and the file's digest) and `model`: `preset`, `generator` (a state
        dict of `OfficialGenerator`) and `contract` (state of `OFFICIAL_CONTRACT`). There is no
        normalisation: means and deviations of pose are the target clip's, and not in the file.

    Raises:
        ToolkitError: the file is missing, damaged, or of another layout.
    """
    released = load_checkpoint(path)
    expected = {_translate(name): (name, value) for name, value in _describe().items()}
    _check_names(path, released, set(expected))
    generator = {}
    for their_name, (name, value_here) in expected.items():
        value = released[their_name]
        if not isinstance(value, torch.Tensor) or value.shape != value_here.shape:
            shape = tuple(getattr(value, "shape", ())) or type(value).__name__
            raise ToolkitError(f"{path}: {their_name} is {shape}, not {tuple(value_here.shape)}")
        generator[name] = value.to(value_here.dtype).clone()
    return {
        "kind": "facial-gan",
        "recipe": {"preset": "official", "converted": hash_file(path)},
        "model": {
            "preset": "official",
            "generator": generator,
            "contract": OFFICIAL_CONTRACT.to_state(),
        },
    }


def _describe() -> dict[str, torch.Tensor]:
    """Our state dict, with shapes and types but no numbers."""
    with torch.device("meta"):
        return OfficialGenerator().state_dict()


def _check_names(path: Path, released: Any, expected: set[str]) -> None:
    if not isinstance(released, dict):
        raise ToolkitError(f"{path}: no state dict but {type(released).__name__}")
    missing, unknown = (
        sorted(expected - released.keys()),
        sorted(map(str, released.keys() - expected)),
    )
    if missing or unknown:
        parts = [f"lacks {missing[0]} and {len(missing) - 1} more"] if missing else []
        parts += [f"holds {unknown[0]} and {len(unknown) - 1} more"] if unknown else []
        raise ToolkitError(
            f"{path}: not a generator of the released FACIAL code: it {', '.join(parts)}: give a "
            "file Gen-….mdl, not the discriminator's Dis-….mdl"
        )


def _translate(name: str) -> str:
    """Their name of an entry of our state dict."""
    module, entry = name.rsplit(".", 1)
    return f"{_MODULES[module]}.{entry}"


def _pair_modules() -> Iterator[tuple[str, str]]:
    """(name here, released name) of every module that holds numbers."""
    for index, number in enumerate((11, 21, 31, 41)):
        yield f"temporal.encoder.{3 * index}", f"conv{number}"
        yield f"temporal.encoder.{3 * index + 1}", f"bn{number}"
    for index, number in enumerate((42, 52)):
        yield f"temporal.decoder.{3 * index}", f"conv{number}"
        yield f"temporal.decoder.{3 * index + 1}", f"bn{number}"
    yield "temporal.decoder.6", "conv62"
    for index in range(4):
        yield f"local.convolutions.{3 * index}", f"G1.conv{index + 1}.0"
        yield f"local.convolutions.{3 * index + 2}", f"G1.conv{index + 1}.2"
    yield "local.dense", "G1.fc1"
    yield "local_norm", "G1.bn1"
    yield "head", "G1.fc2"
    yield from _pair_unet()


def _pair_unet() -> Iterator[tuple[str, str]]:
    """Theirs is nested: each level holds the next between its way down and its way up."""
    prefix = "model.model"
    yield "temporal.unet.down.0.0", f"{prefix}.0"
    yield f"temporal.unet.up.{_LEVELS - 1}.1", f"{prefix}.3"
    prefix += ".1.model"
    for level in range(1, _LEVELS):
        is_last = level == _LEVELS - 1
        up = f"temporal.unet.up.{_LEVELS - 1 - level}"
        yield f"temporal.unet.down.{level}.1", f"{prefix}.1"
        if not is_last:
            yield f"temporal.unet.down.{level}.2", f"{prefix}.2"
        yield f"{up}.1", f"{prefix}.{3 if is_last else 5}"
        yield f"{up}.2", f"{prefix}.{4 if is_last else 6}"
        prefix += ".3.model"


_MODULES = dict(_pair_modules())
