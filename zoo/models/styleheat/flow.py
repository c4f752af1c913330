"""Flow fields, and feature maps and pictures moved by them: one convention for all.

A flow (B, 2, h, w) says in pixels of its own grid how far right (channel 0) and down (channel 1) of
a place lies what is to be seen there: `out[y, x] = in[y + flow_y, x + flow_x]`, bilinear, the
border repeated outside. Pixels are squares whose centres are sampled (`align_corners=False`), so a
flow of zeros is the identity at any size, and a flow drawn larger moves the same share of the
picture. The released code makes its grid as if corners were aligned and samples as if they were not
(Yin et al., ECCV 2022): then a flow of zeros shrinks what it moves.

Legend: B batch, C channels, H, W of what is moved, h, w of the flow.
"""

import torch
from torch import Tensor
from torch.nn import functional

GRID = 64
"""h and w: the layer that is warped, section 2 of the supplement."""


def warp(maps: Tensor, flow: Tensor) -> Tensor:
    """Maps or pictures (B, C, H, W) moved by a flow (B, 2, h, w)."""
    height, width = maps.shape[2:]
    flow = resize_flow(flow.float(), height, width)
    rows = torch.arange(height, device=maps.device, dtype=torch.float32)[:, None] + flow[:, 1]
    columns = torch.arange(width, device=maps.device, dtype=torch.float32) + flow[:, 0]
    x, y = (2 * columns + 1) / width - 1, (2 * rows + 1) / height - 1
    grid = torch.stack([x, y], dim=3)
    return functional.grid_sample(
        maps.float(), grid, mode="bilinear", padding_mode="border", align_corners=False
    ).to(maps.dtype)


def resize_flow(flow: Tensor, height: int, width: int) -> Tensor:
    """The same movement in pixels of a grid (height, width)."""
    h, w = flow.shape[2:]
    if (h, w) == (height, width):
        return flow
    resized = functional.interpolate(flow, (height, width), mode="bilinear", align_corners=False)
    return resized * resized.new_tensor([width / w, height / h])[:, None, None]
