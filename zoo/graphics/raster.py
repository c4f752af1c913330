"""The rasteriser in plain torch, for any device: every triangle's candidate pixels side by side.

It follows `zoo.graphics.rules` and gives the same picture as `zoo.graphics.kernels`.
Legend: B frames, V vertices, F triangles, T triangles drawn, P candidate pixels, H the side of a
picture, C values.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from zoo.graphics.rules import SUBPIXELS

_HALF = SUBPIXELS // 2


@dataclass(frozen=True, kw_only=True, eq=False)
class Fragments:
    """What each pixel of B pictures shows.

    Attributes:
        seen: (B, H, H) int64 number of the triangle, −1 for none.
        nearest: (B, H, H) float64 1/Z, 0 for none.
    """

    seen: Tensor
    nearest: Tensor


def find_triangles(screen: Tensor, depth: Tensor, triangles: Tensor, size: int) -> Fragments:
    """The nearest triangle of each pixel.

    Args:
        screen: (B, V, 2) int64, px/256.
        depth: (B, V) float64 1/Z, 0 for vertices that cannot be drawn.
        triangles: (F, 3) int64, outside clockwise once corners 1 and 2 change places.
        size: H.
    """
    B = len(screen)
    corners = triangles[:, [0, 2, 1]]
    at, ahead = screen[:, corners], (depth[:, corners] > 0).all(dim=-1)
    drawn = ahead & (_edge(at[..., 0, :], at[..., 1, :], at[..., 2, :]) > 0)
    first = ((at.amin(dim=2) + _HALF - 1).div(SUBPIXELS, rounding_mode="floor")).clamp(min=0)
    last = ((at.amax(dim=2) - _HALF).div(SUBPIXELS, rounding_mode="floor")).clamp(max=size - 1)
    extent = (last - first + 1).clamp(min=0) * drawn[..., None]
    counts = (extent[..., 0] * extent[..., 1]).reshape(-1)
    owner = torch.repeat_interleave(torch.arange(len(counts), device=counts.device), counts)
    place = torch.arange(len(owner), device=owner.device) - (counts.cumsum(0) - counts)[owner]
    width = extent.reshape(-1, 2)[owner, 0]
    i = first.reshape(-1, 2)[owner, 0] + place % width
    j = first.reshape(-1, 2)[owner, 1] + place.div(width, rounding_mode="floor")
    frame = owner.div(len(triangles), rounding_mode="floor")
    face = owner - frame * len(triangles)
    weights, inside = _weigh(at.reshape(-1, 3, 2)[owner], i, j)
    q = _sum_depths(weights, _share_depths(at, depth[:, corners]).reshape(-1, 3)[owner])
    pixel = ((frame * size + j) * size + i)[inside]
    q, face = q[inside], face[inside]
    nearest = q.new_zeros(B * size * size).scatter_reduce(0, pixel, q, "amax")
    winner = q == nearest[pixel]
    none = len(triangles)
    seen = torch.full_like(nearest, none, dtype=torch.int64)
    seen = seen.scatter_reduce(0, pixel[winner], face[winner], "amin")
    seen = torch.where(seen == none, -1, seen)
    return Fragments(seen=seen.reshape(B, size, size), nearest=nearest.reshape(B, size, size))


def interpolate(
    fragments: Fragments, screen: Tensor, depth: Tensor, triangles: Tensor, values: Tensor
) -> Tensor:
    """Values (B, H, H, C) of what each pixel shows, 0 for nothing, from (B, V, C) at vertices."""
    frame, j, i = (fragments.seen >= 0).nonzero(as_tuple=True)
    corners = triangles[fragments.seen[frame, j, i]][:, [0, 2, 1]]
    rows = frame[:, None]
    at = screen[rows, corners]
    weights, _ = _weigh(at, i, j)
    shares = [
        w * r
        for w, r in zip(
            weights, _share_depths(at, depth[rows, corners]).unbind(dim=-1), strict=True
        )
    ]
    v0, v1, v2 = values[rows, corners].unbind(dim=1)
    p0, p1, p2 = (share[:, None] for share in shares)
    total = (p0 * v0 + p1 * v1) + p2 * v2
    out = values.new_zeros(*fragments.seen.shape, values.shape[-1])
    out[frame, j, i] = total / fragments.nearest[frame, j, i][:, None]
    return out


def _edge(a: Tensor, b: Tensor, p: Tensor) -> Tensor:
    """Edge functions (…) int64 of points (…, 2)."""
    return (b[..., 0] - a[..., 0]) * (p[..., 1] - a[..., 1]) - (b[..., 1] - a[..., 1]) * (
        p[..., 0] - a[..., 0]
    )


def _weigh(at: Tensor, i: Tensor, j: Tensor) -> tuple[list[Tensor], Tensor]:
    """Weights of three corners (P, 3, 2) at the centres of pixels, and whether they cover them."""
    p = torch.stack([i, j], dim=-1) * SUBPIXELS + _HALF
    weights, inside = [], torch.ones_like(i, dtype=torch.bool)
    for k in range(3):
        a, b = at[:, (k + 1) % 3], at[:, (k + 2) % 3]
        dx, dy = b[:, 0] - a[:, 0], b[:, 1] - a[:, 1]
        weight = _edge(a, b, p)
        on_edge = (weight == 0) & ((dy < 0) | ((dy == 0) & (dx > 0)))
        inside &= (weight > 0) | on_edge
        weights.append(weight)
    return weights, inside


def _share_depths(at: Tensor, depth: Tensor) -> Tensor:
    """Depths (…, 3) over the area of their triangle, whose corners are (…, 3, 2)."""
    area = _edge(at[..., 0, :], at[..., 1, :], at[..., 2, :])
    return depth / torch.where(area == 0, 1, area)[..., None]


def _sum_depths(weights: list[Tensor], shares: Tensor) -> Tensor:
    w0, w1, w2 = weights
    return (w0 * shares[:, 0] + w1 * shares[:, 1]) + w2 * shares[:, 2]
