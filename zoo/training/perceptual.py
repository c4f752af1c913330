"""The perceptual distance of eq. 10: L1 between features of VGG19 (Simonyan and Zisserman, 2015).

Johnson et al. (ECCV 2016), with the layers and weights of pix2pixHD. The weights are the user's, as
torchvision names them; without any, a fixed random network of the same shape takes their place.
Legend: B batch, H the side of a picture.
"""

import hashlib
import warnings
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from toolkit.errors import SetupError
from toolkit.weights import locate, read_checkpoint, read_safetensors

WIDTHS = (64, 64, 0, 128, 128, 0, 256, 256, 256, 256, 0, 512, 512, 512, 512, 0, 512)
"""VGG19's convolutions as far as the fifth group's first; 0: a maximum over 2 × 2."""

OUTPUTS = (1, 6, 11, 20, 29)
"""Layers relu1_1, relu2_1, relu3_1, relu4_1 and relu5_1."""

LAYER_WEIGHTS = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 1.0)

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's colours, 0 to 1, as torchvision's weights expect them."""

SEED = 19
"""Of the random network."""


def find_vgg(given: Path | None) -> Path | None:
    """The weights that were given, else what `ttk weights --fetch vgg19` got, or None.

    Warns where there are none.
    """
    fetched = locate("vgg19")
    if given is None and not fetched.is_file():
        text = "a random network judges instead of VGG19: see ttk weights --fetch vgg19"
        warnings.warn(text, stacklevel=2)
        return None
    return given or fetched


class PerceptualDistance(nn.Module):
    """How differently VGG19 sees two pictures; its weights are never trained.

    Attributes:
        name: `vgg19`, or `random` without the user's weights.
        sha256: digest of the weights.
    """

    def __init__(
        self, weights: Path | None = None, *, half: bool = False, normalised: bool = True
    ) -> None:
        """Read the weights, or draw them.

        Args:
            weights: `.safetensors`, or a torch file of plain weights; None: random ones.
            half: look at pictures of half the size.
            normalised: by ImageNet's colours; the released code leaves pictures at −1 to 1.

        Raises:
            SetupError: no such file, or not VGG19's weights.
        """
        super().__init__()
        self.features = _make_layers()
        self._halves = half
        self.name = "vgg19" if weights else "random"
        if weights:
            _load(self.features, weights)
        else:
            _draw(self.features)
        self.sha256 = _digest(self.features)
        self._colors = (MEAN, DEVIATION) if normalised else ((0.5,) * 3, (0.5,) * 3)
        self.requires_grad_(False).eval()

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        """Distance of pictures (B, 3, H, H), −1 to 1: a number; gradients reach `pred`."""
        with torch.no_grad():
            target_features = self.see(target)
        pairs = zip(self.see(pred), target_features, strict=True)
        terms = [(a.float() - b.float()).abs().mean() for a, b in pairs]
        return torch.stack([w * t for w, t in zip(LAYER_WEIGHTS, terms, strict=True)]).sum()

    def see(self, pictures: Tensor) -> list[Tensor]:
        """Outputs of the five layers for pictures (B, 3, H, H), −1 to 1."""
        x = functional.avg_pool2d(pictures, 2) if self._halves else pictures
        mean, deviation = (x.new_tensor(values)[:, None, None] for values in self._colors)
        x = ((x + 1) / 2 - mean) / deviation
        seen = []
        for number, layer in enumerate(self.features):
            x = layer(x)
            if number in OUTPUTS:
                seen.append(x)
        return seen


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
