"""Vertices of a frame in plain torch: where they are seen, and their colour under the light.

The light stays with the camera: normals are turned with the head (R·n) before they meet it. The
code that the FACIAL authors released turns them back (Rᵀ·n), so that its light turns against the
head. Legend: B frames, V vertices, F triangles, D see `Surface`.
"""

import numpy as np
import torch
from torch import Tensor

from toolkit.facemodel import light as harmonics
from zoo.graphics.rules import FURTHEST, NEAREST, SUBPIXELS

_EPSILON = 1e-12


def list_factors() -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    """(5,) factors of the nine harmonics, read off `toolkit.facemodel.light` itself."""
    along_x, along_y, along_z, between = harmonics.evaluate_basis(
        [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0]]
    )
    return np.array([along_x[0], -along_y[1], between[4], along_z[6] / 2, along_x[8]])


def project_vertices(points: Tensor, pose: Tensor, camera: Tensor) -> tuple[Tensor, Tensor]:
    """Screen positions (B, V, 2) int64 in px/256 and 1/Z (B, V), 0 where nothing can be drawn.

    Args:
        points: (B, V, 3) float64, mm, the head's axes.
        pose: (B, 3, 4) float64, rotation and translation side by side.
        camera: (4,) float64 fx, fy, cx, cy in px.
    """
    X, Y, Z = _turn(points, pose[:, :, :3])
    X, Y, Z = X + pose[:, None, 0, 3], Y + pose[:, None, 1, 3], Z + pose[:, None, 2, 3]
    ahead = Z >= NEAREST
    Z = torch.where(ahead, Z, 1.0)
    at = torch.stack([camera[0] * X / Z + camera[2], camera[1] * Y / Z + camera[3]], dim=-1)
    drawn = ahead & (at.abs() <= FURTHEST).all(dim=-1)
    screen = torch.where(drawn[..., None], at * SUBPIXELS, 0.0).round().long()
    return screen, torch.where(drawn, 1.0 / Z, 0.0)


def add_normals(points: Tensor, triangles: Tensor, incidence: Tensor) -> Tensor:
    """(B, V, 3) sums of the normals of the triangles at each vertex, always in the same order."""
    a, b, c = (points[:, triangles[:, k]] for k in range(3))
    faces = torch.linalg.cross(b - a, c - a)
    faces = torch.cat([faces, faces.new_zeros(len(faces), 1, 3)], dim=1)
    normals = torch.zeros_like(points)
    for slot in range(incidence.shape[1]):
        normals = normals + faces[:, incidence[:, slot]]
    return normals


def color_vertices(
    normals: Tensor, pose: Tensor, albedo: Tensor, light: Tensor, factors: Tensor
) -> Tensor:
    """Colours (B, V, 3), not clipped, of albedo (V, 3) under light (9, 3); see `kernels`."""
    nx, ny, nz = normals.unbind(dim=-1)
    length = ((nx * nx + ny * ny) + nz * nz).sqrt().clamp(min=_EPSILON)
    unit = torch.stack([nx / length, ny / length, nz / length], dim=-1)
    x, y, z = _turn(unit, pose[:, :, :3])
    y, z = -y, -z
    one, slope, cross, polar, flat = factors.unbind()
    bands = [
        one.expand_as(x),
        -slope * y,
        slope * z,
        -slope * x,
        cross * x * y,
        -cross * y * z,
        polar * (3 * z * z - 1),
        -cross * x * z,
        flat * (x * x - y * y),
    ]
    total = bands[0][..., None] * light[0]
    for band, weight in zip(bands[1:], light[1:], strict=True):
        total = total + band[..., None] * weight
    return albedo * total


def _turn(points: Tensor, rotation: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Coordinates (B, V) each of points (B, V, 3) turned by rotations (B, 3, 3)."""
    x, y, z = points.unbind(dim=-1)
    X, Y, Z = (
        (rotation[:, None, k, 0] * x + rotation[:, None, k, 1] * y) + rotation[:, None, k, 2] * z
        for k in range(3)
    )
    return X, Y, Z
