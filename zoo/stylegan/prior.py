"""A generator with what inverts pictures into it: StyleHEAT's prior, and its checkpoints.

Legend: B batch, L vectors of w+, C channels of the maps at 64 px, H the side of the generator's
pictures, E the side of those that the encoders see.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from toolkit.errors import ToolkitError
from zoo.stylegan.encoders import ResidualEncoder, StyleEncoder
from zoo.stylegan.generator import Features, Generator, Hook
from zoo.stylegan.hfgi import PublishedResiduals, PublishedStyles
from zoo.stylegan.layers import place_network
from zoo.stylegan.sizes import PUBLISHED, PriorSizes
from zoo.training.checkpoint import load_checkpoint

KIND = "styleheat-prior"
"""Of its checkpoints, whether trained or converted."""

Change = Callable[[Tensor], Tensor]
"""w+ (B, L, 512) to another."""


class Inversion(NamedTuple):
    """What a picture is in the generator.

    Attributes:
        styles: (B, L, 512), w+.
        maps: (B, C, 64, 64), F: those that w+ gives, scaled and shifted.
    """

    styles: Tensor
    maps: Tensor


class Prior(nn.Module):
    """The generator and its encoders.

    Attributes:
        size: H.
        features: C.
        generator: of w+ to pictures.
        encoder: of pictures to w+.
        residuals: of what w+ leaves out to a scale and a shift.
    """

    encoder: StyleEncoder | PublishedStyles

    def __init__(self, sizes: PriorSizes = PUBLISHED) -> None:
        """Make networks with random weights."""
        super().__init__()
        self.generator = Generator(sizes.generator, num_mapping=sizes.mapping)
        self.size, self.features = self.generator.side, self.generator.feature_channels
        if sizes.encoder:
            self.encoder = StyleEncoder(self.size, sizes.encoder, self.generator.num_styles)
            self.residuals: nn.Module = ResidualEncoder(self.size, sizes.encoder[0], self.features)
        else:
            self.encoder, self.residuals = PublishedStyles(), PublishedResiduals()

    def forward(self, pictures: Tensor, *, fine: bool = True) -> Tensor:
        """(B, 2, 3, H, H): pictures (B, 3, ·, ·) by w+ alone, and with F; else (B, 1, 3, H, H)."""
        styles = self.encoder(_resize(pictures, self.encoder.side))
        features = self.generator.begin(styles)
        coarse = self.generator.finish(features, styles)
        if not fine:
            return coarse[:, None]
        maps = self._adjust(features.maps, self._leave_out(pictures, coarse), coarse)
        drawn = self.generator.finish(features._replace(maps=maps), styles)
        return torch.stack([coarse, drawn], dim=1)

    def invert(self, pictures: Tensor, change: Change | None = None) -> Inversion:
        """w+ and F of pictures.

        Args:
            pictures: (B, 3, h, h), −1 to 1, aligned, of any size.
            change: of w+; F then keeps what w+ left out of the picture as it was.
        """
        styles = self.encoder(_resize(pictures, self.encoder.side))
        features = self.generator.begin(styles)
        coarse = self.generator.finish(features, styles)
        residual = self._leave_out(pictures, coarse)
        if change is not None:
            styles = change(styles)
            features = self.generator.begin(styles)
            coarse = self.generator.finish(features, styles)
        return Inversion(styles, self._adjust(features.maps, residual, coarse))

    def synthesize(self, styles: Tensor, *, at_64: Hook | None = None) -> Tensor:
        """See `Generator.synthesize`."""
        return self.generator.synthesize(styles, at_64=at_64)

    def reconstruct(self, inversion: Inversion) -> Tensor:
        """(B, 3, H, H) of w+ and F."""
        features = self.generator.begin(inversion.styles)
        return self.generator.finish(Features(inversion.maps, features.skip), inversion.styles)

    def _leave_out(self, pictures: Tensor, coarse: Tensor) -> Tensor:
        """(B, 3, E, E): pictures less those by w+ alone; no gradient passes."""
        side = self.encoder.side
        return _resize(pictures, side) - _resize(coarse.detach().clamp(-1, 1), side)

    def _adjust(self, maps: Tensor, residual: Tensor, coarse: Tensor) -> Tensor:
        seen = _resize(coarse.detach().clamp(-1, 1), self.encoder.side)
        scale, shift = self.residuals(residual, seen)
        adjusted: Tensor = maps * (1 + scale) + shift
        return adjusted


def _resize(pictures: Tensor, side: int) -> Tensor:
    """(B, 3, side, side); larger ones are averaged over whole pixels, or all but."""
    if pictures.shape[-1] == side:
        return pictures
    if pictures.shape[-1] % side == 0:
        return functional.avg_pool2d(pictures, pictures.shape[-1] // side)
    return functional.interpolate(
        pictures, size=(side, side), mode="bilinear", align_corners=False, antialias=True
    )


def open_prior(path: Path, device: torch.device | str = "cpu") -> Prior:
    """The prior of a checkpoint, of `zoo train styleheat-prior` or converted, ready for use.

    Raises:
        ToolkitError: no such checkpoint, one of something else, or of another version.
    """
    content: dict[str, Any] = load_checkpoint(path, KIND)["model"]
    with torch.device("meta"):
        prior = Prior(PriorSizes.from_state(content["sizes"]))
    try:
        prior.load_state_dict(content["prior"], assign=True)
    except RuntimeError as error:
        raise ToolkitError(
            f"{path}: its weights do not fit the networks of this version: train with it"
        ) from error
    place_network(prior.generator, device)
    return prior.requires_grad_(False).eval().to(device)
