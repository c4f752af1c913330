"""Mouth and eyes by themselves: what frames show there, and the discriminators that see it.

Legend: B batch, C channels, H the side of a picture.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from zoo.models.renderer.networks import Features, MultiscaleDiscriminator
from zoo.models.renderer.presets import PRESETS
from zoo.training.options import find_preset

MOUTH, EYES = "mouth", "eyes"

PATCHES = {MOUTH: 4, EYES: 8}
"""A patch is so many times smaller than a picture, whatever the size of the head in it."""

WIDTH = 16
"""First channels of a patch's discriminator."""

Judge = Callable[[Tensor], Features]
"""A discriminator whose condition is given."""


def create_patch_discriminators(preset: str) -> nn.ModuleDict:
    """A preset's discriminators of patches with random weights; empty where it has none.

    They see what is rendered of frame t, its eye-attention map included, beside a picture.
    """
    chosen = find_preset(PRESETS, preset)
    channels = chosen.window.channels + 3
    names = PATCHES if chosen.patches else ()
    return nn.ModuleDict(
        {name: MultiscaleDiscriminator(channels, width=WIDTH, scales=1) for name in names}
    )


@dataclass(frozen=True, eq=False)
class Patch:
    """The mouths of a batch, or its eyes; see `cut_patches`.

    Attributes:
        name: of `PATCHES`.
        judge: its discriminator.
        target: what was stored there.
        pred: what was drawn there; gradients reach the generator.
    """

    name: str
    judge: Judge
    target: Tensor
    pred: Tensor


def pair_patches(
    discriminators: nn.ModuleDict, rendered: Tensor, target: Tensor, pred: Tensor, regions: Tensor
) -> list[Patch]:
    """Patches of what was rendered (B, C, H, H), stored and drawn (B, 3, H, H), with their judges.

    Args:
        discriminators: of `create_patch_discriminators`.
        rendered: of the frames themselves, without their neighbours.
        target: stored.
        pred: drawn.
        regions: (B, 3, 4), see `zoo.models.renderer.regions.place_regions`.
    """
    known = cut_patches(torch.cat([rendered, target], dim=1), regions)
    drawn = cut_patches(pred, regions)
    C = rendered.shape[1]
    return [
        Patch(
            name,
            functools.partial(network, known[name][:, :C]),
            known[name][:, C:],
            drawn[name],
        )
        for name, network in discriminators.items()
    ]


def cut_patches(pictures: Tensor, regions: Tensor) -> dict[str, Tensor]:
    """What pictures (B, C, H, H) show in regions (B, 3, 4): gradients reach the pictures.

    `mouth` is (B, C, H/4, H/4); `eyes` is (2·B, C, H/8, H/8), all right ones, mirrored onto the
    left, before all left ones. Beyond a picture its border is repeated.
    """
    mouth, right, left = regions.unbind(dim=1)
    right = right[:, [2, 1, 0, 3]]  # from its right side to its left one
    sides = {name: pictures.shape[-1] // share for name, share in PATCHES.items()}
    eyes = [_cut(pictures, region, sides[EYES]) for region in (right, left)]
    return {MOUTH: _cut(pictures, mouth, sides[MOUTH]), EYES: torch.cat(eyes)}


def _cut(pictures: Tensor, region: Tensor, side: int) -> Tensor:
    """(B, C, side, side) of regions (B, 4), sampled at the middles of its pixels."""
    shares = (torch.arange(side, device=region.device) + 0.5) / side
    x0, y0, x1, y1 = (2 * region / pictures.shape[-1] - 1).unsqueeze(-1).unbind(dim=1)
    across, down = torch.lerp(x0, x1, shares), torch.lerp(y0, y1, shares)
    grid = torch.stack(
        [across[:, None].expand(-1, side, -1), down[:, :, None].expand(-1, -1, side)], dim=-1
    )
    return functional.grid_sample(
        pictures.float(), grid, padding_mode="border", align_corners=False
    )
