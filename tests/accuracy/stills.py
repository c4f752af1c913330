"""Head pose of single pictures against AFLW2000-3D's fitted poses."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from scipy.io import loadmat

from toolkit.facemodel.camera import default_intrinsics
from toolkit.features.landmarks import FaceMesh
from toolkit.features.pose import fit_pose

_FOLDER = "YadiraF_PRNet/TestImages/AFLW2000"


def compare_aflw2000(folder: Path) -> list[dict[str, Any]]:
    """One row per picture: pitch, yaw, roll found and given, degrees."""
    mesh = FaceMesh()
    rows = []
    for path in sorted((folder / _FOLDER).glob("*.jpg")):
        picture = cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)
        given = np.degrees(loadmat(path.with_suffix(".mat"))["Pose_Para"][0, :3])
        mesh.reset()
        faces = mesh.start(picture)
        if not faces:
            rows.append({"picture": path.stem, "found": "no face"})
            continue
        height, width = picture.shape[:2]
        pose = fit_pose(faces[0][None], default_intrinsics(width, height))
        ours = np.degrees(pose[0, :3])
        row: dict[str, Any] = {"picture": path.stem, "found": "yes"}
        signs = (-1, 1, 1)  # in AFLW2000-3D, + pitch looks up
        for axis, name in enumerate(("pitch", "yaw", "roll")):
            row[name] = float(ours[axis])
            row[f"{name} given"] = float(signs[axis] * given[axis])
        rows.append(row)
    return rows
