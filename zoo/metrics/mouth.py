"""Mouths: of expression coefficients, in mm, and of the face mesh's landmarks, beside the eyes.

Lips are points 49 to 68 (counted from 1) of the 68-point view, so that any face model has them.
Of coefficients the identity is the mean face's and the head does not turn: what is compared is
expression alone.

Legend: n frames, L the 20 vertices of the lips.
"""

import numpy as np
import numpy.typing as npt

from toolkit.facemodel.model import FaceModel, combine, load_default
from toolkit.mesh import EYE_CORNERS, LANDMARKS68, LIPS68

Floats = npt.NDArray[np.float64]

_UPPER, _LOWER = [13, 14, 15], [19, 18, 17]
"""Points of the inner lips opposite each other, counted within `LIPS68`."""


def place_lips(expression: npt.ArrayLike, model: FaceModel | None = None) -> Floats:
    """Vertices (n, 20, 3) of the mean face's lips, mm, from expression coefficients (n, 64).

    Args:
        expression: in standard deviations of the model's basis.
        model: that the coefficients belong to; by default the toolkit's own.
    """
    model = model or load_default()
    lips = model.keypoints[LIPS68]
    return np.asarray(model.mean_shape[lips] + combine(model.expression[lips], expression))


def measure_mouth_error(
    expression: npt.ArrayLike, real_expression: npt.ArrayLike, model: FaceModel | None = None
) -> Floats:
    """Mean distance of the lips' vertices of two expressions, (n,) mm.

    Args:
        expression: (n, 64).
        real_expression: (n, 64).
        model: that both belong to; by default the toolkit's own.
    """
    model = model or load_default()
    difference = np.asarray(expression, np.float64) - np.asarray(real_expression, np.float64)
    moved = combine(model.expression[model.keypoints[LIPS68]], difference)
    return np.asarray(np.linalg.norm(moved, axis=-1).mean(axis=-1))


def measure_opening_mm(expression: npt.ArrayLike, model: FaceModel | None = None) -> Floats:
    """Mouth opening (n,) mm: mean distance of the three pairs of inner lip points."""
    lips = place_lips(expression, model)
    gaps = lips[..., _UPPER, :] - lips[..., _LOWER, :]
    return np.asarray(np.linalg.norm(gaps, axis=-1).mean(axis=-1))


def place_mouth(landmarks: npt.ArrayLike) -> Floats:
    """Lips (n, 20, 2) of landmarks (n, 468 or 478, 2 or 3) in the picture plane, seen by the eyes.

    Less their own centroid, turned so that the line between the eyes' centres is level, and over
    its length: neither where the head is nor how large, and no roll. Axes as the landmarks'.
    """
    points = np.asarray(landmarks, np.float64)
    plane = points[..., 0] + 1j * points[..., 1]
    right, left = (plane[:, pair].mean(axis=1) for pair in EYE_CORNERS)
    lips = plane[:, LANDMARKS68[LIPS68]]
    lips = (lips - lips.mean(axis=1, keepdims=True)) / (left - right)[:, None]
    return np.stack([lips.real, lips.imag], axis=-1)


def correlate(pred: npt.ArrayLike, target: npt.ArrayLike) -> float:
    """Pearson's correlation of two series (n,); 0 where one of them does not change."""
    pair = np.stack([np.asarray(pred, np.float64), np.asarray(target, np.float64)])
    if not np.ptp(pair, axis=1).all():
        return 0.0
    a, b = pair - pair.mean(axis=1, keepdims=True)
    return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))
