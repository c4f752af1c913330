"""How far landmarks are from the real ones, wherever the head is (LMD), and their steps (LVD).

Each set of points loses its own centroid first, frame by frame, so that a head elsewhere in the
picture costs nothing; a turned or larger head does cost. Meshes are (n, 478, 2 or 3) px, of which
x and y count; a value is NaN in frames in which either has no face.

The points are the 20 of the lips or all 68 of the mesh's 68-point view. Chen et al. took the lips';
their program *sums* the 20 distances, while the values that they print fit the mean.
"""

import numpy as np
import numpy.typing as npt

from toolkit.mesh import LIPS68, OUTER_EYE_CORNERS
from zoo.landmarks.align import view68

Floats = npt.NDArray[np.float64]

_FACE68 = slice(0, 68)


def measure_lmd_mouth(landmarks: npt.ArrayLike, real_landmarks: npt.ArrayLike) -> Floats:
    """LMD of the lips (n,), px: mean distance of the 20 points."""
    return np.asarray(_measure(landmarks, real_landmarks, LIPS68).mean(axis=1))


def sum_lmd_mouth(landmarks: npt.ArrayLike, real_landmarks: npt.ArrayLike) -> Floats:
    """LMD of the lips (n,), px: sum of the distances of the 20 points."""
    return np.asarray(_measure(landmarks, real_landmarks, LIPS68).sum(axis=1))


def measure_lmd_mouth_share(landmarks: npt.ArrayLike, real_landmarks: npt.ArrayLike) -> Floats:
    """LMD of the lips (n,) over the distance of the real outer eye corners."""
    return measure_lmd_mouth(landmarks, real_landmarks) / measure_eye_distance(real_landmarks)


def measure_lmd_face(landmarks: npt.ArrayLike, real_landmarks: npt.ArrayLike) -> Floats:
    """LMD of the whole face (n,), px: mean distance of the 68 points."""
    return np.asarray(_measure(landmarks, real_landmarks, _FACE68).mean(axis=1))


def measure_lmd_face_share(landmarks: npt.ArrayLike, real_landmarks: npt.ArrayLike) -> Floats:
    """LMD of the whole face (n,) over the distance of the real outer eye corners."""
    return measure_lmd_face(landmarks, real_landmarks) / measure_eye_distance(real_landmarks)


def measure_lvd_mouth(landmarks: npt.ArrayLike, real_landmarks: npt.ArrayLike) -> Floats:
    """LVD of the lips (n,), px a frame: LMD of the steps from the frame before; first NaN."""
    return np.asarray(_measure(landmarks, real_landmarks, LIPS68, steps=True).mean(axis=1))


def measure_lvd_face(landmarks: npt.ArrayLike, real_landmarks: npt.ArrayLike) -> Floats:
    """LVD of the whole face (n,), px a frame: LMD of the steps; first NaN."""
    return np.asarray(_measure(landmarks, real_landmarks, _FACE68, steps=True).mean(axis=1))


def measure_lmd_mouth68(points: npt.ArrayLike, real_points: npt.ArrayLike) -> Floats:
    """LMD of the lips (n,) of 68 points (n, 68, 2), in their unit: as in canonical space."""
    return np.asarray(_compare(points, real_points, LIPS68).mean(axis=1))


def measure_eye_distance(landmarks: npt.ArrayLike) -> Floats:
    """Distance of the outer eye corners (n,), px."""
    right, left = np.swapaxes(np.asarray(landmarks)[:, OUTER_EYE_CORNERS, :2], 0, 1)
    return np.asarray(np.linalg.norm(right.astype(np.float64) - left, axis=1))


def _measure(
    pred: npt.ArrayLike, target: npt.ArrayLike, part: slice, *, steps: bool = False
) -> Floats:
    """The same of meshes, px."""
    return _compare(view68(pred), view68(target), part, steps=steps)


def _compare(
    pred: npt.ArrayLike, target: npt.ArrayLike, part: slice, *, steps: bool = False
) -> Floats:
    """Distances (n, k) of a part of 68 points (n, 68, 2), or of their steps, less the centroids.

    Raises:
        ValueError: not as many frames of one as of the other.
    """
    a, b = (_centre(np.asarray(points, np.float64)[:, part]) for points in (pred, target))
    if len(a) != len(b):
        raise ValueError(f"{len(a)} and {len(b)} frames cannot be compared")
    difference = np.diff(a - b, axis=0, prepend=np.nan) if steps else a - b
    return np.asarray(np.linalg.norm(difference, axis=2))


def _centre(points: Floats) -> Floats:
    return np.asarray(points - points.mean(axis=1, keepdims=True))
