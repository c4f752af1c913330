"""The perceptual distance of eq. 10: L1 between features of a network that knows pictures.

Johnson et al. (ECCV 2016). VGG19 (Simonyan and Zisserman, 2015) with the layers and weights of
pix2pixHD, from the user's file, as torchvision names them; or dlib's face recogniser, which a
package carries; or a fixed random network of VGG19's shape, which knows nothing.
Legend: B batch, C channels, H the side of a picture.
"""

import hashlib
import warnings
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from toolkit.errors import SetupError
from toolkit.weights import Status, check_weights, locate, read_checkpoint, read_safetensors
from zoo.training.face_network import LEAST_SIDE, FaceNetwork
from zoo.training.face_weights import INSTALL, NAME
from zoo.training.options import AUTO, FACE, RANDOM, VGG19

WIDTHS = (64, 64, 0, 128, 128, 0, 256, 256, 256, 256, 0, 512, 512, 512, 512, 0, 512)
"""VGG19's convolutions as far as the fifth group's first; 0: a maximum over 2 × 2."""

OUTPUTS = (1, 6, 11, 20, 29)
"""Layers relu1_1, relu2_1, relu3_1, relu4_1 and relu5_1."""

LAYER_WEIGHTS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's colours, 0 to 1, as torchvision's weights expect them."""

SEED = 19
"""Of the random network."""


def open_perceptual(
    kind: str, vgg: Path | None = None, *, half: bool = False, normalised: bool = True
) -> "PerceptualDistance":
    """The network of a kind.

    Args:
        kind: `face`, `vgg19`, `random`, or `auto`: VGG19 where its file is given, else the face
            recogniser where it is installed, else VGG19 where it was fetched, else the random
            network, of which a warning tells.
        vgg: VGG19's weights; None: those that `ttk weights --fetch vgg19` got.
        half: look at pictures of half the size.
        normalised: VGG19 sees ImageNet's colours; the released code leaves pictures at −1 to 1.

    Raises:
        SetupError: the weights are missing, damaged or another network's.
    """
    kind = _choose(vgg) if kind == AUTO else kind
    if kind == FACE:
        return FaceDistance(FaceNetwork.open(), half=half)
    weights = (vgg or locate(VGG19)) if kind == VGG19 else None
    return VggDistance(weights, half=half, normalised=normalised)


def _choose(vgg: Path | None) -> str:
    if vgg is not None:
        return VGG19
    if check_weights(NAME) is Status.INTACT:
        return FACE
    if locate(VGG19).is_file():
        return VGG19
    text = f"a random network judges pictures: {INSTALL}, or ttk weights --fetch vgg19"
    warnings.warn(text, stacklevel=3)
    return RANDOM


class PerceptualDistance(nn.Module, ABC):
    """How differently a network sees two pictures; its weights are never trained.

    Attributes:
        name: `face`, `vgg19` or `random`.
        sha256: digest of the weights.
        weights: of the layers.
    """

    name: str
    sha256: str
    weights: Sequence[float]

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        """Distance of pictures (B, 3, H, H), −1 to 1: a number; gradients reach `pred`."""
        with torch.no_grad():
            known = self.see(target)
        terms = [
            weight * self.compare(a.float(), b.float())
            for weight, a, b in zip(self.weights, self.see(pred), known, strict=True)
        ]
        return torch.stack(terms).sum()

    def compare(self, pred: Tensor, target: Tensor) -> Tensor:
        """Distance of one layer's outputs (B, C, h, w)."""
        return (pred - target).abs().mean()

    @abstractmethod
    def see(self, pictures: Tensor) -> list[Tensor]:
        """Outputs (B, C, h, w) of the layers for pictures (B, 3, H, H), −1 to 1."""


class VggDistance(PerceptualDistance):
    """By five layers of VGG19, or of a random network of its shape."""

    weights = LAYER_WEIGHTS

    def __init__(
        self, weights: Path | None = None, *, half: bool = False, normalised: bool = True
    ) -> None:
        """Read the weights, or draw them.

        Args:
            weights: `.safetensors`, or a torch file of plain weights; None: random ones.
            half: see `open_perceptual`.
            normalised: see there.

        Raises:
            SetupError: no such file, or not VGG19's weights.
        """
        super().__init__()
        self.features = _make_layers()
        self._halves = half
        self.name = VGG19 if weights else RANDOM
        if weights:
            _load(self.features, weights)
        else:
            _draw(self.features)
        self.sha256 = _digest(self.features)
        self._colors = (MEAN, DEVIATION) if normalised else ((0.5,) * 3, (0.5,) * 3)
        self.requires_grad_(False).eval()

    def see(self, pictures: Tensor) -> list[Tensor]:
        """Layers relu1_1 to relu5_1."""
        x = functional.avg_pool2d(pictures, 2) if self._halves else pictures
        mean, deviation = (x.new_tensor(values)[:, None, None] for values in self._colors)
        x = ((x + 1) / 2 - mean) / deviation
        seen = []
        for number, layer in enumerate(self.features):
            x = layer(x)
            if number in OUTPUTS:
                seen.append(x)
        return seen


class FaceDistance(PerceptualDistance):
    """By the maps behind the five stages of dlib's face recogniser."""

    name = FACE
    weights = (0.2,) * 5

    def __init__(self, network: FaceNetwork, *, half: bool = False) -> None:
        """Keep the network; `half`: see `open_perceptual`."""
        super().__init__()
        self.network, self.sha256, self._halves = network, network.sha256, half

    def compare(self, pred: Tensor, target: Tensor) -> Tensor:
        """Over the mean of what the real picture gives: the depths differ in size a hundredfold."""
        return super().compare(pred, target) / target.abs().mean().clamp(min=1e-6)

    def see(self, pictures: Tensor) -> list[Tensor]:
        """The maps; pictures that are too small for the last one are enlarged."""
        side = min(pictures.shape[2:])
        if self._halves and side >= 2 * LEAST_SIDE:
            pictures = functional.avg_pool2d(pictures, 2)
        elif side < LEAST_SIDE:
            size = (LEAST_SIDE, LEAST_SIDE)
            pictures = functional.interpolate(
                pictures, size=size, mode="bilinear", align_corners=False
            )
        return self.network.features(pictures)


def _make_layers() -> nn.Sequential:
    layers: list[nn.Module] = []
    inputs = 3
    for width in WIDTHS:
        if not width:
            layers.append(nn.MaxPool2d(2))
            continue
        layers += [nn.Conv2d(inputs, width, 3, padding=1), nn.ReLU()]
        inputs = width
    return nn.Sequential(*layers)


def _load(layers: nn.Sequential, path: Path) -> None:
    if path.suffix == ".safetensors":
        tensors, _ = read_safetensors(path)
    else:
        tensors = read_checkpoint(path)
    names = layers.state_dict()
    try:
        layers.load_state_dict({name: tensors[f"features.{name}"] for name in names})
    except (KeyError, TypeError, RuntimeError) as error:
        text = str(error).splitlines()[-1].strip()
        raise SetupError(f"{path}: not VGG19 as torchvision names it: {text}") from error


def _draw(layers: nn.Sequential) -> None:
    """Weights that keep the size of what runs through them (He et al., ICCV 2015)."""
    generator = torch.Generator().manual_seed(SEED)
    for layer in layers:
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]


def _digest(layers: nn.Sequential) -> str:
    digest = hashlib.sha256()
    for value in layers.state_dict().values():
        digest.update(value.contiguous().numpy().tobytes())
    return digest.hexdigest()
