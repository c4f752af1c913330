"""Head pose from the face mesh: a perspective fit of the metric canonical mesh.

Six numbers a frame in OpenFace's convention: pitch, yaw, roll in rad, tx, ty, tz in mm; camera
axes x right, y down, z forward; R = Rx·Ry·Rz; head origin: the centroid of the mean shape's
68-point view. Of the image points only those count that move with the skull (none of lips, lids,
jaw and forehead); the mesh's depth, weakly, adds what the picture cannot say of pitch. No filter
over time.
"""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from toolkit.facemodel import align, fit
from toolkit.facemodel.camera import transform
from toolkit.facemodel.model import DEFAULT_PATH, FaceModel, load_default
from toolkit.features.base import Arrays, Extractor
from toolkit.mesh import EYE_CORNERS, IRIS_DIAMETERS, IRIS_MM, NUM_VERTICES
from toolkit.schema import ClipInput, Provenance
from toolkit.storage import hash_file

Floats = npt.NDArray[np.float64]

SCALE_SD = 0.04
"""Between people, sd of the logarithm of face size over iris size."""

READING_SD = 0.035
READING_PX = 0.6
"""Error of a source's median iris diameter: a share of it, and pixels; measured over clips of the
same people."""

MAX_YAW = np.deg2rad(30.0)
"""Irises are measured on heads turned no further than this, where any are."""

FIT_FRAMES = 300
"""Frames of a source, evenly over its clips, on which its irises are measured."""


class MeshPose(Extractor):
    """Pose from the mesh, one size of head per source: from its irises, or as given."""

    arrays = ("face/pose",)
    constants = (
        *(SCALE_SD, READING_SD, READING_PX, MAX_YAW, FIT_FRAMES),
        *(IRIS_MM, IRIS_DIAMETERS, EYE_CORNERS, align.STEPS, fit.DEPTH_STEP, fit.POSE_DEPTH),
    )

    def __init__(self, *, interocular_mm: float | None = None) -> None:
        """Load the face model.

        Args:
            interocular_mm: distance between the eyes' outer corners, to which the head is scaled;
                from the irises where None.
        """
        if interocular_mm is not None and not 40 < interocular_mm < 150:
            raise ValueError(f"interocular_mm is {interocular_mm}: a face has 65 to 110 mm")
        self._model = load_default()
        self._given = interocular_mm and interocular_mm / self._model.interocular
        self._scale: float | None = None

    def provenance(self) -> Provenance:
        """The face model's digest and where the scale comes from."""
        note = "scale as given" if self._given else f"scale from the iris, {IRIS_MM} mm"
        return Provenance(
            backend="mesh", version="1", weights_sha256=hash_file(DEFAULT_PATH), note=note
        )

    def fit(self, clips: Iterable[ClipInput]) -> None:
        """Take the source's scale from all its clips."""
        if self._given:
            return
        clips = list(clips)
        step = max(1, sum(clip.num_frames for clip in clips) // FIT_FRAMES)
        found = [
            measure_irises(clip.load_landmarks()[::step], clip.intrinsics, model=self._model)
            for clip in clips
        ]
        self._scale = choose_scale(np.concatenate(found)) if found else None

    def extract(self, clip: ClipInput) -> Arrays:
        """`face/pose` (n, 6) float32."""
        if not self._given and self._scale is None:
            self.fit([clip])
        pose = fit_pose(
            clip.load_landmarks(),
            clip.intrinsics,
            scale=self._given or self._scale or 1.0,
            model=self._model,
        )
        return {"face/pose": pose.astype(np.float32)}


def fit_pose(
    landmarks: npt.ArrayLike,
    intrinsics: npt.ArrayLike,
    *,
    scale: float = 1.0,
    model: FaceModel | None = None,
) -> Floats:
    """Head poses of meshes.

    Args:
        landmarks: (n, 468 or more, 2 or 3) px in the picture.
        intrinsics: (4,) fx, fy, cx, cy in px.
        scale: size of the head over that of the mean shape; multiplies the translation only.
        model: whose mean shape and rigidity to use; the one that comes with the toolkit.

    Returns:
        (n, 6) pitch, yaw, roll in rad, tx, ty, tz in mm.
    """
    landmarks = np.asarray(landmarks)
    if landmarks.ndim != 3 or landmarks.shape[1] < NUM_VERTICES:
        raise ValueError(f"landmarks have shape {landmarks.shape}, not (n, 468 or more, 2 or 3)")
    model = model or load_default()
    pose = fit.pose_mesh(model, landmarks, intrinsics, model.mean_shape)
    pose[:, 3:] *= scale
    return np.asarray(pose)


def measure_iris(landmarks: Floats) -> Floats:
    """(n,) mean horizontal diameter of both irises of meshes (n, 478, 2 or 3), px."""
    ends = [landmarks[:, a, :2] - landmarks[:, b, :2] for a, b in IRIS_DIAMETERS]
    return np.asarray(np.linalg.norm(ends, axis=-1).mean(axis=0))


def measure_irises(
    landmarks: npt.ArrayLike,
    intrinsics: tuple[float, float, float, float],
    *,
    model: FaceModel | None = None,
) -> Floats:
    """Horizontal iris diameters as a head of mean size would have them.

    Args:
        landmarks: (n, 478, 2 or 3) px.
        intrinsics: fx, fy, cx, cy in px.
        model: as in `fit_pose`.

    Returns:
        (m, 2): diameter in mm, unforeshortened, and in px, mean of both eyes; of the frames
        turned less than `MAX_YAW`, or of all where there are none.
    """
    model = model or load_default()
    landmarks = np.asarray(landmarks, np.float64)
    pose = fit_pose(landmarks, intrinsics, model=model)
    pixels = measure_iris(landmarks) / np.cos(pose[:, 1])
    eyes = model.mean_shape[np.ravel(EYE_CORNERS)].mean(axis=0)
    depth = transform(eyes[None], pose)[:, 0, 2]
    frontal = np.abs(pose[:, 1]) < MAX_YAW
    found = np.stack([pixels * depth / intrinsics[0], pixels], axis=1)
    return np.asarray(found[frontal] if frontal.any() else found)


def choose_scale(irises: npt.ArrayLike) -> float:
    """Size of a head over the mean one, from its irises (m, 2) as `measure_irises` gives them.

    The reading is drawn towards 1 by its share of the variance: irises of a few pixels say
    nothing, and those of a hundred still err.
    """
    diameter, pixels = np.median(np.asarray(irises, np.float64), axis=0)
    noise = READING_SD**2 + (READING_PX / pixels) ** 2
    share = SCALE_SD**2 / (SCALE_SD**2 + noise)
    return float((IRIS_MM / diameter) ** share)
