"""Layers of spectral norm whose vectors move by `iterate_gains` alone.

Miyato et al. (ICLR 2018). A weight W, as a matrix, is divided by its largest singular value, which
the vectors u and v estimate as uᵀWv. PyTorch's own layers move u and v in every forward pass of
training; within a step of meta-learning they must stay what was copied with the weights.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

FIRST_ITERATIONS = 5
"""Of a new layer's vectors."""


class SpectralLayer(nn.Module):
    """Adds the vectors `left` (rows,) and `right` (columns,) to a layer with a weight.

    Attributes:
        is_folded: its weight is divided by its gain already, see `fold_gains`.
    """

    weight: Tensor
    left: Tensor
    right: Tensor
    is_folded = False

    def add_vectors(self) -> None:
        """Random unit vectors, moved until they tell the gain."""
        rows, columns = self.weight.flatten(1).shape
        for name, size in (("left", rows), ("right", columns)):
            self.register_buffer(name, functional.normalize(torch.randn(size), dim=0))
        for _ in range(FIRST_ITERATIONS):
            self.iterate()

    @torch.no_grad()
    def iterate(self) -> None:
        """One power iteration."""
        matrix = self.weight.flatten(1)
        self.right.copy_(functional.normalize(matrix.T @ self.left, dim=0))
        self.left.copy_(functional.normalize(matrix @ self.right, dim=0))

    def divide(self) -> Tensor:
        """The weight over its gain, a function of the weight."""
        if self.is_folded:
            return self.weight
        gain = (self.weight.flatten(1) * torch.outer(self.left, self.right)).sum()
        return torch.as_tensor(self.weight / gain)


class SpectralConv2d(nn.Conv2d, SpectralLayer):
    """A convolution of spectral norm."""

    def __init__(self, inputs: int, outputs: int, kernel: int, *, bias: bool = True) -> None:
        super().__init__(inputs, outputs, kernel, padding=kernel // 2, bias=bias)
        self.add_vectors()

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs, h, w) to (B, outputs, h, w)."""
        found: Tensor = self._conv_forward(x, self.divide(), self.bias)
        return found


class SpectralLinear(nn.Linear, SpectralLayer):
    """A linear layer of spectral norm."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs)
        self.add_vectors()

    def forward(self, x: Tensor) -> Tensor:
        """(B, inputs) to (B, outputs)."""
        return functional.linear(x, self.divide(), self.bias)


def iterate_gains(*networks: nn.Module) -> None:
    """Move the vectors of all layers by one power iteration."""
    for network in networks:
        for layer in network.modules():
            if isinstance(layer, SpectralLayer):
                layer.iterate()


@torch.no_grad()
def fold_gains(network: nn.Module) -> None:
    """Divide every weight by its gain once and for all: of a network that is trained no more."""
    for layer in network.modules():
        if isinstance(layer, SpectralLayer) and not layer.is_folded:
            layer.weight.copy_(layer.divide())
            layer.is_folded = True
