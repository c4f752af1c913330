"""The rasteriser for the CPU: loops that numba compiles when first called, and keeps on disk.

It follows `zoo.graphics.rules`. Kernels hold no lock of Python's, so that threads may share a
batch. Legend: B frames, V vertices, F triangles, H the side of a picture, D see `Surface`.
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np

from zoo.graphics.rules import FURTHEST, NEAREST, SUBPIXELS

_Function = TypeVar("_Function", bound=Callable[..., Any])

_HALF = SUBPIXELS // 2


def compiled(function: _Function) -> _Function:
    """A function that numba compiles when it is first called."""
    return cast(_Function, numba.njit(cache=True, nogil=True)(function))


@compiled
def project_vertices(points: Any, pose: Any, camera: Any, screen: Any, depth: Any) -> None:
    """Screen positions and 1/Z of one frame.

    Args:
        points: (V, 3) float64, mm, the head's axes.
        pose: (3, 4) float64, rotation and translation side by side.
        camera: (4,) float64 fx, fy, cx, cy in px.
        screen: (V, 2) int64, filled with px/256.
        depth: (V,) float64, filled with 1/Z; 0 where the vertex cannot be drawn.
    """
    for v in range(len(points)):
        x, y, z = points[v, 0], points[v, 1], points[v, 2]
        X = ((pose[0, 0] * x + pose[0, 1] * y) + pose[0, 2] * z) + pose[0, 3]
        Y = ((pose[1, 0] * x + pose[1, 1] * y) + pose[1, 2] * z) + pose[1, 3]
        Z = ((pose[2, 0] * x + pose[2, 1] * y) + pose[2, 2] * z) + pose[2, 3]
        depth[v] = 0.0
        screen[v, 0] = screen[v, 1] = 0
        if Z >= NEAREST:
            at_x = camera[0] * X / Z + camera[2]
            at_y = camera[1] * Y / Z + camera[3]
            if abs(at_x) <= FURTHEST and abs(at_y) <= FURTHEST:
                depth[v] = 1.0 / Z
                screen[v, 0] = np.int64(np.rint(at_x * SUBPIXELS))
                screen[v, 1] = np.int64(np.rint(at_y * SUBPIXELS))


@compiled
def add_normals(points: Any, triangles: Any, normals: Any) -> None:
    """Sums (V, 3) of the triangles' normals at each vertex, weighted by area, head's axes."""
    normals[:] = 0.0
    for f in range(len(triangles)):
        a, b, c = triangles[f, 0], triangles[f, 1], triangles[f, 2]
        ux, uy, uz = (
            points[b, 0] - points[a, 0],
            points[b, 1] - points[a, 1],
            points[b, 2] - points[a, 2],
        )
        vx, vy, vz = (
            points[c, 0] - points[a, 0],
            points[c, 1] - points[a, 1],
            points[c, 2] - points[a, 2],
        )
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for k in range(3):
            corner = triangles[f, k]
            normals[corner, 0] += nx
            normals[corner, 1] += ny
            normals[corner, 2] += nz


@compiled
def color_vertices(
    normals: Any, pose: Any, albedo: Any, light: Any, factors: Any, colors: Any
) -> None:
    """Colours (V, 3) of one frame: albedo times the light on the turned normals.

    Args:
        normals: (V, 3) of any length, head's axes.
        pose: (3, 4), of which the rotation turns the normals.
        albedo: (V, 3) RGB 0 to 255.
        light: (9, 3).
        factors: (5,) of `toolkit.facemodel.light`, see `zoo.graphics.shading.list_factors`.
        colors: (V, 3), filled; not clipped.
    """
    for v in range(len(normals)):
        nx, ny, nz = normals[v, 0], normals[v, 1], normals[v, 2]
        length = max(np.sqrt((nx * nx + ny * ny) + nz * nz), 1e-12)
        nx, ny, nz = nx / length, ny / length, nz / length
        x = (pose[0, 0] * nx + pose[0, 1] * ny) + pose[0, 2] * nz
        y = -((pose[1, 0] * nx + pose[1, 1] * ny) + pose[1, 2] * nz)
        z = -((pose[2, 0] * nx + pose[2, 1] * ny) + pose[2, 2] * nz)
        for channel in range(3):
            colors[v, channel] = albedo[v, channel] * (
                factors[0] * light[0, channel]
                - factors[1] * y * light[1, channel]
                + factors[1] * z * light[2, channel]
                - factors[1] * x * light[3, channel]
                + factors[2] * x * y * light[4, channel]
                - factors[2] * y * z * light[5, channel]
                + factors[3] * (3 * z * z - 1) * light[6, channel]
                - factors[2] * x * z * light[7, channel]
                + factors[4] * (x * x - y * y) * light[8, channel]
            )


@compiled
def _edge(screen: Any, a: int, b: int, x: int, y: int) -> Any:
    return (screen[b, 0] - screen[a, 0]) * (y - screen[a, 1]) - (screen[b, 1] - screen[a, 1]) * (
        x - screen[a, 0]
    )


@compiled
def _bias(screen: Any, a: int, b: int) -> int:
    """0 for a top or left edge, whose points are inside; else −1."""
    dx, dy = screen[b, 0] - screen[a, 0], screen[b, 1] - screen[a, 1]
    return 0 if dy < 0 or (dy == 0 and dx > 0) else -1


@compiled
def find_triangles(screen: Any, depth: Any, triangles: Any, nearest: Any, seen: Any) -> None:
    """The triangle (H, H) int32 that each pixel shows, −1 for none, and its 1/Z."""
    size = len(seen)
    nearest[:] = 0.0
    seen[:] = -1
    for f in range(len(triangles)):
        a, b, c = triangles[f, 0], triangles[f, 1], triangles[f, 2]
        # The outside of a triangle runs clockwise on a screen whose y points down once two of
        # its corners change places: outward normals look along −z.
        b, c = c, b
        if depth[a] == 0.0 or depth[b] == 0.0 or depth[c] == 0.0:
            continue
        area = _edge(screen, a, b, screen[c, 0], screen[c, 1])
        if area <= 0:
            continue
        left = min(screen[a, 0], screen[b, 0], screen[c, 0])
        right = max(screen[a, 0], screen[b, 0], screen[c, 0])
        top = min(screen[a, 1], screen[b, 1], screen[c, 1])
        bottom = max(screen[a, 1], screen[b, 1], screen[c, 1])
        first_x = max((left + _HALF - 1) // SUBPIXELS, 0)
        last_x = min((right - _HALF) // SUBPIXELS, size - 1)
        first_y = max((top + _HALF - 1) // SUBPIXELS, 0)
        last_y = min((bottom - _HALF) // SUBPIXELS, size - 1)
        if first_x > last_x or first_y > last_y:
            continue
        bias0, bias1, bias2 = _bias(screen, b, c), _bias(screen, c, a), _bias(screen, a, b)
        r0, r1, r2 = depth[a] / area, depth[b] / area, depth[c] / area
        step0 = -(screen[c, 1] - screen[b, 1]) * SUBPIXELS
        step1 = -(screen[a, 1] - screen[c, 1]) * SUBPIXELS
        step2 = -(screen[b, 1] - screen[a, 1]) * SUBPIXELS
        x = first_x * SUBPIXELS + _HALF
        for j in range(first_y, last_y + 1):
            y = j * SUBPIXELS + _HALF
            w0 = _edge(screen, b, c, x, y)
            w1 = _edge(screen, c, a, x, y)
            w2 = _edge(screen, a, b, x, y)
            for i in range(first_x, last_x + 1):
                if (w0 + bias0) | (w1 + bias1) | (w2 + bias2) >= 0:
                    q = (w0 * r0 + w1 * r1) + w2 * r2
                    if q > nearest[j, i]:
                        nearest[j, i] = q
                        seen[j, i] = f
                w0 += step0
                w1 += step1
                w2 += step2


@compiled
def interpolate(
    screen: Any, depth: Any, triangles: Any, values: Any, nearest: Any, seen: Any, out: Any
) -> None:
    """Values (H, H, C) float64 of the triangle that each pixel shows; 0 where there is none."""
    size = len(seen)
    out[:] = 0.0
    for j in range(size):
        y = j * SUBPIXELS + _HALF
        for i in range(size):
            f = seen[j, i]
            if f >= 0:
                a, b, c = triangles[f, 0], triangles[f, 2], triangles[f, 1]
                x = i * SUBPIXELS + _HALF
                area = _edge(screen, a, b, screen[c, 0], screen[c, 1])
                p0 = _edge(screen, b, c, x, y) * (depth[a] / area)
                p1 = _edge(screen, c, a, x, y) * (depth[b] / area)
                p2 = _edge(screen, a, b, x, y) * (depth[c] / area)
                for k in range(values.shape[1]):
                    total = (p0 * values[a, k] + p1 * values[b, k]) + p2 * values[c, k]
                    out[j, i, k] = total / nearest[j, i]


@compiled
def _keep_eyes(seen: Any, eyes: Any, kept: Any) -> None:
    """Of the triangles that pixels show (H, H) those that may show an eye; −1 for the others."""
    for j in range(len(seen)):
        for i in range(len(seen)):
            kept[j, i] = seen[j, i] if seen[j, i] >= 0 and eyes[seen[j, i]] else -1


@compiled
def _paint(values: Any, kept: Any, at: Any, picture: Any) -> None:
    """RGB and eye flag (H, H, 4) uint8 of one frame.

    Args:
        values: (H, H, 3) colours.
        kept: (H, H) triangles that may show an eye, −1 for none.
        at: (H, H, 4) places of what they show, see `EyeRegions`.
        picture: filled.
    """
    size = len(values)
    for j in range(size):
        for i in range(size):
            for k in range(3):
                value = min(max(values[j, i, k], 0.0), 255.0)
                picture[j, i, k] = np.uint8(np.floor(value + 0.5))
            x0, y0, x1, y1 = at[j, i, 0], at[j, i, 1], at[j, i, 2], at[j, i, 3]
            inside = x0 * x0 + y0 * y0 < 1 or x1 * x1 + y1 * y1 < 1
            picture[j, i, 3] = 255 if inside and kept[j, i] >= 0 else 0


@compiled
def draw_frames(
    points: Any,
    pose: Any,
    camera: Any,
    triangles: Any,
    albedo: Any,
    light: Any,
    factors: Any,
    eyes: Any,
    places: Any,
    pictures: Any,
) -> None:
    """Draw frames into pictures (B, H, H, 4) uint8 from points (B, V, 3) and poses (B, 3, 4)."""
    V, size = points.shape[1], pictures.shape[1]
    screen, depth = np.empty((V, 2), np.int64), np.empty(V)
    normals, colors = np.empty((V, 3)), np.empty((V, 3))
    nearest, seen = np.empty((size, size)), np.empty((size, size), np.int32)
    values, at, kept = np.empty((size, size, 3)), np.empty((size, size, 4)), np.empty_like(seen)
    for n in range(len(points)):
        project_vertices(points[n], pose[n], camera, screen, depth)
        add_normals(points[n], triangles, normals)
        color_vertices(normals, pose[n], albedo, light, factors, colors)
        find_triangles(screen, depth, triangles, nearest, seen)
        interpolate(screen, depth, triangles, colors, nearest, seen, values)
        _keep_eyes(seen, eyes, kept)
        interpolate(screen, depth, triangles, places, nearest, kept, at)
        _paint(values, kept, at, pictures[n])
