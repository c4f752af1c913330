"""The eye regions of a face model, eq. 9 of FACIAL (Zhang et al., ICCV 2021).

A point of the mean shape is marked where `(vx − cx)²/4 + (vy − cy)² < th`: an ellipse of half
width 2·√th and half height √th about each eye's centre. The paper marks vertices; here a pixel
belongs to an eye where the point of the mean shape that it shows lies in an ellipse, by its place
between the corners of its triangle: the ellipse itself, whatever the head does and however coarse
the mesh is. Renderers trained before saw triangles with three marked corners (`whole triangles`),
on the embedded mesh 30 × 11 mm of an ellipse of 33 × 16, and still do.

Legend: V vertices, F triangles.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from toolkit.facemodel.model import FaceModel
from toolkit.mesh import EYES68, NUM_VERTICES

Flags = npt.NDArray[np.bool_]

EMBEDDED_THRESHOLD = 67.0
"""Threshold (mm²) for the embedded model of 468 vertices."""

EMBEDDED_COUNT = 52
"""Vertices that it marks."""

BFM_COUNT = 2439
"""Vertices that the FACIAL authors' mask marks on BFM 2009; their threshold is not published."""


def measure_eye_distance(model: FaceModel) -> npt.NDArray[np.float64]:
    """(V,) left side of eq. 9 in mm², of the nearer eye."""
    shape = model.mean_shape.astype(np.float64)
    centres = [shape[model.keypoints[eye]].mean(axis=0) for eye in EYES68]
    away = [(shape[:, 0] - c[0]) ** 2 / 4 + (shape[:, 1] - c[1]) ** 2 for c in centres]
    return np.asarray(np.minimum(*away))


def choose_threshold(model: FaceModel) -> float:
    """Threshold in mm² for a model.

    That of the embedded model was chosen so that the ellipses hold lids and lashes and end below
    the brows. For other models it is taken so that as large a share of the vertices is marked as
    in the authors' mask, 2,439 of 35,709; of BFM itself, exactly as many.
    """
    if model.num_vertices == NUM_VERTICES:
        return EMBEDDED_THRESHOLD
    count = max(1, round(BFM_COUNT / _BFM_VERTICES * model.num_vertices))
    distance = np.sort(measure_eye_distance(model))
    return float((distance[count - 1] + distance[min(count, len(distance) - 1)]) / 2)


def mark_eyes(model: FaceModel, threshold: float | None = None) -> Flags:
    """(V,) vertices of the eye regions, by eq. 9; `choose_threshold` where none is given."""
    threshold = choose_threshold(model) if threshold is None else threshold
    return np.asarray(measure_eye_distance(model) < threshold)


@dataclass(frozen=True, eq=False)
class EyeRegions:
    """Where on a mesh the eyes are.

    Attributes:
        triangles: (F,) bool, those that may show an eye.
        places: (V, 4) float64: x and y about the centre of the one eye, x and y about that of the
            other, in half axes of the ellipses. A point of such a triangle, with places between
            those of its corners, is an eye's where either pair is shorter than 1.
    """

    triangles: Flags
    places: npt.NDArray[np.float64]


def find_regions(
    model: FaceModel, threshold: float | None = None, *, whole_triangles: bool = False
) -> EyeRegions:
    """The eyes of a model, by eq. 9; `choose_threshold` where none is given.

    Args:
        model: the mesh and its mean shape.
        threshold: mm².
        whole_triangles: all of a triangle with three marked corners, and nothing else.
    """
    threshold = choose_threshold(model) if threshold is None else threshold
    if whole_triangles:
        marked = mark_eyes(model, threshold)[model.triangles].all(axis=1)
        return EyeRegions(np.asarray(marked), np.zeros((model.num_vertices, 4)))
    shape = model.mean_shape.astype(np.float64)
    axes = np.array([2.0, 1.0]) * np.sqrt(threshold)
    centres = [shape[model.keypoints[eye], :2].mean(axis=0) for eye in EYES68]
    places = np.concatenate([(shape[:, :2] - centre) / axes for centre in centres], axis=1)
    corners = places[model.triangles].reshape(-1, 3, 2, 2)
    overlaps = (corners.min(axis=1) < 1) & (corners.max(axis=1) > -1)  # boxes about the ellipses
    return EyeRegions(np.asarray(overlaps.all(axis=2).any(axis=1)), places)


_BFM_VERTICES = 35_709
