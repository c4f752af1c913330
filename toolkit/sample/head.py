"""A head that moves: a portrait back-projected through a pinhole camera, turned, and seen again.

Conventions are those of `face/pose` in `toolkit.schema`: camera frame x right, y down, z forward,
mm; R = Rx·Ry·Rz. A head frame of no rotation looks into the camera: its x axis is normal to the
mesh's plane of symmetry, its y axis runs from the middle of the hairline (vertex 10) to the chin
(152) within that plane. Its origin is the centroid of the mesh's 68-point view at rest. Scale: the
iris is 11.7 mm wide. Focal length: OpenFace's rule, 500 px per 640 px of width and per 480 px of
height, averaged.
"""

import cv2
import numpy as np

from toolkit.mesh import (
    CHEEKS,
    CHIN,
    EYE_CORNERS,
    FOREHEAD,
    IRIS_DIAMETERS,
    IRIS_MM,
    LANDMARKS68,
    MOUTH_CORNERS,
    NUM_VERTICES,
)
from toolkit.sample.expression import make_eye_patches, make_mouth_patches, measure_widest
from toolkit.sample.portrait import Field, Picture, Points, Portrait, fetch

PIVOT_MM = (0.0, 40.0, 70.0)
"""Where the neck turns, from the head's origin, in the head's frame."""

_SYMMETRIC = (
    *zip(*EYE_CORNERS, strict=True), MOUTH_CORNERS, CHEEKS, (172, 397), (127, 356), (98, 327),
)  # fmt: skip
"""Vertices of the subject's right side and their twins."""

_STEP = 4
"""Distance (px) of the grid on which motion is computed."""

_ITERATIONS = 8
_HEAD = (1.45, 1.6, 1.15)
"""The head's half-width, and its reach above and below the face's centre, face half-heights."""


def measure_focal(size: int) -> float:
    """Focal length (px) of a square picture by OpenFace's rule."""
    return size * (500 / 640 + 500 / 480) / 2


def rotate(angles: Points) -> Points:
    """R = Rx·Ry·Rz (3, 3) of pitch, yaw, roll in rad."""
    (sx, sy, sz), (cx, cy, cz) = np.sin(angles), np.cos(angles)
    rx = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    ry = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    rz = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return np.asarray(rx @ ry @ rz, np.float64)


def read_angles(rotation: Points) -> Points:
    """Pitch, yaw, roll (3,) in rad of R = Rx·Ry·Rz."""
    r = rotation
    return np.array(
        [np.arctan2(-r[1, 2], r[2, 2]), np.arcsin(r[0, 2]), np.arctan2(-r[0, 1], r[0, 0])]
    )


class Head:
    """Draws one identity at any pose, lid closure and mouth opening.

    Attributes:
        focal: of the camera, px; its centre is the picture's.
        rest_pose: (6,) pose of the portrait itself: pitch, yaw, roll in rad; tx, ty, tz in mm.
        points: (468, 3) the mesh at rest in the head's frame, mm.
        widest_mm: gap of the inner lips at opening 1.
    """

    def __init__(self, portrait: Portrait) -> None:
        size = len(portrait.picture)
        self._picture = portrait.picture
        self._eyes = make_eye_patches(portrait)
        self._mouth = make_mouth_patches(portrait)
        self.focal = measure_focal(size)
        mm = _measure_scale(portrait)
        iris_depth = float(portrait.landmarks[np.ravel(EYE_CORNERS), 2].mean())
        self._centre = size / 2
        space = self._back_project(
            portrait.landmarks[:NUM_VERTICES, :2],
            (self.focal + portrait.landmarks[:NUM_VERTICES, 2] - iris_depth) * mm,
        )
        rest = _find_axes(space)
        origin = space[list(LANDMARKS68)].mean(axis=0)
        self.rest_pose = np.concatenate([read_angles(rest), origin])
        self.points = (space - origin) @ rest
        self.widest_mm = measure_widest(portrait) * mm
        nodes = np.arange(_STEP / 2, size, _STEP)
        self._nodes = np.stack(np.meshgrid(nodes, nodes), axis=-1).astype(np.float32)
        depth = (self.focal + _spread_depth(portrait, nodes) - iris_depth) * mm
        grid = self._nodes.reshape(-1, 2).astype(np.float64)
        self._space = (self._back_project(grid, depth.ravel()) - origin) @ rest
        self._weight = _weigh_nodes(portrait, self._nodes)
        steps = np.arange(size, dtype=np.float32)
        self._pixels = np.stack(np.meshgrid(steps, steps), axis=-1)

    def swing(self, turn: Points, shift: Points) -> Points:
        """Pose (6,) after turning about the neck by `turn` (rad) and moving by `shift` (mm)."""
        angles = self.rest_pose[:3] + turn
        pivot = np.array(PIVOT_MM)
        carried = (rotate(self.rest_pose[:3]) - rotate(angles)) @ pivot
        return np.concatenate([angles, self.rest_pose[3:] + carried + shift])

    def draw(self, pose: Points, closure: float, opening: float) -> Picture:
        """Picture (size, size, 3) uint8 RGB at a pose (6,), lids and mouth from 0 to 1."""
        face = self._picture.copy()
        self._eyes.paint(face, closure)
        self._mouth.paint(face, opening)
        place = self._pixels + np.asarray(cv2.resize(self._find_sources(pose), face.shape[:2]))
        return fetch(face, place)

    def _find_sources(self, pose: Points) -> Field:
        """From each grid node of the frame to where in the portrait it is seen (n, n, 2), px.

        Motion is known from the portrait to the frame, p -> p + d(p); the way back, e(q) with
        e = −d(q + e), is its fixed point, which exists as no part of the head hides another.
        """
        seen = self._space @ rotate(pose[:3]).T + pose[3:]
        target = seen[:, :2] / seen[:, 2:] * self.focal + self._centre
        moved = (target.reshape(self._nodes.shape) - self._nodes) * self._weight
        motion = moved.astype(np.float32)
        back: Field = -motion
        for _ in range(_ITERATIONS):
            at = (self._nodes + back) / _STEP - np.float32(0.5)
            back = -fetch(motion, at)
        return back

    def _back_project(self, points: Points, depth: Points) -> Points:
        """Camera coordinates (n, 3), mm, of pixels (n, 2) at depths (n,), mm."""
        plane = (points - self._centre) * depth[:, None] / self.focal
        return np.concatenate([plane, depth[:, None]], axis=1)


def _measure_scale(portrait: Portrait) -> float:
    """Millimetres per pixel at the irises."""
    points = portrait.landmarks[:, :2]
    widths = [np.linalg.norm(points[a] - points[b]) for a, b in IRIS_DIAMETERS]
    return IRIS_MM / float(np.mean(widths))


def _find_axes(space: Points) -> Points:
    """Rotation (3, 3) from the head's frame to the camera's: columns are the head's axes."""
    right, left = (list(side) for side in zip(*_SYMMETRIC, strict=True))
    x = (space[left] - space[right]).sum(axis=0)
    x /= np.linalg.norm(x)
    y = space[CHIN] - space[FOREHEAD]
    y = y - (y @ x) * x
    y /= np.linalg.norm(y)
    return np.stack([x, y, np.cross(x, y)], axis=1)


def _spread_depth(portrait: Portrait, nodes: Points) -> Points:
    """The mesh's z (px) at every node (n, n); around the face its nearest edge's."""
    from scipy.interpolate import LinearNDInterpolator, NearestNDInterpolator

    points, z = portrait.landmarks[:NUM_VERTICES, :2], portrait.landmarks[:NUM_VERTICES, 2]
    grid = np.stack(np.meshgrid(nodes, nodes), axis=-1)
    inside = LinearNDInterpolator(points, z)(grid)
    around = cv2.GaussianBlur(NearestNDInterpolator(points, z)(grid), (0, 0), 2.0)
    return np.asarray(np.where(np.isnan(inside), around, inside), np.float64)


def _weigh_nodes(portrait: Portrait, nodes: Field) -> Field:
    """How much each node (n, n, 1) moves with the head: 1 on it, 0 at the picture's border."""
    size = len(portrait.picture)
    face = portrait.landmarks[:NUM_VERTICES, :2]
    radius = float(np.ptp(face[:, 1])) / 2
    x, y = np.moveaxis((nodes - face.mean(axis=0)) / radius, -1, 0)
    wide, above, below = _HEAD
    reach = np.hypot(x / wide, y / np.where(y < 0, above, below))
    outside = np.maximum(reach - 1, 0) * np.hypot(x, y) / np.maximum(reach, 1e-6)
    border = np.minimum(nodes, size - nodes).min(axis=-1) / radius
    share = border / (border + outside + 1e-6)
    return np.asarray(share**2 * (3 - 2 * share), np.float32)[..., None]
