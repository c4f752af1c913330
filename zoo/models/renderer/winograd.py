"""Convolutions of 3 × 3 with a quarter of the multiplications.

Winograd's minimal filtering F(4 × 4, 3 × 3) as Lavin & Gray have it (Fast Algorithms for
Convolutional Neural Networks, CVPR 2016, section 4): tiles of 6 × 6 and kernels are transformed,
multiplied place by place, and transformed back to 4 × 4, each step one matrix product over all
tiles. Legend: h, w height and width of a picture, i, o channels, n tiles.
"""

import torch
from torch import Tensor
from torch.nn import functional

TILE = 4
"""Side of the square of results that a tile gives."""

_INPUT = (
    (4, 0, -5, 0, 1, 0),
    (0, -4, -4, 1, 1, 0),
    (0, 4, -4, -1, 1, 0),
    (0, -2, -1, 2, 1, 0),
    (0, 2, -1, -2, 1, 0),
    (0, 4, 0, -5, 0, 1),
)
_KERNEL = (
    (1 / 4, 0, 0),
    (-1 / 6, -1 / 6, -1 / 6),
    (-1 / 6, 1 / 6, -1 / 6),
    (1 / 24, 1 / 12, 1 / 6),
    (1 / 24, -1 / 12, 1 / 6),
    (0, 0, 1),
)
_RESULT = ((1, 1, 1, 1, 1, 0), (0, 1, -1, 2, -2, 0), (0, 1, 1, 4, 4, 0), (0, 1, -1, 8, -8, 1))
"""Bᵀ, G and Aᵀ of section 4.3's F(4, 3), along one axis."""


class Winograd:
    """A convolution of 3 × 3 with a border of zeros and without a bias, of fixed weights.

    On a CPU in fp32; results differ from a convolution's by rounding: some 10⁻⁵ of their deviation.
    """

    def __init__(self, weight: Tensor) -> None:
        """Transform weights (o, i, 3, 3)."""
        kernel = torch.tensor(_KERNEL, dtype=torch.float64)
        spread = torch.einsum("ak,oikl,bl->abio", kernel, weight.detach().double(), kernel)
        self._weight = spread.flatten(0, 1).float().contiguous()  # (36, i, o)
        self._input, self._result = _square(_INPUT), _square(_RESULT)

    def __call__(self, x: Tensor) -> Tensor:
        """(h, w, o) of (h, w, i), contiguous; ValueError where a side is no multiple of four."""
        h, w, i = x.shape
        if h % TILE or w % TILE:
            raise ValueError(f"a picture of {h} × {w}: both must be multiples of {TILE}")
        rows, columns, o = h // TILE, w // TILE, self._weight.shape[2]
        padded = functional.pad(x, (0, 0, 1, 1, 1, 1))
        down, across = padded.stride()[:2]
        steps = (down, across, TILE * down, TILE * across, 1)
        tiles = padded.as_strided((6, 6, rows, columns, i), steps).reshape(36, -1)
        spread = torch.mm(self._input, tiles).view(36, -1, i)
        found = torch.mm(self._result, torch.bmm(spread, self._weight).view(36, -1))
        return found.view(TILE, TILE, rows, columns, o).permute(2, 0, 3, 1, 4).reshape(h, w, o)


def _square(matrix: tuple[tuple[float, ...], ...]) -> Tensor:
    """The transform of both axes at once, places row by row."""
    single = torch.tensor(matrix, dtype=torch.float64)
    return torch.kron(single, single).float()
