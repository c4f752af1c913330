"""Generated meshes to draw: balls, planes, and a face model of BFM's size."""

import numpy as np

from toolkit.facemodel.model import FaceModel, load_default
from zoo.graphics.eyes import EyeRegions
from zoo.graphics.surface import Surface, list_incidence

FRONT = (0.0, 0.0, 0.0, 0.0, 0.0, 600.0)
BFM_VERTICES = 35_709


def make_surface(shape, triangles, light=None, albedo=100.0) -> Surface:
    """A surface (V, 3) mm of one colour under a light (9, 3), ambient if not given."""
    shape, triangles = np.asarray(shape, np.float64), np.asarray(triangles, np.int64)
    ambient = np.zeros((9, 3))
    ambient[0] = 0.8
    return Surface(
        shape=shape.reshape(-1),
        expression=np.zeros((64, shape.size)),
        albedo=np.full(shape.shape, albedo),
        light=ambient if light is None else light,
        triangles=triangles,
        eyes=EyeRegions(np.zeros(len(triangles), bool), np.zeros((len(shape), 4))),
        incidence=list_incidence(triangles, len(shape)),
    )


def make_grid(rows, columns):
    """Triangles of a grid of vertices whose rows run down: outside towards the viewer."""
    a = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).ravel()
    b, c, d = a + 1, a + columns, a + columns + 1
    return np.concatenate([np.stack([a, c, b], 1), np.stack([b, c, d], 1)])


def make_ball(light=None) -> Surface:
    """A ball of radius 80 mm, outside outwards."""
    rows, columns = 61, 121
    polar, round_ = np.meshgrid(
        np.linspace(0, np.pi, rows), np.linspace(-np.pi, np.pi, columns), indexing="ij"
    )
    x, y = np.sin(polar) * np.sin(round_), -np.cos(polar)
    shape = 80 * np.stack([x, y, -np.sin(polar) * np.cos(round_)], axis=-1).reshape(-1, 3)
    triangles = make_grid(rows, columns)
    a, b, c = (shape[triangles[:, k]] for k in range(3))
    whole = np.linalg.norm(np.cross(b - a, c - a), axis=1) > 1e-6
    return make_surface(shape, triangles[whole], light)


def make_large_model(num_vertices=BFM_VERTICES) -> FaceModel:
    """A model of as many vertices as BFM's, bent like a face: a smooth mask of random bases."""
    columns = 189
    rows = -(-num_vertices // columns)
    y, x = np.meshgrid(np.linspace(-100, 100, rows), np.linspace(-75, 75, columns), indexing="ij")
    shape = np.stack([x, y, (x**2 / 75 + y**2 / 150) / 1.5], axis=-1).reshape(-1, 3)[:num_vertices]
    shape += np.random.default_rng(1).normal(0, 0.01, shape.shape)  # no two equally far away
    triangles = make_grid(rows, columns)
    triangles = triangles[(triangles < num_vertices).all(axis=1)]
    small = load_default()
    keys = small.mean_shape[small.keypoints]
    nearest = [int(np.square(shape[:, :2] - key[:2]).sum(axis=1).argmin()) for key in keys]
    rng = np.random.default_rng(0)
    waves = np.sin(shape @ rng.normal(0, 0.03, (3, 64)))[:, None] * rng.normal(0, 0.5, (3, 64))
    wide = np.zeros((num_vertices, 3, 80), np.float32)
    return FaceModel(
        mean_shape=shape,
        mean_texture=rng.uniform(80, 200, (num_vertices, 3)),
        identity=wide,
        expression=waves,
        texture=wide,
        blink=np.zeros((num_vertices, 3)),
        triangles=triangles,
        keypoints=np.array(nearest),
        rigidity=np.ones(num_vertices),
        steadiness=np.ones(num_vertices),
    )
