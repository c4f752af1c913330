"""The eye regions of a face model, eq. 9 of FACIAL (Zhang et al., ICCV 2021).

A vertex of the mean shape is marked where `(vx − cx)²/4 + (vy − cy)² < th`: an ellipse of half
width 2·√th and half height √th about each eye's centre. A pixel belongs to an eye where the
triangle that it shows has three marked corners, whatever the head does.

Legend: V vertices, F triangles.
"""

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


def mark_eye_triangles(model: FaceModel, threshold: float | None = None) -> Flags:
    """(F,) triangles whose corners are all marked."""
    return np.asarray(mark_eyes(model, threshold)[model.triangles].all(axis=1))


_BFM_VERTICES = 35_709
