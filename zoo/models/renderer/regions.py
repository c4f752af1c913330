"""Where in a frame the mouth and the eyes are seen.

Legend: n frames of a motion.
"""

import numpy as np
import numpy.typing as npt

from toolkit.facemodel.camera import project_camera, transform
from toolkit.mesh import EYES68, LIPS68
from zoo.data.crop_camera import CropCamera
from zoo.graphics.surface import Surface

PARTS = (LIPS68, *EYES68)
"""Of the 68 points: those of the mouth, of the right eye and of the left one, in this order."""

SIDES = (70.0, 44.0, 44.0)
"""mm: sides of the squares about them. They hold an open mouth with the lips and what is beside
them, and lids and lashes with the whole ellipse of the eye-attention map (33 × 16 mm)."""


def place_regions(
    surface: Surface,
    camera: CropCamera,
    keypoints: npt.NDArray[np.int64],
    *,
    expression: npt.ArrayLike,
    pose: npt.ArrayLike,
) -> npt.NDArray[np.float32]:
    """Squares about mouth, right eye and left eye, (n, 3, 4) xyxy in px, as they are projected.

    Each has the size that its side in mm has at the depth of its middle; it may reach out of the
    picture.

    Args:
        surface: the person's.
        camera: what looks at it.
        keypoints: (68,) vertices of the 68-point view, as `FaceModel.keypoints`.
        expression: (n, 64) standard deviations, as it is drawn.
        pose: (n, 6) `face/model_pose`, as it is drawn.
    """
    pose = np.asarray(pose, np.float64).reshape(-1, 6)
    rest = surface.shape.reshape(-1, 3)[keypoints]
    basis = surface.expression.reshape(len(surface.expression), -1, 3)[:, keypoints]
    points = rest + np.tensordot(np.asarray(expression, np.float64), basis, axes=1)
    middles = np.stack([points[:, part].mean(axis=1) for part in PARTS], axis=1)
    seen = transform(middles, pose)
    middle = project_camera(seen, camera.intrinsics)
    half = np.array(SIDES)[:, None] / 2 * np.array(camera.intrinsics[:2]) / seen[..., 2:]
    return np.asarray(np.concatenate([middle - half, middle + half], axis=-1), np.float32)
