"""Every tensor of the published encoders by rule, and files in their layouts, small on disk."""

from pathlib import Path

import torch
from torch import Tensor

from tests.zoo.stylegan.test_generator import list_published

Shapes = dict[str, tuple[int, ...]]

COUNTER = ()
"""Shape of a count of batches."""


def add_norm(shapes: Shapes, name: str, width: int) -> None:
    for entry in ("weight", "bias", "running_mean", "running_var"):
        shapes[f"{name}.{entry}"] = (width,)
    shapes[f"{name}.num_batches_tracked"] = COUNTER


def add_block(shapes: Shapes, name: str, before: int, width: int, *, weighs: bool = False) -> None:
    add_norm(shapes, f"{name}.res_layer.0", before)
    shapes[f"{name}.res_layer.1.weight"] = (width, before, 3, 3)
    shapes[f"{name}.res_layer.2.weight"] = (width,)
    shapes[f"{name}.res_layer.3.weight"] = (width, width, 3, 3)
    add_norm(shapes, f"{name}.res_layer.4", width)
    if weighs:
        shapes[f"{name}.res_layer.5.fc1.weight"] = (width // 16, width, 1, 1)
        shapes[f"{name}.res_layer.5.fc2.weight"] = (width, width // 16, 1, 1)
    if before != width:
        shapes[f"{name}.shortcut_layer.0.weight"] = (width, before, 1, 1)
        add_norm(shapes, f"{name}.shortcut_layer.1", width)


def add_entry(shapes: Shapes, name: str, before: int, width: int) -> None:
    shapes[f"{name}.0.weight"] = (width, before, 3, 3)
    add_norm(shapes, f"{name}.1", width)
    shapes[f"{name}.2.weight"] = (width,)


def list_e4e() -> Shapes:
    """Of the encoder to 18 vectors."""
    shapes: Shapes = {}
    add_entry(shapes, "input_layer", 3, 64)
    widths = [64] * 3 + [128] * 4 + [256] * 14 + [512] * 3
    for number, (before, width) in enumerate(zip([64, *widths], widths, strict=False)):
        add_block(shapes, f"body.{number}", before, width, weighs=True)
    for number in range(18):
        convs = 4 if number < 3 else 5 if number < 7 else 6  # from 16, 32 and 64 px down to 1
        for k in range(convs):
            shapes[f"styles.{number}.convs.{2 * k}.weight"] = (512, 512, 3, 3)
            shapes[f"styles.{number}.convs.{2 * k}.bias"] = (512,)
        shapes[f"styles.{number}.linear.weight"] = (512, 512)
        shapes[f"styles.{number}.linear.bias"] = (512,)
    for number, width in ((1, 256), (2, 128)):
        shapes[f"latlayer{number}.weight"] = (512, width, 1, 1)
        shapes[f"latlayer{number}.bias"] = (512,)
    return shapes


def list_aligner() -> Shapes:
    """Of the network that moves what w+ leaves out."""
    shapes: Shapes = {}
    add_entry(shapes, "conv_layer1", 6, 16)
    stages = {
        "conv_layer2": (16, 32, 32, 32), "conv_layer3": (32, 48, 48, 48),
        "conv_layer4": (48, 64, 64, 64), "dconv_layer1": (112, 64, 32, 32),
        "dconv_layer2": (64, 32, 16, 16), "dconv_layer3": (32, 16, 3, 3),
    }  # fmt: skip
    for name, widths in stages.items():
        for k in range(3):
            add_block(shapes, f"{name}.{k}", widths[k], widths[k + 1])
    return shapes


def list_consultant() -> Shapes:
    """Of the network that makes scale and shift."""
    shapes: Shapes = {}
    add_entry(shapes, "conv_layer1", 3, 32)
    for name, widths in {"conv_layer2": (32, 48, 48, 48), "conv_layer3": (48, 64, 64, 64)}.items():
        for k in range(3):
            add_block(shapes, f"{name}.{k}", widths[k], widths[k + 1])
    for name in ("condition_scale3", "condition_shift3"):
        for place, before in ((0, 64), (2, 512)):
            shapes[f"{name}.{place}.weight"] = (512, before, 3, 3)
            shapes[f"{name}.{place}.bias"] = (512,)
    return shapes


def draw(shapes: Shapes, seed: int) -> dict[str, Tensor]:
    """A number of its own for each tensor, the same in all its places."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: torch.zeros((), dtype=torch.int64)
        if shape == COUNTER
        else torch.rand((), generator=generator).expand(shape)
        for name, shape in shapes.items()
    }


def draw_parts() -> dict[str, dict[str, Tensor]]:
    """The four networks."""
    lists = (list_published(), list_e4e(), list_aligner(), list_consultant())
    names = ("decoder", "encoder", "grid_align", "residue")
    return {
        name: draw(shapes, k) for k, (name, shapes) in enumerate(zip(names, lists, strict=True))
    }


def write_whole(path: Path) -> dict[str, dict[str, Tensor]]:
    """HFGI's own file, of all four networks."""
    parts = draw_parts()
    state = {f"{part}.{name}": x for part, of in parts.items() for name, x in of.items()}
    torch.save({"state_dict": state, "latent_avg": torch.arange(512.0)}, path)
    return parts


def write_apart(folder: Path) -> tuple[Path, Path, Path]:
    """StyleHEAT's three files, of the same numbers."""
    parts = draw_parts()
    stylegan, hfgi, e4e = (folder / name for name in ("stylegan.pth", "hfgi.pth", "e4e.pth"))
    torch.save(parts["decoder"], stylegan)
    torch.save({"aligner": parts["grid_align"], "encoder": parts["residue"]}, hfgi)
    mean = torch.arange(512.0).expand(18, -1)
    torch.save({"encoder": parts["encoder"], "latent_avg": mean}, e4e)
    return stylegan, hfgi, e4e
