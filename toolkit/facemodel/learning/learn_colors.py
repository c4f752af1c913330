"""Statistics of colour: the mean face's albedo and a basis of how people's differ.

Every frame's light is fitted to the mean albedo, and what light does not explain is the person's:
what a light can imitate (an even skin tone under an even light) is therefore the light's.
Legend: m frames, V vertices.
"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from toolkit.facemodel.albedo import face_camera, shade, solve_light
from toolkit.facemodel.align import solve_pose
from toolkit.facemodel.camera import flip_axes
from toolkit.facemodel.learning.learn import (
    Samples,
    make_basis,
    smooth_background,
    unseen_variance,
    weigh_by_person,
)
from toolkit.facemodel.learning.reconstruct import choose_rigid
from toolkit.facemodel.light import AMBIENT, evaluate_basis
from toolkit.facemodel.model import vertex_normals

Floats = npt.NDArray[np.float64]

ROUNDS = 4

BRIGHTEST = 240.0
"""Albedo of the mean face's lightest vertex and channel."""

HIDDEN = 0.1
"""Weight with which the mean stands in for what is hidden; a vertex facing the camera has 1."""


@dataclass(frozen=True, kw_only=True)
class Portrait:
    """Colours of one clip.

    Attributes:
        person: index of the person.
        colors: (m, V, 3) uint8.
        harmonics: (V, 9) at the person's normals.
        weights: (V,) how much each vertex faces the camera.
    """

    person: int
    colors: npt.NDArray[np.uint8]
    harmonics: Floats
    weights: Floats

    @classmethod
    def take(
        cls,
        *,
        person: int,
        colors: npt.NDArray[np.uint8],
        landmarks: npt.NDArray[np.float32],
        intrinsics: tuple[float, float, float, float],
        shape: Floats,
        triangles: npt.NDArray[np.int64],
    ) -> Self:
        """From a clip's frames (m, 478, 3) and its person's shape (V, 3)."""
        rigid = choose_rigid(shape)
        where = np.flatnonzero(rigid)
        pose = solve_pose(shape[where], landmarks[:, where, :2], intrinsics, weights=rigid[where])
        normals = vertex_normals(shape, triangles)
        return cls(
            person=person,
            colors=colors,
            harmonics=evaluate_basis(flip_axes(normals)),
            weights=face_camera(normals, pose),
        )


def learn_textures(
    portraits: list[Portrait],
    triangles: npt.NDArray[np.int64],
    mirror: npt.NDArray[np.int64],
    count: int,
) -> tuple[Floats, Floats]:
    """Mean albedo (V, 3), RGB 0 to 255, and a basis (V, 3, count) of one standard deviation.

    Raises:
        ValueError: no portraits.
    """
    if not portraits:
        raise ValueError("no clip has colours: ingest with --frame-size other than 0")
    bright = evaluate_basis(np.array([0.0, 0.0, 1.0]))[0] * AMBIENT
    mean = np.mean([p.colors.mean(axis=0) for p in portraits], axis=0) / bright
    mean = (mean + mean[mirror]) / 2
    owner = np.array([p.person for p in portraits])
    people = np.unique(owner)
    for _ in range(ROUNDS):
        albedo = np.stack([_estimate_albedo(p, mean) for p in portraits])
        own = np.stack([albedo[owner == k].mean(axis=0) for k in people])
        mean = own.mean(axis=0)
        mean = (mean + mean[mirror]) / 2
    # Pictures do not separate light from albedo: the lightest vertex is set to `BRIGHTEST`.
    moved, mean = (np.asarray(a) * (BRIGHTEST / mean.max()) for a in (own - mean, mean))
    index = np.arange(len(people))
    samples = Samples(displacement=moved, weights=weigh_by_person(index))
    axes = (1.0, 1.0, 1.0)
    background = smooth_background(triangles, unseen_variance(samples, index, np.array(axes)))
    return mean, make_basis(samples, background, count, mirror, axes, flip=False)


def _estimate_albedo(portrait: Portrait, mean: Floats) -> Floats:
    """Albedo (V, 3) of one clip under the lights that fit the mean's."""
    light = solve_light(portrait.colors, mean, portrait.harmonics, portrait.weights)
    factors = shade(portrait.harmonics, light)
    weights = portrait.weights[:, None]
    power = (factors**2).mean(axis=0)
    seen = (factors * portrait.colors).mean(axis=0)
    return np.asarray((weights * seen + HIDDEN * power * mean) / ((weights + HIDDEN) * power))
