"""Generated faces: meshes and colours of the embedded model under known coefficients and poses."""

import numpy as np

from toolkit.facemodel.camera import flip_axes, project_camera, rotation_from_euler, transform
from toolkit.facemodel.learning.population import FaceClip
from toolkit.facemodel.light import apply_light
from toolkit.facemodel.model import FaceModel, load_default, vertex_normals

K = (1000.0, 1000.0, 640.0, 360.0)
MODEL = load_default()


def draw_mesh(shape, pose, iris_mm=11.7):
    """Landmarks (n, 478, 3) px of shapes (n, V, 3) mm, with irises and depth as MediaPipe's."""
    shape, pose = np.asarray(shape, np.float64), np.asarray(pose, np.float64)
    irises = []
    for corners in ((33, 133), (263, 362)):
        centre = shape[:, list(corners)].mean(axis=1, keepdims=True)
        ring = np.array([[0, 0, 0], [1, 0, 0], [0, -1, 0], [-1, 0, 0], [0, 1, 0]]) * iris_mm / 2
        irises.append(centre + ring)
    points = transform(np.concatenate([shape, *irises], axis=1), pose)
    t = pose[:, 3:]
    ray = t / np.linalg.norm(t, axis=1, keepdims=True)
    depth = ((points - t[:, None]) * ray[:, None]).sum(-1) * (K[0] / t[:, 2])[:, None]
    return np.concatenate([project_camera(points, K), depth[..., None]], axis=2).astype(np.float32)


def draw_colors(shape, pose, texture, illumination, model: FaceModel = MODEL):
    """Colours (n, V, 3), not rounded, of a shape (V, 3) under lights (n, 27)."""
    normals = vertex_normals(shape, model.triangles)
    turned = normals @ np.swapaxes(rotation_from_euler(pose[:, :3]), 1, 2)
    return apply_light(model.albedo(texture), flip_axes(turned), illumination)


def draw_poses(rng, n, yaw=0.25):
    """Poses (n, 6) about a head 600 mm away."""
    spread = np.array([0.1, yaw, 0.1, 30, 20, 20])
    return rng.normal(0, 1, (n, 6)) * spread + [0, 0, 0, 0, 0, 600]


def draw_clip(rng, name, n=40, model: FaceModel = MODEL):
    """A clip of one drawn person who moves, talks and blinks."""
    identity = rng.normal(0, 1, 80)
    au45 = np.where(np.arange(n) % 8 == 3, 5.0, 0.0)
    shape = model.shape(identity, rng.normal(0, 1, (n, 64)), au45)
    pose = draw_poses(rng, n)
    light = rng.normal(0, 0.1, (n, 27))
    colors = draw_colors(model.shape(identity), pose, rng.normal(0, 1, 80), light, model)
    return FaceClip(
        name=name,
        identity=name,
        landmarks=draw_mesh(shape, pose),
        intrinsics=K,
        color_frames=np.arange(n),
        colors=np.clip(np.rint(colors), 0, 255).astype(np.uint8),
    )
