"""Pictures to w+ and to what w+ leaves out, where no published encoder is given.

Built as HFGI's (Wang et al., arXiv:2109.06590): one network finds w+, another sees the difference
between the picture and what w+ alone gives, and scales and shifts the maps at 64 px by it.
Legend: B batch, L vectors of w+, C channels of the maps at 64 px, H the side of a picture.
"""

import itertools

from torch import Tensor, nn

from zoo.stylegan.generator import FEATURE_SIDE, STYLE
from zoo.stylegan.layers import EqualConv2d, EqualLinear, ResBlock, ScaledLeakyReLU, activate

COARSEST = 4
"""Side of the last maps that w+ is read from, px."""


class StyleEncoder(nn.Module):
    """Pictures to w+; pixels are packed into channels, so that all is computed at 64 px and less.

    Attributes:
        side: H.
    """

    def __init__(self, side: int, widths: tuple[int, ...], num_styles: int) -> None:
        """`widths`: channels of the maps of 64, 32, 16, 8 and 4 px; `num_styles`: L."""
        super().__init__()
        self.side, self._num_styles = side, num_styles
        self.enter = _make_entry(side, widths[0])
        self.body = nn.Sequential(*(ResBlock(a, b) for a, b in itertools.pairwise(widths)))
        hidden = min(STYLE, 4 * widths[-1])
        self.hidden = EqualLinear(widths[-1] * COARSEST**2, hidden, active=True)
        self.leave = EqualLinear(hidden, num_styles * STYLE)

    def forward(self, pictures: Tensor) -> Tensor:
        """w+ (B, L, 512) of pictures (B, 3, H, H), −1 to 1."""
        maps = self.body(activate(self.enter(pictures)))
        styles: Tensor = self.leave(self.hidden(maps.flatten(1)))
        return styles.view(-1, self._num_styles, STYLE)


class ResidualEncoder(nn.Module):
    """What w+ leaves out of a picture to a scale and a shift of the maps at 64 px."""

    def __init__(self, side: int, width: int, channels: int) -> None:
        """`width`: channels within; `channels`: C."""
        super().__init__()
        self.body = nn.Sequential(
            _make_entry(side, width), ScaledLeakyReLU(),
            EqualConv2d(width, width, 3, padding=1), ScaledLeakyReLU(),
        )  # fmt: skip
        self.leave = EqualConv2d(width, 2 * channels, 1)
        nn.init.zeros_(self.leave.weight)  # at first the maps stay as they are

    def forward(self, residual: Tensor, coarse: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, 64, 64) each, of residuals (B, 3, H, H).

        `coarse`, the picture of w+ alone, is not looked at: an edit leaves both as they are.
        """
        scale, shift = self.leave(self.body(residual)).chunk(2, dim=1)
        return scale, shift


def _make_entry(side: int, width: int) -> nn.Sequential:
    packed = side // FEATURE_SIDE
    return nn.Sequential(nn.PixelUnshuffle(packed), EqualConv2d(3 * packed**2, width, 3, padding=1))
