"""The Basel Face Model 2009 as Deng et al. prepare it, and their vector of 257 coefficients.

The user brings `BFM_model_front.mat`: the BFM's licence forbids passing it on. Legend:
V vertices (35,709), F triangles.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from toolkit.errors import SetupError
from toolkit.facemodel.camera import MM_PER_DM

Floats = npt.NDArray[np.float64]

LAYOUT: dict[str, slice] = {
    "identity": slice(0, 80),
    "expression": slice(80, 144),
    "texture": slice(144, 224),
    "angles": slice(224, 227),
    "illumination": slice(227, 254),
    "translation": slice(254, 257),
}
"""Where each part stands in the vector of 257; angles in rad, translation in dm, their axes."""

NUM_COEFFICIENTS = 257

WHERE = (
    "get BFM 2009 from https://faces.dmi.unibas.ch/bfm/ (free for research, by application) and "
    "make BFM_model_front.mat from it as https://github.com/sicxu/Deep3DFaceRecon_pytorch says"
)

# name in the file -> (rows per vertex, columns), None where a dimension is free
_SHAPES: dict[str, tuple[int, int]] = {
    "meanshape": (3, 1),
    "meantex": (3, 1),
    "idBase": (3, 80),
    "exBase": (3, 64),
    "texBase": (3, 80),
}
_INDICES = ("tri", "keypoints")


@dataclass(frozen=True, kw_only=True)
class Bfm:
    """BFM 2009, face part. Axes x right, y up, z to the viewer; bases per standard deviation.

    Attributes:
        mean_shape: (V, 3) float32, mm; the origin is the mean of all its vertices, as in Deng
            et al.'s renderer.
        mean_texture: (V, 3) float32, RGB 0 to 255.
        identity_basis: (V, 3, 80) float32, mm.
        expression_basis: (V, 3, 64) float32, mm.
        texture_basis: (V, 3, 80) float32, RGB.
        triangles: (F, 3) int64, from 0.
        keypoints: (68,) int64, from 0: the vertices of the 68-point view.
        head_origin: (3,) mm: centroid of the mean shape's keypoints, the origin of our poses.
    """

    mean_shape: npt.NDArray[np.float32]
    mean_texture: npt.NDArray[np.float32]
    identity_basis: npt.NDArray[np.float32]
    expression_basis: npt.NDArray[np.float32]
    texture_basis: npt.NDArray[np.float32]
    triangles: npt.NDArray[np.int64]
    keypoints: npt.NDArray[np.int64]
    head_origin: Floats


def read_bfm(path: Path) -> Bfm:
    """Read `BFM_model_front.mat`: lengths in dm, all indices from 1, bases already scaled.

    Raises:
        SetupError: no such file, not a MATLAB file, or an array is missing, has another shape or
            an index that points nowhere; says where the model is to be had.
    """
    raw = _load(path)
    vertices = raw["meanshape"].size // 3
    arrays = {name: _take(path, raw, name, vertices) for name in _SHAPES}
    mean = arrays["meanshape"][:, :, 0] * MM_PER_DM
    mean = mean - mean.mean(axis=0)
    keypoints = _indices(path, raw, "keypoints", vertices).reshape(-1)
    if keypoints.size != 68:
        raise SetupError(f"{path}: keypoints has {keypoints.size} entries, not 68; {WHERE}")
    return Bfm(
        mean_shape=mean.astype(np.float32),
        mean_texture=arrays["meantex"][:, :, 0].astype(np.float32),
        identity_basis=(arrays["idBase"] * MM_PER_DM).astype(np.float32),
        expression_basis=(arrays["exBase"] * MM_PER_DM).astype(np.float32),
        texture_basis=arrays["texBase"].astype(np.float32),
        triangles=_indices(path, raw, "tri", vertices).reshape(-1, 3),
        keypoints=keypoints,
        head_origin=mean[keypoints].mean(axis=0),
    )


def pack_coefficients(
    *,
    identity: npt.ArrayLike,
    expression: npt.ArrayLike,
    texture: npt.ArrayLike,
    angles: npt.ArrayLike,
    illumination: npt.ArrayLike,
    translation: npt.ArrayLike,
) -> Floats:
    """The vector (…, 257) from its parts; leading axes broadcast (one identity, many frames).

    Angles in rad and translation in dm are Deng et al.'s: see `camera.deng_from_pose`.
    """
    parts = {
        "identity": identity,
        "expression": expression,
        "texture": texture,
        "angles": angles,
        "illumination": illumination,
        "translation": translation,
    }
    arrays = {name: np.asarray(part, dtype=np.float64) for name, part in parts.items()}
    for name, where in LAYOUT.items():
        if arrays[name].shape[-1:] != (where.stop - where.start,):
            size = where.stop - where.start
            raise ValueError(f"{name} has shape {arrays[name].shape}: its last axis is {size}")
    shape = np.broadcast_shapes(*(array.shape[:-1] for array in arrays.values()))
    return np.concatenate(
        [np.broadcast_to(arrays[name], (*shape, arrays[name].shape[-1])) for name in LAYOUT],
        axis=-1,
    )


def unpack_coefficients(vector: npt.ArrayLike) -> dict[str, Floats]:
    """The parts of a vector (…, 257), by the names in `LAYOUT`: inverse of `pack_coefficients`."""
    vector = np.asarray(vector, dtype=np.float64)
    if vector.shape[-1:] != (NUM_COEFFICIENTS,):
        raise ValueError(f"a coefficient vector has 257 numbers, not shape {vector.shape}")
    return {name: vector[..., where] for name, where in LAYOUT.items()}


def _load(path: Path) -> dict[str, npt.NDArray[np.generic]]:
    from scipy.io import loadmat

    if not path.is_file():
        raise SetupError(f"no face model at {path}: {WHERE}")
    try:
        raw: dict[str, npt.NDArray[np.generic]] = loadmat(path)
    except Exception as error:  # the reader raises whatever the bytes make it
        raise SetupError(
            f"{path} is not a MATLAB file that can be read: {error}; {WHERE}"
        ) from error
    missing = [name for name in (*_SHAPES, *_INDICES) if name not in raw]
    if missing:
        raise SetupError(f"{path} lacks {', '.join(missing)}: it is another model; {WHERE}")
    return raw


def _take(path: Path, raw: dict[str, npt.NDArray[np.generic]], name: str, vertices: int) -> Floats:
    """One basis or mean as (V, 3, columns), float64."""
    rows, columns = _SHAPES[name]
    array = np.asarray(raw[name], dtype=np.float64)
    if array.size != vertices * rows * columns or vertices == 0:
        expected = (1, 3 * vertices) if columns == 1 else (3 * vertices, columns)
        raise SetupError(f"{path}: {name} has shape {array.shape}, not {expected}; {WHERE}")
    return array.reshape(vertices, rows, columns)


def _indices(
    path: Path, raw: dict[str, npt.NDArray[np.generic]], name: str, vertices: int
) -> npt.NDArray[np.int64]:
    """Vertex indices from 0 of an array that counts from 1."""
    indices = np.asarray(raw[name]).astype(np.int64) - 1
    if indices.size == 0 or indices.min() < 0 or indices.max() >= vertices:
        raise SetupError(f"{path}: {name} has indices outside 1 to {vertices}; {WHERE}")
    return indices
