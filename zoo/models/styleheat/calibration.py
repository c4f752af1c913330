"""The calibration network: mends features that a flow has moved (Yin et al., ECCV 2022).

A U-Net on them, with the descriptor of what moved them in an adaptive norm at every level, makes a
scale and a shift of the map that the generator goes on with. Sizes are the released code's, of
which only the parts are known: 30,492,672 parameters in `paper`, for 512 channels.

Legend: B pictures, F channels of the generator's map at 64 × 64, C of this network, D = 256.
"""

from torch import Tensor, nn
from torch.nn import functional

from zoo.models.styleheat.layers import SLOPE, AdaptiveNorm, activate
from zoo.models.styleheat.presets import DESCRIPTOR, PRESETS, Preset
from zoo.training.options import find_preset

LEVELS = 4
"""Halvings: 64 to 4 px."""


class Calibration(nn.Module):
    """Warped features, mended; an untrained network leaves them as they are."""

    def __init__(self, preset: Preset, features: int) -> None:
        """`features`: F."""
        super().__init__()
        width = preset.calibration
        self.describe = nn.Sequential(
            nn.Linear(DESCRIPTOR, DESCRIPTOR),
            nn.LeakyReLU(SLOPE),
            nn.Linear(DESCRIPTOR, DESCRIPTOR),
        )
        self.enter = nn.Conv2d(features, width, 1)
        self.down = nn.ModuleList(Residual(width, 0.5) for _ in range(LEVELS))
        self.bottom = nn.Conv2d(width, width, 3, padding=1)
        self.up = nn.ModuleList(Residual(width, 2.0) for _ in range(LEVELS))
        self.adapt = nn.ModuleList(AdaptiveResidual(width) for _ in range(LEVELS))
        self.scale = nn.ModuleList(_make_head(width, features) for _ in range(preset.heads))
        self.shift = nn.ModuleList(_make_head(width, features) for _ in range(preset.heads))

    def forward(self, warped: Tensor, descriptor: Tensor) -> Tensor:
        """F · (1 + s) + b, (B, F, 64, 64), of the same and (B, D)."""
        motion = self.describe(descriptor)
        x = activate(self.enter(warped))
        seen = []
        for layer in self.down:
            seen.append(x)
            x = layer(x)
        x = activate(self.bottom(x))
        for layer, adapt in zip(self.up, self.adapt, strict=True):
            x = adapt(layer(x) + seen.pop(), motion)
        scale, shift = self.scale[0](x), self.shift[0](x)
        out: Tensor = warped * (1 + scale) + shift
        return out


def create_calibration(preset: str = "small", *, features: int = 512) -> Calibration:
    """An untrained network for a map of so many channels; ValueError for no such preset."""
    return Calibration(find_preset(PRESETS, preset), features)


class Residual(nn.Module):
    """Two convolutions at half or twice the side, with one beside them."""

    def __init__(self, width: int, factor: float) -> None:
        super().__init__()
        self._factor = factor
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        self.beside = nn.Conv2d(width, width, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) to the other size."""
        y = self._resize(activate(self.first(x)))
        out: Tensor = activate(self.second(y)) + self.beside(self._resize(x))
        return out

    def _resize(self, x: Tensor) -> Tensor:
        return functional.interpolate(
            x, scale_factor=self._factor, mode="bilinear", align_corners=False
        )


class AdaptiveResidual(nn.Module):
    """Two convolutions behind adaptive norms, added to what comes in."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(AdaptiveNorm(width) for _ in range(2))
        self.convolutions = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in range(2))

    def forward(self, x: Tensor, descriptor: Tensor) -> Tensor:
        """(B, C, h, w) both ways."""
        y = x
        for norm, convolve in zip(self.norms, self.convolutions, strict=True):
            y = convolve(activate(norm(y, descriptor)))
        return x + y


def _make_head(width: int, features: int) -> nn.Sequential:
    """The last layer begins at zero."""
    last = nn.Conv2d(width, features, 3, padding=1)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)  # type: ignore[arg-type]
    return nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.LeakyReLU(SLOPE), last)
