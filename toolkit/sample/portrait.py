"""The portrait that samples are made of: its picture, its mesh, and its variants, the identities.

The picture is NASA's portrait of the astronaut Eileen Collins, in the public domain, which ships
inside scikit-image. Its mesh is MediaPipe's, measured once on an enlarged crop, plain and mirrored.
"""

from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from toolkit.errors import SetupError, ToolkitError
from toolkit.mesh import EYE_CORNERS, MOUTH_CORNERS, NUM_VERTICES

Picture = npt.NDArray[np.uint8]
Points = npt.NDArray[np.float64]
Field = npt.NDArray[np.float32]
Image = TypeVar("Image", Picture, Field)

CANVAS = 300
"""Side (px) of the square that is cut from the portrait."""

_LEFT, _PAD = 73, 30
"""The square's first column in the portrait, and the rows of border put above its first row."""

_FACE_BOX = (slice(0, 260), slice(90, 350))
"""The part of the portrait in which the mesh is looked for, four times enlarged."""


@dataclass(frozen=True, kw_only=True)
class Portrait:
    """A square picture of a face and its mesh.

    Attributes:
        picture: (size, size, 3) uint8 RGB.
        landmarks: (478, 3) float64, pixels of the picture; z in the same unit, smaller is nearer.
    """

    picture: Picture
    landmarks: Points


def load_portraits() -> tuple[Portrait, Portrait]:
    """The portrait and its mirror image, `CANVAS` pixels square.

    Raises:
        SetupError: scikit-image is not installed.
        ToolkitError: the mesh was not found.
    """
    try:
        from skimage.data import astronaut
    except ImportError as error:
        raise SetupError(
            "samples need scikit-image's portrait: pip install 'ttk[sample]'"
        ) from error
    whole = np.asarray(astronaut(), np.uint8)  # type: ignore[no-untyped-call]
    plain = Portrait(picture=_cut_canvas(whole), landmarks=_find_mesh(whole, mirrored=False))
    mirrored = Portrait(
        picture=np.ascontiguousarray(plain.picture[:, ::-1]),
        landmarks=_find_mesh(whole, mirrored=True),
    )
    return plain, mirrored


def _cut_canvas(whole: Picture) -> Picture:
    padded = cv2.copyMakeBorder(whole, _PAD, 0, 0, 0, cv2.BORDER_REPLICATE)
    return np.ascontiguousarray(padded[:CANVAS, _LEFT : _LEFT + CANVAS], np.uint8)


def _find_mesh(whole: Picture, *, mirrored: bool) -> Points:
    from toolkit.features.landmarks import FaceMesh

    crop = whole[_FACE_BOX]
    crop = crop[:, ::-1] if mirrored else crop
    side = crop.shape[0]
    large = cv2.resize(crop, (4 * side, 4 * side), interpolation=cv2.INTER_CUBIC)
    mesh = FaceMesh(max_faces=1)
    for _ in range(3):
        faces = mesh.detect(np.ascontiguousarray(large, np.uint8))
    if not faces:
        raise ToolkitError("the face mesh was not found in scikit-image's portrait: reinstall it")
    points: Points = np.asarray(faces[0], np.float64) / 4
    shift = np.array([_FACE_BOX[1].start - _LEFT, _FACE_BOX[0].start + _PAD, 0.0])
    if mirrored:
        shift[0] = CANVAS - (_FACE_BOX[1].stop - _LEFT)
    return np.asarray(points + shift, np.float64)


def fetch(image: Image, places: Field, method: int = cv2.INTER_LINEAR) -> Image:
    """Image (h, w, …) read at places (n, m, 2): x, y, pixel centres whole; its border repeats."""
    return cv2.remap(  # type: ignore[return-value]
        image, places, np.empty(0), method, borderMode=cv2.BORDER_REPLICATE
    )


# --- identities ---------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Shape:
    """How an identity's face departs from the portrait's. Lengths in face half-heights.

    `width`, `height`: scale of the whole; `taper`: how much wider the brow is than the jaw;
    `bumps`: (cx, cy, radius, gain) of places that are larger (gain > 0) than in the portrait.
    """

    width: float
    height: float
    taper: float
    depth: float
    bumps: tuple[tuple[float, float, float, float], ...]


def make_identity(
    portraits: tuple[Portrait, Portrait], index: int, seed: int, size: int
) -> Portrait:
    """The identity's own portrait, `size` pixels square: shape, colour and side vary with both.

    Identity 0 and every other even one keep the portrait's side, odd ones are mirrored.
    """
    rng = np.random.default_rng([seed, index, 1])
    portrait = portraits[index % 2]
    centre = portrait.landmarks[:NUM_VERTICES, :2].mean(axis=0)
    radius = float(np.ptp(portrait.landmarks[:NUM_VERTICES, 1])) / 2
    shape = _draw_shape(rng, (portrait.landmarks - [*centre, 0.0]) / radius)
    scale = size / CANVAS

    def to_portrait(points: Points) -> Points:
        unit = (points / scale - centre) / radius
        return np.asarray(_pull_back(unit, shape) * radius + centre)

    grid = np.stack(np.meshgrid(np.arange(size), np.arange(size)), axis=-1) + 0.5
    source = (to_portrait(grid.reshape(-1, 2)) - 0.5).reshape(size, size, 2).astype(np.float32)
    picture = fetch(portrait.picture, source, cv2.INTER_CUBIC)
    points = portrait.landmarks[:, :2] * scale
    for _ in range(50):
        points = points + (portrait.landmarks[:, :2] - to_portrait(points)) * scale * 0.9
    depth = portrait.landmarks[:, 2:] * scale * shape.depth
    return Portrait(
        picture=_recolour(picture, rng),
        landmarks=np.concatenate([points, depth], axis=1),
    )


def _draw_shape(rng: np.random.Generator, unit: Points) -> Shape:
    """Random proportions; `unit` (478, 3) is the mesh in face half-heights from its centre."""
    eye_gain, mouth_gain, nose_gain = rng.uniform(-1, 1, 3) * (0.06, 0.10, 0.10)
    places = [(unit[list(eye), :2].mean(axis=0), 0.30, eye_gain) for eye in EYE_CORNERS]
    places.append((unit[list(MOUTH_CORNERS), :2].mean(axis=0), 0.40, mouth_gain))
    places.append((unit[4, :2], 0.25, nose_gain))
    return Shape(
        width=float(rng.uniform(0.92, 1.08)),
        height=float(rng.uniform(0.95, 1.06)),
        taper=float(rng.uniform(-0.07, 0.07)),
        depth=float(rng.uniform(0.95, 1.05)),
        bumps=tuple((float(p[0]), float(p[1]), r, float(g)) for p, r, g in places),
    )


def _pull_back(unit: Points, shape: Shape) -> Points:
    """Where in the portrait each point (n, 2) of the identity comes from; unit of `Shape`."""
    x, y = unit[:, 0], unit[:, 1]
    near = np.exp(-(unit**2).sum(axis=1) / 2.5**2)  # the picture's far border stays
    x = x * (1 + near * (1 / shape.width - 1 + shape.taper * np.tanh(y)))
    y = y * (1 + near * (1 / shape.height - 1))
    for cx, cy, radius, gain in shape.bumps:
        weight = gain * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / radius**2)
        x, y = x - weight * (x - cx), y - weight * (y - cy)
    return np.stack([x, y], axis=1)


def _recolour(picture: Picture, rng: np.random.Generator) -> Picture:
    gains = rng.uniform(0.88, 1.06, 3)
    gamma, saturation = rng.uniform(0.85, 1.25), rng.uniform(0.75, 1.15)
    colours = (picture / 255.0) ** gamma
    grey = colours.mean(axis=-1, keepdims=True)
    colours = (grey + saturation * (colours - grey)) * gains
    return np.asarray(np.clip(colours * 255, 0, 255).round(), np.uint8)
