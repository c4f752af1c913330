"""StyleGAN2's generator: w+ to a picture, its maps open to whoever warps or calibrates them.

Legend: B batch, L vectors of w+, C channels of a map, H the side of the picture.
"""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn

from zoo.stylegan.layers import EqualLinear, PixelNorm, StyledConv, ToRGB

STYLE = 512
"""Numbers of each vector of w+."""

LEAST_SIDE = 4
"""Of the maps, px."""

FEATURE_SIDE = 64
"""Of the maps that are warped (StyleHEAT, section 2 of the supplement)."""

Hook = Callable[[Tensor], Tensor]
"""A map (B, C, h, h) to one of the same shape."""


class Features(NamedTuple):
    """Where the generator stands behind the first convolution at 64 px.

    Attributes:
        maps: (B, C, 64, 64), F.
        skip: (B, 3, 32, 32), colours so far.
    """

    maps: Tensor
    skip: Tensor


class _Noises(nn.Module):
    """One picture of noise for each layer, drawn once: the frames of a video must not differ."""

    def __init__(self, num_layers: int) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        for number in range(num_layers):
            side = 2 ** ((number + 5) // 2)
            noise = torch.randn(1, 1, side, side, generator=generator, device="cpu")
            self.register_buffer(f"noise_{number}", noise)


class _Constant(nn.Module):
    """The map that all pictures begin with."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.input = nn.Parameter(torch.randn(1, channels, LEAST_SIDE, LEAST_SIDE))


class Generator(nn.Module):
    """Pictures of styles.

    At 4 px a convolution and colours; at each further size a convolution that doubles it, one that
    keeps it, and colours, each with a vector of w+. Colours of a size and the first convolution of
    the next share one.

    Attributes:
        side: H.
        num_styles: L.
        feature_channels: C of the maps at 64 px.
    """

    def __init__(self, widths: tuple[int, ...], *, num_mapping: int = 8) -> None:
        """Make a generator with random weights.

        Args:
            widths: channels of the maps of 4, 8, 16 … px, the last those of the picture's side.
            num_mapping: layers of the mapping network.

        Raises:
            ValueError: the side is less than 64 px.
        """
        super().__init__()
        self.side = LEAST_SIDE * 2 ** (len(widths) - 1)
        if self.side < FEATURE_SIDE:
            raise ValueError(f"pictures of {self.side} px: {FEATURE_SIDE} at least")
        self.num_styles, self._split = 2 * len(widths), int(math.log2(FEATURE_SIDE)) - 2
        self.feature_channels = widths[self._split]
        self.style = nn.Sequential(
            PixelNorm(),
            *(EqualLinear(STYLE, STYLE, rate=0.01, active=True) for _ in range(num_mapping)),
        )
        self.input = _Constant(widths[0])
        self.conv1 = StyledConv(widths[0], widths[0], STYLE)
        self.to_rgb1 = ToRGB(widths[0], STYLE, upsample=False)
        self.convs, self.to_rgbs = nn.ModuleList(), nn.ModuleList()
        for before, width in itertools.pairwise(widths):
            self.convs.append(StyledConv(before, width, STYLE, upsample=True))
            self.convs.append(StyledConv(width, width, STYLE))
            self.to_rgbs.append(ToRGB(width, STYLE))
        self.noises = _Noises(2 * len(widths) - 1)

    def map_noise(self, noise: Tensor) -> Tensor:
        """w+ (B, L, 512) of noise (B, 512) by the mapping network: one vector, L times."""
        found: Tensor = self.style(noise)
        return found[:, None].expand(-1, self.num_styles, -1)

    def forward(self, styles: Tensor) -> Tensor:
        """As `synthesize`."""
        return self.synthesize(styles)

    def synthesize(
        self, styles: Tensor, *, at_64: Hook | None = None, at: Mapping[int, Hook] | None = None
    ) -> Tensor:
        """Pictures (B, 3, H, H), about −1 to 1, of w+.

        Args:
            styles: (B, L, 512).
            at_64: what is done to the maps (B, C, 64, 64) behind the first convolution of their
                size, which the vector 7 of w+ modulates; None: nothing.
            at: the same by the maps' side, 4 to H.
        """
        hooks = dict(at or {}) | ({} if at_64 is None else {FEATURE_SIDE: at_64})
        return self.finish(self.begin(styles, hooks), styles, hooks)

    def begin(self, styles: Tensor, at: Mapping[int, Hook] | None = None) -> Features:
        """As far as the maps that are warped: the same in all frames of a video."""
        hooks = at or {}
        x = self.input.input.expand(len(styles), -1, -1, -1)
        x = self._hook(self.conv1(x, styles[:, 0], self._noise(0)), hooks)
        skip = self.to_rgb1(x, styles[:, 1])
        for block in range(self._split - 1):
            x, skip = self._run_rest(self._run_first(x, styles, block, hooks), skip, styles, block)
        return Features(self._run_first(x, styles, self._split - 1, hooks), skip)

    def finish(
        self, features: Features, styles: Tensor, at: Mapping[int, Hook] | None = None
    ) -> Tensor:
        """Pictures (B, 3, H, H) from there on."""
        hooks = at or {}
        x, skip = self._run_rest(*features, styles, self._split - 1)
        for block in range(self._split, len(self.to_rgbs)):
            x, skip = self._run_rest(self._run_first(x, styles, block, hooks), skip, styles, block)
        return skip

    def list_rest(self, styles: Tensor) -> Iterator[tuple[StyledConv | ToRGB, Tensor, Tensor]]:
        """Layers of `finish` in their order, each with its vectors (B, 512) of w+ and its noise.

        Colours have no noise, and get that of the convolution before.
        """
        for place in range(2 * self._split - 1, len(self.convs)):
            convolution, noise = self.convs[place], self._noise(place + 1)
            assert isinstance(convolution, StyledConv)
            yield convolution, styles[:, place + 1], noise
            if place % 2:
                colors = self.to_rgbs[place // 2]
                assert isinstance(colors, ToRGB)
                yield colors, styles[:, place + 2], noise

    def _run_first(
        self, x: Tensor, styles: Tensor, block: int, hooks: Mapping[int, Hook]
    ) -> Tensor:
        place = 2 * block
        found = self.convs[place](x, styles[:, place + 1], self._noise(place + 1))
        return self._hook(found, hooks)

    def _run_rest(
        self, x: Tensor, skip: Tensor, styles: Tensor, block: int
    ) -> tuple[Tensor, Tensor]:
        place = 2 * block + 1
        x = self.convs[place](x, styles[:, place + 1], self._noise(place + 1))
        return x, self.to_rgbs[block](x, styles[:, place + 2], skip)

    def _noise(self, layer: int) -> Tensor:
        noise: Tensor = getattr(self.noises, f"noise_{layer}")
        return noise

    def _hook(self, x: Tensor, hooks: Mapping[int, Hook]) -> Tensor:
        return hooks[x.shape[-1]](x) if x.shape[-1] in hooks else x
