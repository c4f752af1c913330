"""Inception as FID uses it: TensorFlow's network of 2015-12-05, in plain torch.

Szegedy et al., "Rethinking the Inception architecture" (CVPR 2016); names and layout are those of
pytorch-fid's file. It differs from torchvision's Inception in its weights, in average pooling,
which leaves the border out, and in the last block, which pools maxima. Legend: B batch, H, W px.
"""

import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, max_pool2d, relu

from zoo.evaluation.published_weights import (
    PublishedFile,
    load_strictly,
    read_weights,
    refuse,
    write_label,
    write_levels,
)
from zoo.training.distributed import find_device

PUBLISHED = PublishedFile(
    "FID's Inception", "pytorch-fid's pt_inception-2015-12-05-6726825d.pth", ("6726825d",)
)

SIDE = 299
"""Pixels of the picture that the network sees."""

NUM_FEATURES, NUM_CLASSES = 2048, 1008

Size = int | tuple[int, int]
Layer = tuple[str, int, Size, int]
"""Name, outputs, size of the filters, stride."""

Branch = Sequence[Layer | tuple[Layer, Layer]]
"""Layers one after the other; two in a pair both see what comes before, and are joined."""


class Unit(nn.Module):
    """Convolution, batch normalisation with TensorFlow's epsilon, ReLU."""

    def __init__(
        self, before: int, after: int, size: Size, stride: int = 1, *, same: bool = True
    ) -> None:
        """With a border of zeros that keeps the sides, if `same` and the stride is 1."""
        super().__init__()
        height, width = (size, size) if isinstance(size, int) else size
        border = ((height - 1) // 2, (width - 1) // 2) if same and stride == 1 else 0
        self.conv = nn.Conv2d(before, after, (height, width), stride, border, bias=False)
        self.bn = nn.BatchNorm2d(after, eps=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        """(B, after, ·, ·) of (B, before, H, W)."""
        return relu(self.bn(self.conv(x)))


class Mixed(nn.Module):
    """Branches beside one another; what they make is joined, in their order."""

    def __init__(self, before: int, branches: Sequence[Branch], pool: str, after: int = 0) -> None:
        """The last branch pools 3 × 3 px.

        Args:
            before: channels that come in.
            branches: the others.
            pool: `mean` and `max` with stride 1, then a layer; `halve`: maxima with stride 2.
            after: outputs of that layer.
        """
        super().__init__()
        self._names = [
            [[f"branch{layer[0]}" for layer in _split(step)] for step in branch]
            for branch in branches
        ]
        self._pool = pool
        for branch in branches:
            channels = before
            for step in branch:
                layers = _split(step)
                for name, outputs, size, stride in layers:
                    self.add_module(f"branch{name}", Unit(channels, outputs, size, stride))
                channels = sum(layer[1] for layer in layers)
        if after:
            self.branch_pool = Unit(before, after, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, ·, ·) of (B, before, H, W)."""
        found = [self._run(x, names) for names in self._names]
        if self._pool == "halve":
            return torch.cat([*found, max_pool2d(x, 3, 2)], dim=1)
        if self._pool == "max":
            pooled = max_pool2d(x, 3, 1, 1)
        else:
            pooled = avg_pool2d(x, 3, 1, 1, count_include_pad=False)
        return torch.cat([*found, self.branch_pool(pooled)], dim=1)

    def _run(self, x: Tensor, names: Sequence[Sequence[str]]) -> Tensor:
        for step in names:
            x = torch.cat([self.get_submodule(name)(x) for name in step], dim=1)
        return x


def _split(step: Layer | tuple[Layer, Layer]) -> tuple[Layer, ...]:
    return (step,) if isinstance(step[0], str) else step


def _make_a(before: int, pooled: int) -> Mixed:
    """Fine scales: 1 × 1, 5 × 5 and twice 3 × 3."""
    branches: list[Branch] = [
        [("1x1", 64, 1, 1)],
        [("5x5_1", 48, 1, 1), ("5x5_2", 64, 5, 1)],
        [("3x3dbl_1", 64, 1, 1), ("3x3dbl_2", 96, 3, 1), ("3x3dbl_3", 96, 3, 1)],
    ]
    return Mixed(before, branches, "mean", pooled)


def _make_c(inner: int) -> Mixed:
    """7 × 7 as rows and columns, once and twice."""
    row, column = (1, 7), (7, 1)
    branches: list[Branch] = [
        [("1x1", 192, 1, 1)],
        [("7x7_1", inner, 1, 1), ("7x7_2", inner, row, 1), ("7x7_3", 192, column, 1)],
        [
            ("7x7dbl_1", inner, 1, 1), ("7x7dbl_2", inner, column, 1),
            ("7x7dbl_3", inner, row, 1), ("7x7dbl_4", inner, column, 1),
            ("7x7dbl_5", 192, row, 1),
        ],
    ]  # fmt: skip
    return Mixed(768, branches, "mean", 192)


def _make_e(before: int, pool: str) -> Mixed:
    """The coarsest scale: rows and columns of 3 beside each other."""
    row, column = (1, 3), (3, 1)
    branches: list[Branch] = [
        [("1x1", 320, 1, 1)],
        [("3x3_1", 384, 1, 1), (("3x3_2a", 384, row, 1), ("3x3_2b", 384, column, 1))],
        [
            ("3x3dbl_1", 448, 1, 1), ("3x3dbl_2", 384, 3, 1),
            (("3x3dbl_3a", 384, row, 1), ("3x3dbl_3b", 384, column, 1)),
        ],
    ]  # fmt: skip
    return Mixed(before, branches, pool, 192)


class Inception(nn.Module):
    """Pictures to 2048 numbers, those behind the last pooling ("pool 3")."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = Unit(3, 32, 3, 2)
        self.Conv2d_2a_3x3 = Unit(32, 32, 3, same=False)
        self.Conv2d_2b_3x3 = Unit(32, 64, 3)
        self.Conv2d_3b_1x1 = Unit(64, 80, 1)
        self.Conv2d_4a_3x3 = Unit(80, 192, 3, same=False)
        self.Mixed_5b, self.Mixed_5c, self.Mixed_5d = (
            _make_a(192, 32), _make_a(256, 64), _make_a(288, 64)
        )  # fmt: skip
        self.Mixed_6a = Mixed(288, [
            [("3x3", 384, 3, 2)],
            [("3x3dbl_1", 64, 1, 1), ("3x3dbl_2", 96, 3, 1), ("3x3dbl_3", 96, 3, 2)],
        ], "halve")  # fmt: skip
        self.Mixed_6b, self.Mixed_6c, self.Mixed_6d, self.Mixed_6e = map(
            _make_c, (128, 160, 160, 192)
        )
        self.Mixed_7a = Mixed(768, [
            [("3x3_1", 192, 1, 1), ("3x3_2", 320, 3, 2)],
            [("7x7x3_1", 192, 1, 1), ("7x7x3_2", 192, (1, 7), 1), ("7x7x3_3", 192, (7, 1), 1),
             ("7x7x3_4", 192, 3, 2)],
        ], "halve")  # fmt: skip
        self.Mixed_7b, self.Mixed_7c = _make_e(1280, "mean"), _make_e(2048, "max")
        self.fc = nn.Linear(NUM_FEATURES, NUM_CLASSES)  # of the file; nothing asks for classes

    def forward(self, pictures: Tensor) -> Tensor:
        """(B, 2048) of pictures (B, 3, 299, 299), −1 to 1."""
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(pictures)))
        x = max_pool2d(x, 3, 2)
        x = max_pool2d(self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(x)), 3, 2)
        for name, block in self.named_children():
            if name.startswith("Mixed"):
                x = block(x)
        found: Tensor = x.mean(dim=(2, 3))
        return found


class FidJudge:
    """Inception, ready for use.

    Attributes:
        label: the file's name with the digest of its bytes, for results.
    """

    def __init__(self, network: Inception, label: str, device: str = "cpu") -> None:
        self._device = torch.device(device)
        self._network, self.label = network.to(self._device), label

    def describe(self, picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """(2048,) of a picture (H, W, 3) RGB, brought to 299 × 299 px as pytorch-fid does.

        That is linear between the nearest four pixels, whatever the picture's size: fine patterns
        of large pictures alias.
        """
        with torch.inference_mode():
            levels = write_levels(picture, self._device) / 255
            small = interpolate(levels, (SIDE, SIDE), mode="bilinear")
            found: Tensor = self._network(2 * small - 1)
        return np.asarray(found[0].cpu().numpy())


@functools.cache
def open_fid_judge(path: Path, device: str = "auto") -> FidJudge:
    """The network of pytorch-fid's file.

    Raises:
        SetupError: no such file, or another network's, torchvision's Inception included.
    """
    weights = read_weights(path, PUBLISHED)
    if "fc.weight" in weights and "AuxLogits.fc.weight" in weights:
        raise refuse(path, PUBLISHED, "it is torchvision's Inception, which gives other numbers")
    network = load_strictly(Inception, weights, path, PUBLISHED)
    return FidJudge(network, write_label(path, PUBLISHED), str(find_device(device)))
