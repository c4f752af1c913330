"""Lids and lips of a portrait: pictures of the eyes and of the mouth at evenly spaced openings.

Each picture is made once per identity by moving the mesh's vertices in the plane of the portrait
and warping every triangle by its own affine map; a frame blends the two nearest pictures. Vertices
between those that are placed and those that rest follow by radial basis functions.
"""

import functools
import itertools
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from toolkit.mesh import (
    EYE_CORNERS,
    INNER_LIP_CORNERS,
    INNER_LOWER_LIP,
    INNER_UPPER_LIP,
    LOWER_LIDS,
    NOSE_TIP,
    NUM_VERTICES,
    UPPER_LIDS,
)
from toolkit.sample.portrait import Picture, Points, Portrait, fetch

Triangles = npt.NDArray[np.int64]

_MOUTH_OUTLINE = (
    INNER_LIP_CORNERS[0],
    *INNER_UPPER_LIP,
    INNER_LIP_CORNERS[1],
    *INNER_LOWER_LIP[::-1],
)
_OUTER_LIPS = (
    (185, 40, 39, 37, 0, 267, 269, 270, 409),
    (146, 91, 181, 84, 17, 314, 405, 321, 375),
)
_ALL_LIP_CORNERS = (61, 291, 62, 292, 76, 306, 78, 308)
_BROWS = (
    46, 53, 52, 65, 55, 70, 63, 105, 66, 107, 276, 283, 282, 295, 285, 300, 293, 334, 296, 336,
)  # fmt: skip
_CHIN = (152, 148, 377, 176, 400, 149, 378, 175, 199, 200, 171, 396)
_OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)  # fmt: skip
_NOSTRIL_GAPS = {(49, 64, 129), (279, 294, 358)}
"""Cliques of the mesh's edges that are not faces of it."""

_ANCHOR_DISTANCE = 1.5
"""How far from the face's centre its outline's resting twins lie, outlines."""

_UPPER_LID_SHARE = 0.85
"""Part of the way between open lids that the upper one goes in a blink."""

_WIDEST = 0.30
"""Gap of the inner lips at opening 1, in mouth widths."""

_LEVELS = 25
_OVERSAMPLING = 2


@dataclass(frozen=True)
class Patches:
    """Pictures of one part of the face.

    Attributes:
        rows, columns: where they lie in the portrait.
        pictures: (levels, height, width, 3) uint8 RGB, from 0 to 1 in even steps.
    """

    rows: slice
    columns: slice
    pictures: Picture

    def paint(self, picture: Picture, level: float) -> None:
        """Draw the part at `level` (0 to 1) into an (n, n, 3) uint8 picture."""
        position = min(max(level, 0.0), 1.0) * (len(self.pictures) - 1)
        low = min(int(position), len(self.pictures) - 2)
        share = position - low
        picture[self.rows, self.columns] = cv2.addWeighted(
            self.pictures[low], 1 - share, self.pictures[low + 1], share, 0
        )


def make_eye_patches(portrait: Portrait) -> Patches:
    """Both eyes, from open as in the portrait (level 0) to closed (1)."""
    points = portrait.landmarks[:NUM_VERTICES, :2]
    levels = np.linspace(0, 1, _LEVELS)
    fixed, moved, shift = list[int](), list[int](), list[Points]()
    far = np.ones(len(points), np.bool_)
    for (outer, inner), upper, lower in zip(EYE_CORNERS, UPPER_LIDS, LOWER_LIDS, strict=True):
        gap = points[list(lower)] - points[list(upper)]
        moved += [*upper, *lower]
        shift += [_UPPER_LID_SHARE * gap, (_UPPER_LID_SHARE - 1) * gap]
        fixed += [outer, inner]
        width = float(np.linalg.norm(points[outer] - points[inner]))
        centre = (points[outer] + points[inner]) / 2
        far &= np.linalg.norm(points - centre, axis=1) > 0.8 * width
    fixed += [*np.flatnonzero(far).tolist(), *_BROWS]
    full = _spread(points, fixed, moved, np.concatenate(shift))
    bottom = float(points[NOSE_TIP, 1])
    return _warp_levels(portrait, portrait.picture, [level * full for level in levels], 0, bottom)


def make_mouth_patches(portrait: Portrait) -> Patches:
    """Mouth, chin and jaw, from lips that touch (level 0) to `_WIDEST` mouth widths apart (1)."""
    points = portrait.landmarks[:NUM_VERTICES, :2]
    (right, left), upper, lower = INNER_LIP_CORNERS, INNER_UPPER_LIP, INNER_LOWER_LIP
    width = float(np.linalg.norm(points[left] - points[right]))
    gap = (points[list(lower)] - points[list(upper)])[:, 1]
    profile = np.sin(np.linspace(0, np.pi, len(upper) + 2)[1:-1]) ** 0.7
    fixed = [*np.flatnonzero(points[:, 1] < points[NOSE_TIP, 1]).tolist(), *_ALL_LIP_CORNERS]
    moved = [*upper, *lower, *_OUTER_LIPS[0], *_OUTER_LIPS[1], *_CHIN]
    shifts = []
    for level in np.linspace(0, 1, _LEVELS):
        opening = level * _WIDEST * width * profile
        up, down = 0.35 * gap - 0.15 * opening, -0.65 * gap + 0.85 * opening
        chin = np.full(len(_CHIN), 0.8 * down[len(down) // 2])
        vertical = np.concatenate([up, down, 0.8 * up, 0.95 * down, chin])
        shift = np.stack([np.zeros_like(vertical), vertical], axis=1)
        shifts.append(_spread(points, fixed, moved, shift))
    inside = _paint_mouth(portrait)
    return _warp_levels(portrait, inside, shifts, float(points[NOSE_TIP, 1]), len(portrait.picture))


def measure_widest(portrait: Portrait) -> float:
    """Gap of the inner lips (px of the portrait) at opening 1."""
    corners = portrait.landmarks[list(INNER_LIP_CORNERS), :2]
    return _WIDEST * float(np.linalg.norm(corners[1] - corners[0]))


def _paint_mouth(portrait: Portrait) -> Picture:
    """The portrait with what lies behind the lips: its upper teeth, darkness around them."""
    size = len(portrait.picture)
    outline = portrait.landmarks[list(_MOUTH_OUTLINE), :2]
    teeth = np.zeros((size, size), np.uint8)
    cv2.fillPoly(teeth, [((outline - 0.5) * 16).round().astype(np.int32)], (255,), shift=4)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (3, 3))
    share = cv2.GaussianBlur(cv2.erode(teeth, kernel), (0, 0), 0.8)[..., None] / 255.0
    dark = np.broadcast_to(np.array([48.0, 18.0, 16.0]), (size, size, 3))
    mouth = share * 0.88 * portrait.picture + (1 - share) * dark
    return np.asarray(mouth.round(), np.uint8)


# --- warping ------------------------------------------------------------------------------------


@functools.cache
def list_triangles() -> tuple[tuple[int, int, int], ...]:
    """Faces of the mesh (468 vertices), without those over eyes and mouth, which it lacks."""
    from mediapipe.python.solutions.face_mesh_connections import FACEMESH_TESSELATION

    near: dict[int, set[int]] = {}
    for a, b in FACEMESH_TESSELATION:
        near.setdefault(a, set()).add(b)
        near.setdefault(b, set()).add(a)
    cliques = {
        (a, b, c)
        for a, others in near.items()
        for b, c in itertools.combinations(sorted(others), 2)
        if a < b and c in near[b]
    }
    return tuple(sorted(cliques - _NOSTRIL_GAPS))


def _spread(points: Points, fixed: list[int], moved: list[int], shift: Points) -> Points:
    """Shift (468, 2) of every vertex from that of the moved and the fixed ones."""
    from scipy.interpolate import RBFInterpolator

    known = [*dict.fromkeys(vertex for vertex in fixed if vertex not in set(moved)), *moved]
    still = len(known) - len(moved)
    values = np.concatenate([np.zeros((still, 2)), shift])
    spread = RBFInterpolator(points[known], values, kernel="linear", degree=0)(points)
    spread[known] = values
    return np.asarray(spread, np.float64)


def _warp_levels(
    portrait: Portrait, under: Picture, shifts: list[Points], top: float, bottom: float
) -> Patches:
    """Pictures of the smallest part, between rows top and bottom, that any shift changes."""
    rest, triangles = _add_anchors(portrait.landmarks[:NUM_VERTICES, :2])
    shifts = [np.concatenate([s, np.zeros((len(rest) - NUM_VERTICES, 2))]) for s in shifts]
    stirred = np.max([np.abs(shift).max(axis=1) for shift in shifts], axis=0) > 0.02
    triangles = triangles[stirred[triangles].any(axis=1)]
    reach = rest[np.unique(triangles)]
    x0, y0 = np.floor(np.maximum(reach.min(axis=0), [0, top])).astype(int)
    x1, y1 = np.ceil(np.minimum(reach.max(axis=0), [len(under), bottom])).astype(int)
    pictures = [
        _warp_patch((portrait.picture, under), rest, rest + shift, triangles, (x0, y0, x1, y1))
        for shift in shifts
    ]
    return Patches(slice(y0, y1), slice(x0, x1), np.stack(pictures))


def _add_anchors(points: Points) -> tuple[Points, Triangles]:
    """The mesh and a resting ring around it, so that skin stretches instead of tearing."""
    oval = points[list(_OVAL)]
    centre = oval.mean(axis=0)
    anchors = centre + _ANCHOR_DISTANCE * (oval - centre)
    ring = list[tuple[int, int, int]]()
    for i, vertex in enumerate(_OVAL):
        j = (i + 1) % len(_OVAL)
        ring += [
            (vertex, _OVAL[j], NUM_VERTICES + i),
            (_OVAL[j], NUM_VERTICES + j, NUM_VERTICES + i),
        ]
    return np.concatenate([points, anchors]), np.array([*list_triangles(), *ring], np.int64)


def _warp_patch(
    pictures: tuple[Picture, Picture],
    rest: Points,
    moved: Points,
    triangles: Triangles,
    box: tuple[int, int, int, int],
) -> Picture:
    """One box (xyxy) of skin with every triangle moved; `pictures` are skin and what lies under.

    What lies under shows between the lips, where no triangle is.
    """
    picture, under = pictures
    x0, y0, x1, y1 = box
    height, width = (y1 - y0) * _OVERSAMPLING, (x1 - x0) * _OVERSAMPLING
    owner = np.full((height, width), -1, np.int32)
    corners = (((moved - (x0, y0)) * _OVERSAMPLING - 0.5) * 16).round().astype(np.int32)
    cv2.fillPoly(owner, [corners[list(_MOUTH_OUTLINE)]], (-2,), shift=4)
    for number, triangle in enumerate(corners[triangles]):
        cv2.fillConvexPoly(owner, triangle, (number,), shift=4)
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1)
    target = (grid + 0.5) / _OVERSAMPLING + (x0, y0)
    covered = owner >= 0
    source = target.copy()
    maps = _solve_affine(moved[triangles], rest[triangles])[owner[covered]]
    source[covered] = (maps[:, :, :2] @ target[covered][..., None])[..., 0] + maps[:, :, 2]
    skin = fetch(picture, (source - 0.5).astype(np.float32))
    hole = fetch(under, (target - 0.5).astype(np.float32))
    drawn = np.where((owner == -2)[..., None], hole, skin)
    size = (x1 - x0, y1 - y0)
    return np.asarray(cv2.resize(drawn, size, interpolation=cv2.INTER_AREA), np.uint8)


def _solve_affine(source: Points, target: Points) -> Points:
    """Maps (n, 2, 3) that take triangles (n, 3, 2) to triangles; flat ones are widened a little."""
    homogeneous = np.concatenate([source, np.ones((*source.shape[:2], 1))], axis=-1)
    flat = np.abs(np.linalg.det(homogeneous)) < 1e-6
    homogeneous[flat] += np.eye(3) * 1e-3
    return np.asarray(np.linalg.solve(homogeneous, target).transpose(0, 2, 1), np.float64)
