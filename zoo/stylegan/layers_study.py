"""Which layer to warp: the study of Fig. 1 of StyleHEAT's supplement.

A face is drawn of noise; then the maps of one size alone are turned, and everything behind them is
drawn with the same w+.
Legend: B faces, C channels, h side of the maps.
"""

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from zoo.landmarks.cut import Picture
from zoo.stylegan.generator import LEAST_SIDE, STYLE, Generator
from zoo.training.pictures import to_pictures

DEGREES = 12.0
"""By which maps are turned about their middle, clockwise."""


def turn_maps(maps: Tensor, degrees: float = DEGREES) -> Tensor:
    """Maps (B, C, h, h) turned clockwise about their middle; their border is repeated outside."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    back = maps.new_tensor([[cos, sin, 0], [-sin, cos, 0]]).expand(len(maps), -1, -1)
    grid = functional.affine_grid(back, list(maps.shape), align_corners=False)
    return functional.grid_sample(maps, grid, padding_mode="border", align_corners=False)


def list_levels(generator: Generator) -> list[int]:
    """Sides of the maps, from 4 px to the picture's."""
    count = int(math.log2(generator.side // LEAST_SIDE)) + 1
    return [LEAST_SIDE * 2**k for k in range(count)]


@torch.inference_mode()
def draw_levels(generator: Generator, styles: Tensor, degrees: float = DEGREES) -> Picture:
    """A grid: a row for each of w+ (B, L, 512); unmoved, then with each level turned alone."""

    def turn(maps: Tensor) -> Tensor:
        return turn_maps(maps, degrees)

    hooks = [{}, *({level: turn} for level in list_levels(generator))]
    columns = [to_pictures(generator.synthesize(styles, at=at)) for at in hooks]
    return np.concatenate([np.concatenate(list(column)) for column in columns], axis=1)


def draw_styles(generator: Generator, count: int, seed: int = 0) -> Tensor:
    """w+ (count, L, 512) of noise."""
    noise = torch.randn(count, STYLE, generator=torch.Generator().manual_seed(seed))
    device = generator.input.input.device
    with torch.inference_mode():
        return generator.map_noise(noise.to(device))
