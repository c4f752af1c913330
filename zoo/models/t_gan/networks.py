"""The texture GAN of Das et al. (ECCV 2020, section 4.3): G_T of E_L and E_I, and D_T.

Residual blocks as in BigGAN (Brock et al., ICLR 2019) with instance norm, self-attention as in
SAGAN (Zhang et al., ICML 2019), adaptive instance norm (Huang and Belongie, ICCV 2017) at the
bottleneck of E_L. The paper prints no width, no output's activation and not how N pictures become
one texture: those are this project's, see docs/models.md.

Legend: B pictures of one person, N of the same that the texture is taken from, H their side,
C channels, s side of a map.
"""

import itertools
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from zoo.models.t_gan.presets import ATTENTION_SIDE, LEAST_SIDE, NUM_BLOCKS, PRESETS, Preset
from zoo.models.t_gan.spectral import SpectralConv2d, SpectralLinear
from zoo.training.options import find_preset

_Network = TypeVar("_Network", bound=nn.Module)


def create_generator(
    preset: str = "small", size: int | None = None, *, concatenate: bool = False
) -> "Generator":
    """G_T with random weights.

    Args:
        preset: one of `PRESETS`.
        size: H, by default the preset's.
        concatenate: join the texture to E_L's bottleneck as channels, without adaptive instance
            norm (Table 3, CC).

    Raises:
        ValueError: an unknown preset, or a side that is no power of two of 64 or more.
    """
    chosen, size = _choose(preset, size)
    return Generator(chosen, size, concatenate=concatenate)


def create_discriminator(preset: str = "small", size: int | None = None) -> "Discriminator":
    """D_T with random weights; arguments and errors as of `create_generator`."""
    return Discriminator(*_choose(preset, size))


def place_network(network: _Network, device: torch.device) -> _Network:
    """On a device, with channels last, in which convolutions are quickest."""
    return network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def _choose(preset: str, size: int | None) -> tuple[Preset, int]:
    chosen = find_preset(PRESETS, preset)
    size = size or chosen.size
    if size < 2 * ATTENTION_SIDE or size & (size - 1):
        raise ValueError(f"pictures of {size} px: the side must be a power of two, 64 or more")
    return chosen, size


def list_sides(size: int) -> list[int]:
    """Side of the maps behind each block of an encoder of pictures of a size."""
    return [max(LEAST_SIDE, size >> (k + 1)) for k in range(NUM_BLOCKS)]


# --- blocks -------------------------------------------------------------------------------------


def _norm(width: int) -> nn.GroupNorm:
    """Instance norm with a scale and a shift, without running statistics.

    A group for each channel is the same, and on a CPU several times as fast as InstanceNorm2d,
    which gives up channels last.
    """
    return nn.GroupNorm(width, width)


class ResidualBlock(nn.Module):
    """Norm, ReLU, convolution, twice; added to what comes in; halved or doubled, or neither."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        change: str = "",
        *,
        is_first: bool = False,
        is_normalised: bool = False,
    ) -> None:
        """Make it.

        Args:
            inputs: channels.
            outputs: channels.
            change: `halve` behind the convolutions, by means, `double` before them, by the nearest,
                or neither.
            is_first: what comes in is a picture, without norm and ReLU before its convolution.
            is_normalised: what comes in has been through adaptive instance norm, whose scales
                another norm would take away.
        """
        super().__init__()
        self._change = change
        enter = [] if is_first else [nn.ReLU()] if is_normalised else [_norm(inputs), nn.ReLU()]
        self.enter = nn.Sequential(*enter)
        self.first = SpectralConv2d(inputs, outputs, 3, bias=False)  # a norm follows
        self.between = nn.Sequential(_norm(outputs), nn.ReLU())
        self.second = SpectralConv2d(outputs, outputs, 3)
        self.skip = SpectralConv2d(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, s, s) to (B, outputs, ·, ·)."""
        y = self.enter(x)
        if self._change == "double":
            y = functional.interpolate(y, scale_factor=2, mode="nearest")
        y = self.second(self.between(self.first(y)))
        if self._change == "halve":
            out: Tensor = functional.avg_pool2d(y, 2) + self.skip(functional.avg_pool2d(x, 2))
        elif self._change == "double":
            out = y + functional.interpolate(self.skip(x), scale_factor=2, mode="nearest")
        else:
            out = y + self.skip(x)
        return out


class Attention(nn.Module):
    """Self-attention over all places of a map, by a share that begins at 0.

    Keys and values are halved by maxima, as SAGAN's released code and BigGAN have it: a quarter of
    the products. Plain products, for scaled-dot-product attention has no second derivative on a
    CPU.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.query = SpectralConv2d(width, width // 8, 1)
        self.key = SpectralConv2d(width, width // 8, 1, bias=False)  # one for all changes no share
        self.value = SpectralConv2d(width, width // 2, 1)
        self.leave = SpectralConv2d(width // 2, width, 1)
        self.share = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """(B, width, s, s) both ways."""
        query = self.query(x).flatten(2)
        key, value = (
            functional.max_pool2d(part(x), 2).flatten(2) for part in (self.key, self.value)
        )
        weights = torch.softmax(query.transpose(1, 2) @ key, dim=-1)  # (B, s², s²/4)
        seen = (value @ weights.transpose(1, 2)).reshape(len(x), -1, *x.shape[2:])
        out: Tensor = x + self.share * self.leave(seen)
        return out


def _make_encoder(inputs: int, preset: Preset, size: int, *, attends: bool) -> nn.Sequential:
    """Six blocks from pictures (B, inputs, H, H) to maps (B, widths[-1], 4, 4)."""
    layers: list[nn.Module] = []
    sides = [size, *list_sides(size)]
    if preset.packed:
        layers.append(nn.PixelUnshuffle(2))
        inputs, sides[0] = 4 * inputs, size // 2
    widths = [inputs, *preset.widths]
    for k in range(NUM_BLOCKS):
        change = "halve" if sides[k + 1] < sides[k] else ""
        layers.append(ResidualBlock(widths[k], widths[k + 1], change, is_first=k == 0))
        if attends and sides[k + 1] == ATTENTION_SIDE:
            layers.append(Attention(widths[k + 1]))
    return nn.Sequential(*layers)


def _make_decoder(preset: Preset, size: int, *, is_normalised: bool) -> nn.Sequential:
    """Six blocks from maps (B, widths[-1], 4, 4) to pictures (B, 3, H, H), before the tanh.

    Args:
        preset: for the widths.
        size: H.
        is_normalised: adaptive instance norm stands before it, in the place of the first norm.
    """
    layers: list[nn.Module] = []
    sides = [*reversed(list_sides(size)), size // 2 if preset.packed else size]
    widths = [*reversed(preset.widths), preset.widths[0]]
    steps = zip(itertools.pairwise(sides), itertools.pairwise(widths), strict=True)
    for (side, next_side), (width, outputs) in steps:
        change = "double" if next_side > side else ""
        is_modulated = is_normalised and not layers
        layers.append(ResidualBlock(width, outputs, change, is_normalised=is_modulated))
        if next_side == ATTENTION_SIDE and side < next_side:
            layers.append(Attention(outputs))
    layers.append(nn.ReLU())
    if preset.packed:
        return nn.Sequential(*layers, _make_subpixels(widths[-1]), nn.PixelShuffle(2))
    return nn.Sequential(*layers, SpectralConv2d(widths[-1], 3, 3))


def _make_subpixels(inputs: int) -> SpectralConv2d:
    """Four subpixels of each colour, alike at first: else their differences stay as a pattern.

    Aitken et al. (2017).
    """
    layer = SpectralConv2d(inputs, 12, 3)
    with torch.no_grad():
        for values in layer.parameters():
            values.copy_(values[::4].repeat_interleave(4, dim=0))
    layer.add_vectors()
    return layer


# --- networks -----------------------------------------------------------------------------------


class TextureEncoder(nn.Module):
    """E_I: pictures with their landmarks to one texture."""

    def __init__(self, preset: Preset, size: int, *, as_map: bool) -> None:
        """`as_map`: keep the last activation's places, else sum over them."""
        super().__init__()
        self._as_map = as_map
        self.blocks = _make_encoder(6, preset, size, attends=False)

    def forward(self, pictures: Tensor, rasters: Tensor) -> Tensor:
        """Mean (1, C) of N pictures and rasters (N, 3, H, H), −1 to 1; as a map (1, C, 4, 4)."""
        seen = functional.relu(self.blocks(torch.cat([pictures, rasters], dim=1)))
        texture = seen if self._as_map else seen.sum(dim=(2, 3))
        return torch.as_tensor(texture.mean(dim=0, keepdim=True))


class AdaptiveNorm(nn.Module):
    """Instance norm whose scale and shift come from a texture."""

    def __init__(self, width: int, texture: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(width, width, affine=False)
        self.project = SpectralLinear(texture, 2 * width)

    def forward(self, x: Tensor, texture: Tensor) -> Tensor:
        """(B, width, s, s) both ways, by a texture (1, texture)."""
        scale, shift = self.project(texture)[:, :, None, None].chunk(2, dim=1)
        out: Tensor = self.norm(x) * (1 + scale) + shift
        return out


class Concatenation(nn.Module):
    """The texture's map as further channels, in the place of adaptive instance norm."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.join = SpectralConv2d(2 * width, width, 1)

    def forward(self, x: Tensor, texture: Tensor) -> Tensor:
        """(B, width, s, s) both ways, by a texture (1, width, s, s)."""
        joined: Tensor = self.join(torch.cat([x, texture.expand_as(x)], dim=1))
        return joined


class Generator(nn.Module):
    """G_T: landmarks drawn as pictures, and pictures of a person, to their face."""

    def __init__(self, preset: Preset, size: int, *, concatenate: bool = False) -> None:
        super().__init__()
        width = preset.widths[-1]
        self.texture = TextureEncoder(preset, size, as_map=concatenate)
        self.encoder = _make_encoder(3, preset, size, attends=True)
        self.modulate = Concatenation(width) if concatenate else AdaptiveNorm(width, width)
        self.decoder = _make_decoder(preset, size, is_normalised=not concatenate)

    def embed(self, pictures: Tensor, rasters: Tensor) -> Tensor:
        """The texture of N pictures and rasters (N, 3, H, H), as `draw` takes it."""
        texture: Tensor = self.texture(pictures, rasters)
        return texture

    def draw(self, raster: Tensor, texture: Tensor) -> Tensor:
        """Pictures (B, 3, H, H), −1 to 1, of rasters (B, 3, H, H) by a texture."""
        bottleneck = self.modulate(self.encoder(raster), texture)
        return torch.tanh(self.decoder(bottleneck).float())

    def forward(self, raster: Tensor, pictures: Tensor, rasters: Tensor) -> Tensor:
        """Pictures (B, 3, H, H) of rasters (B, 3, H, H), by N pictures with their rasters."""
        return self.draw(raster, self.embed(pictures, rasters))


class Discriminator(nn.Module):
    """D_T(Iⁿ, I): whether a picture is real, given the mean of the person's N pictures."""

    def __init__(self, preset: Preset, size: int) -> None:
        super().__init__()
        self.blocks = _make_encoder(6, preset, size, attends=False)
        self.leave = SpectralLinear(preset.widths[-1], 1)

    def forward(self, picture: Tensor, reference: Tensor) -> Tensor:
        """Logits (B,) of pictures (B, 3, H, H), by N pictures of the person (N, 3, H, H)."""
        mean = reference.mean(dim=0, keepdim=True).expand_as(picture)
        seen = functional.relu(self.blocks(torch.cat([picture, mean], dim=1)))
        logits: Tensor = self.leave(seen.amax(dim=(2, 3)))[:, 0]
        return logits.float()
