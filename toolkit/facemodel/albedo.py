"""Fitting colour: one texture per clip, one light per frame, by linear least squares in turn.

Colour = albedo·(Y(normal)·light). For a fixed albedo the light is linear, for a fixed light the
texture is. Lights are solved in the head's axes, where normals do not change, so that one matrix
serves a whole clip, and turned into the camera's afterwards: harmonics of one order mix under a
rotation as a small orthogonal matrix. Legend: n frames, V vertices.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from toolkit.facemodel.camera import flip_axes, rotation_from_euler
from toolkit.facemodel.light import AMBIENT, NUM_BANDS, evaluate_basis
from toolkit.facemodel.model import FaceModel, vertex_normals

Floats = npt.NDArray[np.float64]

COLOR_NOISE = 400.0
"""Variance of a vertex's colour error (levels of 255, squared) as the ridge sees it: neighbours err
together, and shadows and highlights are no part of the model."""

LIGHT_SD = (1.0, 0.4, 0.4, 0.4, 0.15, 0.15, 0.15, 0.15, 0.15)
"""Prior of each band about white ambient light."""

ROUNDS = 3

TEXTURE_FRAMES = 24
"""Frames, evenly over a clip, from which its texture is taken."""

_DIRECTIONS = flip_axes(
    np.array(
        [(1, 0, 0), (0, 1, 0), (0, 0, 1), (-1, 0, 0), (0, -1, 0), (0, 0, -1),
         (1, 1, 0), (0, 1, 1), (1, 0, 1), (1, -1, 0), (0, 1, -1), (-1, 0, 1)],
        dtype=np.float64,
    )
)  # fmt: skip
_DIRECTIONS /= np.linalg.norm(_DIRECTIONS, axis=1, keepdims=True)
_INVERSE = np.linalg.pinv(evaluate_basis(_DIRECTIONS))


@dataclass(frozen=True, kw_only=True)
class ColorFit:
    """What the colours of one clip say.

    Attributes:
        texture: (80,) standard deviations.
        illumination: (n, 27) as `light.shade` takes it, in the camera's axes.
    """

    texture: Floats
    illumination: Floats


def fit_colors(
    model: FaceModel, colors: npt.NDArray[np.uint8], shape: Floats, pose: Floats
) -> ColorFit:
    """Texture and lights of a clip.

    Args:
        model: the face model.
        colors: (n, V, 3) RGB of the picture at the vertices.
        shape: (V, 3) mm, the person's neutral face.
        pose: (n, 6) of the model.
    """
    if colors.shape != (len(pose), model.num_vertices, 3):
        raise ValueError(f"colors have shape {colors.shape}, not ({len(pose)}, V, 3)")
    normals = vertex_normals(shape, model.triangles)
    Y = evaluate_basis(flip_axes(normals))
    step = max(1, len(colors) // TEXTURE_FRAMES)
    some = colors[::step].astype(np.float64)
    weights = face_camera(normals, pose[::step])
    texture = np.zeros(model.texture.shape[2])
    albedo = model.albedo()
    for _ in range(ROUNDS):
        light = solve_light(some, albedo, Y, weights)
        texture = _solve_texture(model, some, shade(Y, light), weights)
        albedo = model.albedo(texture)
    light = solve_light(colors, albedo, Y, weights)
    return ColorFit(texture=texture, illumination=turn_light(light, pose))


def solve_light(
    colors: npt.NDArray[np.uint8] | Floats, albedo: Floats, Y: Floats, weights: Floats
) -> Floats:
    """Lights (n, 3, 9) in the head's axes, offsets from ambient, of known albedo.

    Args:
        colors: (n, V, 3).
        albedo: (V, 3).
        Y: (V, 9) harmonics at the normals.
        weights: (V,).
    """
    light = np.empty((len(colors), 3, NUM_BANDS))
    prior = np.diag(1.0 / np.asarray(LIGHT_SD) ** 2)
    for channel in range(3):
        design = albedo[:, channel, None] * Y
        weighted = design * weights[:, None] / COLOR_NOISE
        factor = np.linalg.solve(weighted.T @ design + prior, weighted.T)
        seen = np.asarray(colors[:, :, channel], np.float32) @ factor.T.astype(np.float32)
        light[:, channel] = seen - factor @ (AMBIENT * design[:, 0])
    return light


def turn_light(light: Floats, pose: Floats) -> Floats:
    """Lights (n, 3, 9) in the head's axes as (n, 27) in the camera's, by the poses (n, 6)."""
    flip = np.array([1.0, -1.0, -1.0])
    R = rotation_from_euler(pose[:, :3]) * np.outer(flip, flip)
    turned = evaluate_basis(_DIRECTIONS @ np.swapaxes(R, 1, 2))
    return np.asarray((light @ (_INVERSE @ turned)).reshape(len(light), -1))


def face_camera(normals: Floats, pose: Floats) -> Floats:
    """Weights (V,): mean over frames of how much a vertex faces the camera, 0 if it turns away."""
    t = pose[:, 3:]
    ray = np.einsum("nij,ni->nj", rotation_from_euler(pose[:, :3]), -t)
    ray /= np.linalg.norm(ray, axis=1, keepdims=True)
    return np.asarray(np.clip(normals @ ray.T, 0.0, None).mean(axis=1))


def shade(Y: Floats, light: Floats) -> Floats:
    """Factors (n, V, 3) that lights (n, 3, 9) put on albedo."""
    full = light.copy()
    full[..., 0] += AMBIENT
    return np.asarray(Y @ np.swapaxes(full, 1, 2))


def _solve_texture(model: FaceModel, colors: Floats, shade: Floats, weights: Floats) -> Floats:
    """Texture (80,) of colours (n, V, 3) under known shading (n, V, 3)."""
    n, T = len(colors), model.texture.astype(np.float64)
    power = (shade**2).mean(axis=0) * weights[:, None] / COLOR_NOISE
    product = (shade * colors).mean(axis=0) * weights[:, None] / COLOR_NOISE
    missing = product - power * model.mean_texture
    K = T.shape[2]
    flat = T.reshape(-1, K)
    normal = (flat * power.ravel()[:, None]).T @ flat + np.eye(K)
    return np.asarray(np.linalg.solve(normal, flat.T @ missing.ravel())) if n else np.zeros(K)
