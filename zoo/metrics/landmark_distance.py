"""How far landmarks of drawn faces are from those of real ones, detected by one face mesh in both.

Nothing is removed: where the head is counts in full. LMD, in which it does not, is in `landmarks`.

Legend: n frames.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from toolkit.facemodel.model import load_default
from toolkit.features.landmarks import FaceMesh
from toolkit.mesh import LANDMARKS68, LIPS68, NUM_LANDMARKS, NUM_VERTICES
from zoo.metrics.landmarks import measure_eye_distance

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class LandmarkDistance:
    """Mean distances over the frames in which both pictures show a face; NaN where none does.

    Attributes:
        face: of the mesh's 468 vertices, px.
        mouth: of the 20 points of the lips in the 68-point view, px.
        face_share, mouth_share: the same over the real frame's interocular distance.
        num_frames: n.
        num_missing: frames in which no face is detected in the drawn picture, but in the real one.
        num_unseen: frames in which the real picture shows none.
    """

    face: float
    mouth: float
    face_share: float
    mouth_share: float
    num_frames: int
    num_missing: int
    num_unseen: int


def find_landmarks(pictures: Iterable[npt.NDArray[np.uint8]], mesh: FaceMesh) -> Floats:
    """Landmarks (n, 478, 3) in px of one take's pictures, the largest face; NaN where none is.

    Args:
        pictures: (height, width, 3) uint8 RGB in order, without a cut.
        mesh: made anew for a take, or reset: what it says depends on what it saw before.
    """
    meshes = list(follow_landmarks(pictures, mesh))
    return np.asarray(meshes).reshape(-1, NUM_LANDMARKS, 3)


def follow_landmarks(pictures: Iterable[npt.NDArray[np.uint8]], mesh: FaceMesh) -> Iterator[Floats]:
    """The same, one picture's (478, 3) after the other."""
    has_face = False
    for picture in pictures:
        faces = mesh.detect(picture) if has_face else mesh.start(picture)
        has_face = bool(faces)
        largest = max(faces, key=lambda face: np.ptp(face[:, :2], axis=0).prod(), default=None)
        none = np.full((NUM_LANDMARKS, 3), np.nan)
        yield none if largest is None else largest.astype(np.float64)


def measure_landmark_distance(pred: npt.ArrayLike, target: npt.ArrayLike) -> LandmarkDistance:
    """Compare landmarks (n, 478, 2 or 3) of drawn pictures with those of the real ones.

    Distances are in the picture plane.

    Raises:
        ValueError: not as many of one as of the other, or not as many landmarks.
    """
    pred, target = (np.asarray(points, np.float64)[..., :2] for points in (pred, target))
    if pred.shape != target.shape or pred.shape[1:] != (NUM_LANDMARKS, 2):
        raise ValueError(f"landmarks {pred.shape} and {target.shape} cannot be compared")
    drawn, seen = (~np.isnan(points[:, 0, 0]) for points in (pred, target))
    both = drawn & seen
    face, lips = (
        measure(pred[both], target[both])
        for measure in (measure_face_distance, measure_mouth_distance)
    )
    between = measure_eye_distance(target[both])
    return LandmarkDistance(
        face=_average(face),
        mouth=_average(lips),
        face_share=_average(face / between),
        mouth_share=_average(lips / between),
        num_frames=len(pred),
        num_missing=int((seen & ~drawn).sum()),
        num_unseen=int((~seen).sum()),
    )


def measure_face_distance(landmarks: npt.ArrayLike, real_landmarks: npt.ArrayLike) -> Floats:
    """Mean distance (n,) px of the mesh's 468 vertices; NaN where either has no face."""
    distances = _measure_distances(landmarks, real_landmarks)
    return np.asarray(distances[:, :NUM_VERTICES].mean(axis=1))


def measure_mouth_distance(landmarks: npt.ArrayLike, real_landmarks: npt.ArrayLike) -> Floats:
    """Mean distance (n,) px of the 20 points of the lips; NaN where either has no face."""
    lips = LANDMARKS68[LIPS68]
    return np.asarray(_measure_distances(landmarks, real_landmarks)[:, lips].mean(axis=1))


def _measure_distances(pred: npt.ArrayLike, target: npt.ArrayLike) -> Floats:
    """(n, 478) px in the picture plane."""
    a, b = (np.asarray(points, np.float64)[..., :2] for points in (pred, target))
    return np.asarray(np.linalg.norm(a - b, axis=2))


def align_meshes(pred: npt.ArrayLike, target: npt.ArrayLike) -> Floats:
    """Landmarks (n, 478, 2 or 3) put on others in the picture plane: moved, turned and scaled.

    By least squares over the 468 vertices, each weighing as much as it moves with the skull, so
    that what is left is the face and not where the head is. Returns (n, 478, 2) px; NaN where
    either has none.
    """
    planes = (np.asarray(points, np.float64)[..., :2] for points in (pred, target))
    z, w = (points[..., 0] + 1j * points[..., 1] for points in planes)
    weight = load_default().rigidity / load_default().rigidity.sum()
    z_mean, w_mean = ((v[:, :NUM_VERTICES] @ weight)[:, None] for v in (z, w))
    z, w = z - z_mean, w - w_mean
    top = (z.conj() * w)[:, :NUM_VERTICES] @ weight
    with np.errstate(invalid="ignore"):  # where there is no face, there is none afterwards
        turn = top / (np.abs(z[:, :NUM_VERTICES]) ** 2 @ weight)
        moved = turn[:, None] * z + w_mean
    return np.stack([moved.real, moved.imag], axis=-1)


def _average(values: Floats) -> float:
    return float(values.mean()) if len(values) else float("nan")
