"""The morphable face model: a mean and linear bases of shape and colour over one fixed mesh.

shape = mean_shape + identity·α + expression·β,  colour = mean_texture + texture·τ,
with α, τ (80) and β (64) in standard deviations, as in Blanz and Vetter (SIGGRAPH 1999), with Deng
et al.'s (CVPRW 2019) dimensions. Blinks are no part of the expression: they are drawn by adding
`blink` in proportion to AU45, as FACIAL keeps them apart (Zhang et al., ICCV 2021, §3.2).

Axes are the camera's at zero pose: x right, y down, z forward, mm; the origin is the centroid of
the 68-point view of the mean shape. Legend: V vertices, F triangles, n frames.
"""

import functools
import json
import zipfile
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from toolkit.errors import SetupError
from toolkit.facemodel.bfm import Bfm
from toolkit.facemodel.camera import flip_axes
from toolkit.mesh import MAX_AU45, OUTER_EYE_CORNERS

Floats = npt.NDArray[np.float64]

NUM_IDENTITY = 80
NUM_EXPRESSION = 64
NUM_TEXTURE = 80

DEFAULT_PATH = Path(__file__).parent.parent / "assets" / "face_model.npz"
"""The model that comes with the toolkit."""


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class FaceModel:
    """A face model; arrays are read-only. One unit of a coefficient is one standard deviation.

    Attributes:
        mean_shape: (V, 3) float32, mm.
        mean_texture: (V, 3) float32, RGB 0 to 255 under white ambient light.
        identity: (V, 3, 80) float32, mm.
        expression: (V, 3, 64) float32, mm; moves no eyelid along its blink.
        texture: (V, 3, 80) float32, RGB.
        blink: (V, 3) float32, mm: from open eyes to eyes closed at AU45 = 5.
        triangles: (F, 3) int64, counter-clockwise seen from outside in a y-up drawing; in these
            axes (y down) `(b − a) × (c − a)` points outwards.
        keypoints: (68,) int64: vertices of the 68-point view.
        rigidity: (V,) float32: weight of a vertex's image point in the head's pose, 0 to 1.
        steadiness: (V,) float32: the same of its depth, where a depth is known.
        record: what it was built from, its licence and figures.
    """

    mean_shape: npt.NDArray[np.float32]
    mean_texture: npt.NDArray[np.float32]
    identity: npt.NDArray[np.float32]
    expression: npt.NDArray[np.float32]
    texture: npt.NDArray[np.float32]
    blink: npt.NDArray[np.float32]
    triangles: npt.NDArray[np.int64]
    keypoints: npt.NDArray[np.int64]
    rigidity: npt.NDArray[np.float32]
    steadiness: npt.NDArray[np.float32]
    record: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        V = len(self.mean_shape)
        shapes: dict[str, tuple[int, ...]] = {
            "mean_shape": (V, 3),
            "mean_texture": (V, 3),
            "identity": (V, 3, NUM_IDENTITY),
            "expression": (V, 3, NUM_EXPRESSION),
            "texture": (V, 3, NUM_TEXTURE),
            "blink": (V, 3),
            "triangles": (len(self.triangles), 3),
            "keypoints": (68,),
            "rigidity": (V,),
            "steadiness": (V,),
        }
        for name, shape in shapes.items():
            dtype = np.int64 if name in ("triangles", "keypoints") else np.float32
            array = np.array(getattr(self, name), dtype=dtype)
            if array.shape != shape:
                raise ValueError(f"{name} has shape {array.shape}, not {shape}")
            array.flags.writeable = False
            object.__setattr__(self, name, array)

    @property
    def num_vertices(self) -> int:
        """V."""
        return len(self.mean_shape)

    @property
    def interocular(self) -> float:
        """Distance of the mean face's outer eye corners, mm."""
        return measure_interocular(self.mean_shape)

    def shape(
        self,
        identity: npt.ArrayLike | None = None,
        expression: npt.ArrayLike | None = None,
        au45: npt.ArrayLike | None = None,
    ) -> Floats:
        """Vertices in mm from coefficients; leading axes broadcast, None stands for zero.

        Args:
            identity: (…, 80).
            expression: (…, 64).
            au45: (…) blink intensity, 0 to 5.

        Returns:
            (…, V, 3).
        """
        shape = self.mean_shape.astype(np.float64)
        if identity is not None:
            shape = shape + combine(self.identity, identity)
        if expression is not None:
            shape = shape + combine(self.expression, expression)
        if au45 is not None:
            share = np.asarray(au45, np.float64)[..., None, None] / MAX_AU45
            shape = shape + share * self.blink
        return np.asarray(shape)

    def albedo(self, texture: npt.ArrayLike | None = None) -> Floats:
        """Colours (…, V, 3), RGB 0 to 255, not clipped, of texture coefficients (…, 80)."""
        albedo = self.mean_texture.astype(np.float64)
        return albedo if texture is None else albedo + combine(self.texture, texture)

    def save(self, path: Path) -> None:
        """Write an `.npz`; the same model gives the same bytes."""
        arrays = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "record"}
        text = json.dumps(self.record, sort_keys=True, ensure_ascii=False)
        arrays["record"] = np.frombuffer(text.encode(), np.uint8)
        np.savez(path, **arrays)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            SetupError: missing, damaged or not a face model.
        """
        names = [f.name for f in fields(cls)]
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in names}
            record = json.loads(arrays.pop("record").tobytes())
            return cls(**arrays, record=record)
        except FileNotFoundError as error:
            raise SetupError(f"no face model at {path}: reinstall the toolkit") from error
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise SetupError(f"{path} is not a face model ({error}): put a copy back") from error

    @classmethod
    def from_bfm(cls, bfm: Bfm) -> Self:
        """The user's Basel Face Model, brought to our axes and origin; it has no blink."""
        V = len(bfm.mean_shape)
        turn = np.array([1.0, -1.0, -1.0], np.float32)[:, None]
        return cls(
            mean_shape=flip_axes(bfm.mean_shape - bfm.head_origin).astype(np.float32),
            mean_texture=bfm.mean_texture,
            identity=bfm.identity_basis * turn,
            expression=bfm.expression_basis * turn,
            texture=bfm.texture_basis,
            blink=np.zeros((V, 3), np.float32),
            triangles=orient_outward(flip_axes(bfm.mean_shape), bfm.triangles),
            keypoints=bfm.keypoints,
            rigidity=np.ones(V, np.float32),
            steadiness=np.ones(V, np.float32),
            record={"licence": "Basel Face Model 2009: not to be handed on"},
        )


@functools.cache
def load_default() -> FaceModel:
    """The model that comes with the toolkit, read once."""
    return FaceModel.load(DEFAULT_PATH)


def combine(basis: npt.NDArray[np.float32], coefficients: npt.ArrayLike) -> Floats:
    """Sum of a basis's (V, 3, K) vectors by coefficients (…, K): (…, V, 3)."""
    coefficients = np.asarray(coefficients, np.float64)
    V, axes, K = basis.shape
    if coefficients.shape[-1:] != (K,):
        raise ValueError(f"coefficients of shape {coefficients.shape} do not end in {K}")
    flat = coefficients @ basis.reshape(V * axes, K).T.astype(np.float64)
    return np.asarray(flat.reshape(*coefficients.shape[:-1], V, axes))


def measure_interocular(shape: npt.ArrayLike) -> float:
    """Distance of the outer eye corners of a mesh (468, 3), its unit."""
    right, left = np.asarray(shape, np.float64)[list(OUTER_EYE_CORNERS)]
    return float(np.linalg.norm(right - left))


def vertex_normals(shape: npt.ArrayLike, triangles: npt.NDArray[np.int64]) -> Floats:
    """Unit outward normals (…, V, 3) of meshes (…, V, 3), faces weighted by area."""
    shape = np.asarray(shape, np.float64)
    a, b, c = (shape[..., triangles[:, k], :] for k in range(3))
    faces = np.cross(b - a, c - a)
    normals = np.zeros_like(shape)
    for k in range(3):
        for axis in range(3):
            normals[..., axis] += _scatter(faces[..., axis], triangles[:, k], shape.shape[-2])
    length = np.linalg.norm(normals, axis=-1, keepdims=True)
    return np.asarray(normals / np.maximum(length, 1e-12))


def orient_outward(shape: npt.ArrayLike, triangles: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Triangles (F, 3) in an order that makes a face's normals point away from the head.

    Neighbours are made to agree along their shared edge; then the whole is turned so that its
    normals point to the viewer (−z) on average.
    """
    triangles = _agree_with_neighbours(np.array(triangles, np.int64))
    normals = vertex_normals(shape, triangles)
    return triangles[:, ::-1].copy() if normals[:, 2].mean() > 0 else triangles


def _scatter(values: Floats, index: npt.NDArray[np.int64], size: int) -> Floats:
    """Sums (…, size) of values (…, F) by their index."""
    rows = values.reshape(-1, values.shape[-1])
    sums = np.stack([np.bincount(index, weights=row, minlength=size) for row in rows])
    return np.asarray(sums.reshape(*values.shape[:-1], size))


def _agree_with_neighbours(triangles: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Flip triangles until no two run along an edge in the same direction, part by part."""
    edges: dict[tuple[int, int], list[int]] = {}
    for f, corners in enumerate(triangles.tolist()):
        for k in range(3):
            a, b = corners[k], corners[(k + 1) % 3]
            edges.setdefault((min(a, b), max(a, b)), []).append(f)
    done = np.zeros(len(triangles), bool)
    for seed in range(len(triangles)):
        stack = [] if done[seed] else [seed]
        done[seed] = True
        while stack:
            f = stack.pop()
            for a, b in _directed(triangles[f]):
                for g in edges[(min(a, b), max(a, b))]:
                    if not done[g]:
                        done[g] = True
                        if (a, b) in _directed(triangles[g]):
                            triangles[g] = triangles[g][::-1]
                        stack.append(g)
    return triangles


def _directed(triangle: npt.NDArray[np.int64]) -> list[tuple[int, int]]:
    a, b, c = triangle.tolist()
    return [(a, b), (b, c), (c, a)]
