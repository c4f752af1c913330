"""FaceNet from facenet-pytorch's file: faces to 512 numbers of length 1.

Inception-ResNet-v1 (Szegedy et al., AAAI 2017) in plain torch, as David Sandberg trained it and
facenet-pytorch publishes it; names and layout are those of its files. Legend: B batch.
"""

from functools import cache, partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from toolkit.mesh import NUM_VERTICES
from zoo.evaluation.inception import Size, Unit
from zoo.evaluation.published_weights import (
    PublishedFile,
    load_strictly,
    read_weights,
    write_label,
    write_levels,
)
from zoo.training.distributed import find_device

Picture = npt.NDArray[np.uint8]

PUBLISHED = PublishedFile("FaceNet", "facenet-pytorch's 20180402-114759-vggface2.pt")

CLASSES = {8631: "VGGFace2", 10575: "CASIA-WebFace"}
"""People that the two published files were trained on -> the collection."""

SIDE = 160
"""Pixels of a face."""

NUM_FEATURES = 512

ABOVE = 0.1
"""How far a face's box goes on above its mesh, shares of the mesh's height; with it, the box and
that of facenet-pytorch's detector share 92 % of the area that they cover together."""


class Block(nn.Module):
    """Branches whose sum is added to what comes in."""

    def __init__(
        self,
        channels: int,
        inner: int,
        branches: list[list[Size]],
        scale: float,
        *,
        relu: bool = True,
    ) -> None:
        """Each branch is a row of layers with so many outputs, of these sizes."""
        super().__init__()
        self._num, self._scale, self._relu = len(branches), scale, relu
        for k, sizes in enumerate(branches):
            units = [Unit(inner if j else channels, inner, size) for j, size in enumerate(sizes)]
            self.add_module(f"branch{k}", _chain(units))
        self.conv2d = nn.Conv2d(len(branches) * inner, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, channels, ·, ·) of the same."""
        found = [self.get_submodule(f"branch{k}")(x) for k in range(self._num)]
        y: Tensor = self.conv2d(torch.cat(found, dim=1)) * self._scale + x
        return functional.relu(y) if self._relu else y


class Reduction(nn.Module):
    """Branches that halve the sides, beside maxima over 3 × 3."""

    def __init__(self, branches: list[list[Unit]]) -> None:
        super().__init__()
        self._num = len(branches)
        for k, units in enumerate(branches):
            self.add_module(f"branch{k}", _chain(units))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, ·, ·) of (B, C', H, W)."""
        found = [self.get_submodule(f"branch{k}")(x) for k in range(self._num)]
        return torch.cat([*found, functional.max_pool2d(x, 3, 2)], dim=1)


def _chain(units: list[Unit]) -> nn.Module:
    """The published names have no number where a branch is one layer."""
    return units[0] if len(units) == 1 else nn.Sequential(*units)


_make_35 = partial(Block, 256, 32, [[1], [1, 3], [1, 3, 3]], 0.17)
_make_17 = partial(Block, 896, 128, [[1], [1, (1, 7), (7, 1)]], 0.10)
_make_8 = partial(Block, 1792, 192, [[1], [1, (1, 3), (3, 1)]])


class FaceNet(nn.Module):
    """Faces to 512 numbers of length 1."""

    def __init__(self, num_classes: int) -> None:
        """As it was trained to tell so many people apart."""
        super().__init__()
        self.conv2d_1a = Unit(3, 32, 3, 2)
        self.conv2d_2a = Unit(32, 32, 3, same=False)
        self.conv2d_2b = Unit(32, 64, 3)
        self.conv2d_3b = Unit(64, 80, 1)
        self.conv2d_4a = Unit(80, 192, 3, same=False)
        self.conv2d_4b = Unit(192, 256, 3, 2)
        self.repeat_1 = nn.Sequential(*(_make_35() for _ in range(5)))
        self.mixed_6a = Reduction([
            [Unit(256, 384, 3, 2)],
            [Unit(256, 192, 1), Unit(192, 192, 3), Unit(192, 256, 3, 2)],
        ])  # fmt: skip
        self.repeat_2 = nn.Sequential(*(_make_17() for _ in range(10)))
        self.mixed_7a = Reduction([
            [Unit(896, 256, 1), Unit(256, 384, 3, 2)],
            [Unit(896, 256, 1), Unit(256, 256, 3, 2)],
            [Unit(896, 256, 1), Unit(256, 256, 3), Unit(256, 256, 3, 2)],
        ])  # fmt: skip
        self.repeat_3 = nn.Sequential(*(_make_8(0.20) for _ in range(5)))
        self.block8 = _make_8(1.0, relu=False)
        self.last_linear = nn.Linear(1792, NUM_FEATURES, bias=False)
        self.last_bn = nn.BatchNorm1d(NUM_FEATURES, eps=1e-3)
        self.logits = nn.Linear(NUM_FEATURES, num_classes)  # of the file; nothing asks for people

    def forward(self, faces: Tensor) -> Tensor:
        """(B, 512) of faces (B, 3, 160, 160), −1 to 1."""
        x = self.conv2d_2b(self.conv2d_2a(self.conv2d_1a(faces)))
        x = self.conv2d_3b(functional.max_pool2d(x, 3, 2))
        x = self.repeat_1(self.conv2d_4b(self.conv2d_4a(x)))
        x = self.repeat_2(self.mixed_6a(x))
        x = self.block8(self.repeat_3(self.mixed_7a(x)))
        x = self.last_bn(self.last_linear(x.mean(dim=(2, 3))))
        return functional.normalize(x, dim=1)


class FaceNetJudge:
    """FaceNet, ready for use.

    Attributes:
        label: collection, the file's name and the digest of its bytes, for results.
    """

    def __init__(self, network: FaceNet, label: str, device: str = "cpu") -> None:
        self._device = torch.device(device)
        self._network, self.label = network.to(self._device), label

    def describe(self, picture: Picture, mesh: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """(512,) of a face with a mesh (478, 2 or 3) px; of length 1."""
        return self.run(cut_face(picture, mesh))

    def run(self, face: Picture) -> npt.NDArray[np.float64]:
        """(512,) of a face (160, 160, 3) RGB."""
        with torch.inference_mode():
            found: Tensor = self._network((write_levels(face, self._device) - 127.5) / 128)
        return np.asarray(found[0].double().cpu().numpy())


def cut_face(picture: Picture, mesh: npt.ArrayLike) -> Picture:
    """(160, 160, 3) face of a picture (H, W, 3), cut as facenet-pytorch cuts its detector's box.

    The box of the mesh (478, 2 or 3) px and `ABOVE`; upright, in whole pixels and within the
    picture, brought to a square whatever its shape is.
    """
    points = np.asarray(mesh, np.float64)[:NUM_VERTICES, :2]
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    top -= ABOVE * (bottom - top)
    height, width = picture.shape[:2]
    x0, y0 = (int(np.clip(edge, 0, size - 1)) for edge, size in ((left, width), (top, height)))
    x1, y1 = int(min(right, width)), int(min(bottom, height))
    box = (x0, y0, max(x1, x0 + 1), max(y1, y0 + 1))  # a pixel at least of what lies outside
    square = Image.fromarray(picture).crop(box).resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    return np.array(square, np.uint8)


@cache
def open_facenet(path: Path, device: str = "auto") -> FaceNetJudge:
    """The network of one of facenet-pytorch's files.

    Raises:
        SetupError: no such file, or another network's.
    """
    weights = read_weights(path, PUBLISHED)
    logits = weights.get("logits.bias")
    num = len(logits) if logits is not None and logits.ndim == 1 else 0
    classes = num if num in CLASSES else min(CLASSES)  # any other number is refused below
    network = load_strictly(partial(FaceNet, classes), weights, path, PUBLISHED)
    label = f"FaceNet of {CLASSES[classes]}, {write_label(path, PUBLISHED)}"
    return FaceNetJudge(network, label, str(find_device(device)))
