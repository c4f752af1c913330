"""The published weights of StyleGAN2, e4e and HFGI, as a prior of the zoo.

HFGI's authors publish one file of all four networks, `{state_dict, latent_avg}`; StyleHEAT's
authors publish them apart: StyleGAN2 plain, e4e as `{encoder, latent_avg}`, HFGI as `{aligner,
encoder}`. StyleGAN2's own conversions hold it as `g_ema`. Any of these is taken.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from toolkit.errors import ToolkitError
from toolkit.storage import hash_file
from zoo.stylegan.generator import STYLE
from zoo.stylegan.hfgi import NUM_STYLES
from zoo.stylegan.prior import KIND, Prior
from zoo.stylegan.sizes import PUBLISHED
from zoo.training.checkpoint import load_checkpoint

PARTS = {
    "decoder": "generator",
    "encoder": "encoder.encoder",
    "grid_align": "residuals.aligner",
    "residue": "residuals.encoder",
}
"""Beginning of names in the file of all four networks -> the part of `Prior`."""

Weights = dict[str, tuple[Tensor, Path]]
"""Name in `Prior` -> the tensor, and the file that it is of."""


def convert_published(stylegan: Path | None, hfgi: Path, e4e: Path | None = None) -> dict[str, Any]:
    """Published files as content of a checkpoint of `zoo train styleheat-prior`.

    Args:
        stylegan: StyleGAN2's; None: that in HFGI's file.
        hfgi: all four networks, or HFGI's two.
        e4e: its encoder, where `hfgi` is without.

    Raises:
        ToolkitError: a file is missing or damaged, lacks a network, or has one of another size:
            names the file, the tensor and both shapes.
    """
    weights = _read_hfgi(hfgi)
    if e4e is not None:
        weights |= _read_e4e(e4e)
    if stylegan is not None:
        weights = {k: v for k, v in weights.items() if not k.startswith("generator.")}
        found = load_checkpoint(stylegan)
        weights |= _name(stylegan, {"g_ema": found.get("g_ema", found)}, {"g_ema": "generator"})
    files = [path for path in (stylegan, hfgi, e4e) if path is not None]
    return {
        "kind": KIND,
        "recipe": {"converted": {path.name: hash_file(path) for path in files}},
        "model": {
            "preset": "published",
            "sizes": PUBLISHED.to_state(),
            "prior": _check(weights, hfgi),
            "judges": {},
            "trained_on": [],
        },
    }


def _read_hfgi(path: Path) -> Weights:
    found = load_checkpoint(path)
    if "state_dict" not in found:
        return _name(path, found, {"aligner": "residuals.aligner", "encoder": "residuals.encoder"})
    parts: dict[str, dict[str, Tensor]] = {part: {} for part in PARTS}
    for key, value in found["state_dict"].items():
        part, _, name = str(key).partition(".")
        if part in PARTS:
            parts[part][name] = value
    return _name(path, parts, PARTS) | _read_mean(path, found)


def _read_e4e(path: Path) -> Weights:
    found = load_checkpoint(path)
    return _name(path, found, {"encoder": PARTS["encoder"]}) | _read_mean(path, found)


def _name(path: Path, found: Mapping[str, Any], parts: Mapping[str, str]) -> Weights:
    """Tensors of a file's entries, under the names of `Prior`'s parts."""
    named = Weights()
    for entry, part in parts.items():
        if not isinstance(found.get(entry), Mapping):
            raise _refuse(path, f"it has no {entry}")
        named |= {f"{part}.{name}": (value, path) for name, value in found[entry].items()}
    return named


def _read_mean(path: Path, found: Mapping[str, Any]) -> Weights:
    """(18, 512) of the mean style, which may be one vector for all."""
    mean = found.get("latent_avg")
    if not isinstance(mean, Tensor) or mean.numel() not in (STYLE, NUM_STYLES * STYLE):
        raise _refuse(path, f"it has no latent_avg of 512 or {NUM_STYLES} × 512 numbers")
    spread = mean.float().reshape(-1, STYLE).expand(NUM_STYLES, -1)
    return {"encoder.latent_avg": (spread, path)}


def _check(weights: Weights, hfgi: Path) -> dict[str, Tensor]:
    """The tensors of `Prior`, each of its shape; counters of batches that a file lacks are 0."""
    with torch.device("meta"):
        expected = Prior(PUBLISHED).state_dict()
    checked = dict[str, Tensor]()
    for name, like in expected.items():
        if name not in weights and name.endswith("num_batches_tracked"):
            weights[name] = torch.zeros((), dtype=torch.int64), hfgi
        if name not in weights:
            raise _refuse(hfgi, f"with the files beside it, it lacks {name}")
        value, path = weights[name]
        if not isinstance(value, Tensor) or value.shape != like.shape:
            shape = tuple(getattr(value, "shape", ()))
            raise _refuse(path, f"{name} is {shape}, not {tuple(like.shape)}: another size")
        checked[name] = value
    return checked


def _refuse(path: Path, why: str) -> ToolkitError:
    return ToolkitError(f"{path}: not the published weights: {why}")
