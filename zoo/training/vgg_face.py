"""VGGFace's features (Parkhi et al., BMVC 2015), from a user's file, in plain torch.

The published network is Caffe's and MatConvNet's; conversions to torch carry its convolutions
either as torchvision names VGG16's, `features.0.weight`, or by their own names, `conv1_1.weight`.
Caffe's release sees levels of blue, green and red, less the mean of each.
Legend: B batch, H the side of a picture.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from toolkit.errors import SetupError
from toolkit.storage import hash_file
from toolkit.weights import read_checkpoint, read_safetensors
from zoo.training.perceptual import PerceptualDistance

GROUPS = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 1))
"""Channels and convolutions of each group, as far as the fifth's first."""

MEAN = (93.5940, 104.7624, 129.1863)
"""Of blue, green and red in its training pictures, levels."""


class VggFaceDistance(PerceptualDistance):
    """By the outputs of conv1_1, conv2_1 … conv5_1, rectified."""

    name = "vggface"
    weights = (0.2,) * 5

    def __init__(self, path: Path, *, half: bool = False) -> None:
        """Read the weights; `half`: look at pictures of half the size.

        Raises:
            SetupError: no such file, or not VGGFace's weights.
        """
        super().__init__()
        safe = path.suffix == ".safetensors"
        tensors = read_safetensors(path)[0] if safe else read_checkpoint(path)
        self.groups = nn.ModuleList()
        inputs, place = 3, 0
        for number, (width, depth) in enumerate(GROUPS, 1):
            group = nn.ModuleList()
            for k in range(1, depth + 1):
                group.append(nn.Conv2d(inputs, width, 3, padding=1))
                names = (f"features.{place}", f"conv{number}_{k}")
                _load(group[-1], tensors, names, path)
                inputs, place = width, place + 2
            self.groups.append(group)
            place += 1
        self._halves, self.sha256 = half, hash_file(path)
        self.requires_grad_(False).eval()

    def see(self, pictures: Tensor) -> list[Tensor]:
        """The maps of pictures (B, 3, H, H) RGB, −1 to 1."""
        x = functional.avg_pool2d(pictures, 2) if self._halves else pictures
        x = ((x + 1) * 127.5).flip(1) - x.new_tensor(MEAN)[:, None, None]
        seen = []
        for number, group in enumerate(self.groups):
            x = functional.max_pool2d(x, 2) if number else x
            for k, layer in enumerate(cast(nn.ModuleList, group)):
                x = functional.relu(layer(x))
                if k == 0:
                    seen.append(x)
        return seen


def _load(
    layer: nn.Module, tensors: Mapping[str, Tensor], names: tuple[str, ...], path: Path
) -> None:
    for name in names:
        parts = {part: tensors.get(f"{name}.{part}") for part in ("weight", "bias")}
        if all(torch.is_tensor(value) for value in parts.values()):
            try:
                layer.load_state_dict(parts)
            except RuntimeError as error:
                raise SetupError(f"{path}: not VGGFace: {name} has another shape") from error
            return
    raise SetupError(f"{path}: not VGGFace: neither {' nor '.join(names)} is in it")
