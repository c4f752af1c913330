"""LPIPS: how different two pictures look, by a published network and by weights fitted to people.

Zhang et al., "The unreasonable effectiveness of deep features as a perceptual metric" (CVPR 2018),
version 0.1: AlexNet or VGG16 as torchvision publishes them, from a user's file, and the layers that
the PyPI package lpips 0.1.4 carries (BSD-2-Clause), read from where it is installed.
Legend: B batch, C channels, H, W pixels.
"""

import functools
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from toolkit.errors import SetupError
from toolkit.storage import hash_file
from toolkit.weights import read_checkpoint
from zoo.evaluation.published_weights import (
    PublishedFile,
    load_strictly,
    read_weights,
    refuse,
    write_label,
    write_levels,
)
from zoo.metrics.rows import LPIPS_ALEX, LPIPS_VGG
from zoo.training.distributed import find_device

Picture = npt.NDArray[np.uint8]

PACKAGE = "lpips"

INSTALL = "pip install --no-deps lpips==0.1.4"

LAYERS = {
    "alex": "df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0",
    "vgg": "a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868",
}
"""Backbone -> SHA-256 of its layers' file in that package, version 0.1."""

SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
"""What colours from −1 to 1 less the first, over the second, are given to the networks as."""


class Backbone(NamedTuple):
    """A network of torchvision's whose maps are compared.

    Attributes:
        name: among the layers of LPIPS.
        published: its file.
        features: a letter a layer: `c` a convolution, `r` ReLU, `p` maxima.
        convolutions: outputs, side of the filters, stride, border of each convolution.
        pool: side and stride of the maxima.
        outputs: numbers of the layers whose maps are compared.
        classifier: inputs and outputs of the file's last layers, by their numbers.
        least: pixels of a picture's shorter side, at least.
    """

    name: str
    published: PublishedFile
    features: str
    convolutions: Sequence[tuple[int, int, int, int]]
    pool: tuple[int, int]
    outputs: Sequence[int]
    classifier: dict[int, tuple[int, int]]
    least: int


BACKBONES = {
    LPIPS_ALEX: Backbone(
        "alex",
        PublishedFile(
            "AlexNet", "torchvision's alexnet-owt-7be5be79.pth", ("7be5be79", "4df8aa71")
        ),
        "crpcrpcrcrcrp",
        [(64, 11, 4, 2), (192, 5, 1, 2), (384, 3, 1, 1), (256, 3, 1, 1), (256, 3, 1, 1)],
        (3, 2),
        (1, 4, 7, 9, 11),
        {1: (9216, 4096), 4: (4096, 4096), 6: (4096, 1000)},
        31,
    ),
    LPIPS_VGG: Backbone(
        "vgg",
        PublishedFile("VGG16", "torchvision's vgg16-397923af.pth", ("397923af",)),
        "crcrpcrcrpcrcrcrpcrcrcrpcrcrcrp",
        [(width, 3, 1, 1) for width, num in zip((64, 128, 256, 512, 512), (2, 2, 3, 3, 3),
                                                strict=True) for _ in range(num)],
        (2, 2),
        (3, 8, 15, 22, 29),
        {0: (25088, 4096), 3: (4096, 4096), 6: (4096, 1000)},
        16,
    ),
}  # fmt: skip
"""The array that a file gives -> the network."""


class Features(nn.Module):
    """The maps of a backbone that LPIPS compares."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self._outputs = frozenset(backbone.outputs)
        self.features, channels = nn.Sequential(), 3
        convolutions = iter(backbone.convolutions)
        for letter in backbone.features:
            if letter == "c":
                outputs, side, stride, border = next(convolutions)
                self.features.append(nn.Conv2d(channels, outputs, side, stride, border))
                channels = outputs
            else:
                pool = nn.MaxPool2d(*backbone.pool)
                self.features.append(nn.ReLU() if letter == "r" else pool)
        layers = {str(k): nn.Linear(*sizes) for k, sizes in backbone.classifier.items()}
        self.classifier = nn.ModuleDict(layers)  # of the file; dropped once it is checked

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """Maps (B, C, ·, ·) at five depths of pictures (B, 3, H, W), −1 to 1."""
        x = (pictures - pictures.new_tensor(SHIFT)[:, None, None]) / pictures.new_tensor(SCALE)[
            :, None, None
        ]
        maps = list[Tensor]()
        for k, layer in enumerate(self.features):
            x = layer(x)
            if k in self._outputs:
                maps.append(x)
            if len(maps) == len(self._outputs):
                break
        return maps


class LpipsJudge:
    """A backbone with its layers, ready for use.

    Attributes:
        array: what it gives, `lpips_alex` or `lpips_vgg`.
        label: the file's name with the digest of its bytes, for results.
    """

    def __init__(
        self,
        array: str,
        network: Features,
        linear: Sequence[Tensor],
        label: str,
        device: str = "cpu",
    ) -> None:
        self._device = torch.device(device)
        self.array, self.label, self._least = array, label, BACKBONES[array].least
        self._network = network.to(self._device)
        self._linear = [weights.to(self._device) for weights in linear]

    def compare(self, picture: Picture, other: Picture) -> npt.NDArray[np.float64]:
        """(5,) distances at the five depths of two pictures (H, W, 3); LPIPS is their sum.

        At each place the channels of both are divided by their length; squared differences are
        weighted, summed over channels and averaged over places.

        Raises:
            ValueError: the pictures are too small.
        """
        height, width = picture.shape[:2]
        if min(height, width) < self._least:
            raise ValueError(
                f"pictures of {width} × {height} px: LPIPS needs {self._least} at least"
            )
        both = torch.cat([write_levels(one, self._device) for one in (picture, other)])
        with torch.inference_mode():
            maps = self._network(both / 127.5 - 1)
            terms = [self._measure(*pair) for pair in zip(maps, self._linear, strict=True)]
        return np.asarray(torch.stack(terms).double().cpu().numpy())

    @staticmethod
    def _measure(maps: Tensor, weights: Tensor) -> Tensor:
        length = maps.square().sum(dim=1, keepdim=True).sqrt()
        pred, target = maps / (length + 1e-10)
        found: Tensor = ((pred - target) ** 2 * weights[:, None, None]).sum(dim=0).mean()
        return found


@functools.cache
def open_lpips(path: Path, device: str = "auto") -> LpipsJudge:
    """The judge of torchvision's file of AlexNet or of VGG16.

    Raises:
        SetupError: no such file, or another network's; no package with the layers.
    """
    weights = read_weights(path, _EITHER)
    array = LPIPS_VGG if "features.28.weight" in weights else LPIPS_ALEX
    if "features.0.weight" not in weights or "features.34.weight" in weights:
        raise refuse(path, _EITHER, "it holds another network")
    backbone = BACKBONES[array]
    create = functools.partial(Features, backbone)
    network = load_strictly(create, weights, path, backbone.published)
    network.classifier = nn.ModuleDict()
    label = f"{write_label(path, backbone.published)}, layers of lpips 0.1.4 (v0.1)"
    return LpipsJudge(array, network, read_linear(backbone.name), label, str(find_device(device)))


def read_linear(name: str) -> list[Tensor]:
    """The five layers (C,) that a backbone's squared differences are weighted by.

    The package is not imported: it would need torchvision.

    Raises:
        SetupError: it is not installed, or another version is.
    """
    path = find_layers(name)
    if path is None or not path.is_file():
        raise SetupError(f"LPIPS needs the layers of lpips 0.1.4: {INSTALL}")
    if hash_file(path) != LAYERS[name]:
        raise SetupError(f"{path}: not the layers of lpips 0.1.4: {INSTALL}")
    tensors = read_checkpoint(path)
    return [tensors[f"lin{k}.model.1.weight"].flatten() for k in range(5)]


def find_layers(name: str) -> Path | None:
    """Where a backbone's layers are installed; None without the package."""
    package = find_spec(PACKAGE)
    if package is None or not package.submodule_search_locations:
        return None
    return Path(package.submodule_search_locations[0]) / "weights" / "v0.1" / f"{name}.pth"


_EITHER = PublishedFile(
    "AlexNet or VGG16", "torchvision's alexnet-owt-7be5be79.pth or vgg16-397923af.pth"
)
