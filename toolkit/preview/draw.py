"""What previews are drawn with: one palette, sharp text, the face mesh, the pose axes.

Pictures are (height, width, 3) uint8 RGB and drawn into in place. Points are continuous pixels:
(0, 0) is the picture's corner, the first pixel's centre lies at (0.5, 0.5).
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from toolkit.errors import SetupError
from toolkit.facemodel.camera import project, transform
from toolkit.fonts import is_plain, list_fonts, render_text, write_label
from toolkit.mesh import NUM_LANDMARKS, NUM_VERTICES
from toolkit.names import write_name

Picture = npt.NDArray[np.uint8]
Color = tuple[int, int, int]
Box = tuple[int, int, int, int]
"""x0, y0, x1, y1 in px."""

BACKGROUND: Color = (17, 20, 26)
PANEL: Color = (25, 29, 37)
GRID: Color = (46, 53, 65)
TEXT: Color = (226, 231, 238)
MUTED: Color = (142, 152, 168)
GREY: Color = (58, 62, 70)
BLINK: Color = (255, 183, 60)
SPEECH: Color = (72, 207, 190)
AXES: tuple[Color, Color, Color] = ((255, 92, 92), (104, 211, 110), (96, 160, 255))
"""Of x, y, z, and so of the turns about them: pitch, yaw, roll."""
INVALID: Color = (232, 88, 150)
MESH: Color = (235, 242, 250)

AXIS_LENGTH = 60.0
"""Length (mm) of the pose axes as drawn."""

NEAREST = 1.0
"""Points nearer to the camera than this (mm) have no image."""

_SHIFT = 4
_WEB_OPACITY = 0.3
_SMALL = 400
"""Pictures below this side (px) get a fainter web and plainer axes."""


# --- text ---------------------------------------------------------------------------------------


@functools.cache
def _load_font(size: int, bold: bool) -> Any:
    from PIL import ImageFont

    return ImageFont.truetype(str(list_fonts(bold)[0]), size)


@functools.lru_cache(maxsize=4096)
def _render_text(text: str, size: int, bold: bool) -> npt.NDArray[np.uint16]:
    """Coverage (height, width) of a line of text, 0 to 256; the baseline is where DejaVu's is."""
    from PIL import Image, ImageDraw

    font = _load_font(size, bold)
    ascent, descent = font.getmetrics()
    if is_plain(text):
        image = Image.new("L", (max(1, round(font.getlength(text))), ascent + descent))
        ImageDraw.Draw(image).text((0, 0), text, 255, font=font)
        mask = np.asarray(image, np.uint16)
    else:
        drawn, above = render_text(write_label(text), size, bold)
        spare = max(0, above - ascent, len(drawn) - above - descent)
        mask = np.zeros((ascent + descent + 2 * spare, drawn.shape[1]), np.uint16)
        top = spare + ascent - above
        mask[top : top + len(drawn)] = drawn
    return mask + (mask > 127)


def _measure_text(text: str, size: int, bold: bool) -> float:
    """Width of a line of text, px."""
    if is_plain(text):
        return float(_load_font(size, bold).getlength(text))
    return float(_render_text(text, size, bold).shape[1])


def draw_text(
    picture: Picture,
    text: str,
    place: tuple[int, int],
    *,
    size: int = 12,
    color: Color = TEXT,
    bold: bool = False,
    anchor: str = "left",
) -> None:
    """Write one line; `place` is its left, middle or right end (`anchor`), at mid-height."""
    mask = _render_text(text, size, bold)
    height, width = mask.shape
    x = place[0] - {"left": 0, "middle": width // 2, "right": width}[anchor]
    y = place[1] - height // 2
    left, top = max(0, -x), max(0, -y)
    area = picture[max(0, y) : y + height, max(0, x) : x + width]
    if area.size:
        cover = mask[top : top + area.shape[0], left : left + area.shape[1], None]
        area[:] = (area * (256 - cover) + np.array(color, np.uint16) * cover) >> 8


def format_number(value: float, digits: int = 0, *, sign: bool = False) -> str:
    """A number with a real minus, a plus where asked for, and neither at zero."""
    text = f"{round(value, digits) + 0.0:{'+' if sign else ''}.{digits}f}"
    return text.replace("-", "−") if float(text) else text.lstrip("+")


def fit_text(text: str, width: int, size: int = 12, bold: bool = False) -> str:
    """The text, its middle left out where it is wider than `width` px."""
    text = write_name(" ".join(text.split()))
    for keep in range(len(text), 0, -1):
        head = (keep + 1) // 2
        short = text if keep == len(text) else f"{text[:head]}…{text[len(text) - keep + head :]}"
        if _measure_text(short, size, bold) <= width:
            return short
    return ""


# --- shapes -------------------------------------------------------------------------------------


def fill_box(picture: Picture, box: Box, color: Color, opacity: float = 1.0) -> None:
    """Tint a box, clipped to the picture."""
    x0, y0, x1, y1 = box
    area = picture[max(0, y0) : max(0, y1), max(0, x0) : max(0, x1)]
    area[:] = area * (1 - opacity) + np.array(color) * opacity


def draw_lines(
    picture: Picture,
    lines: npt.NDArray[np.float64],
    color: Color,
    *,
    thickness: int = 1,
) -> None:
    """Draw lines (L, P, 2) of P points each, antialiased."""
    fixed = np.round((np.clip(lines, -1e5, 1e5) - 0.5) * (1 << _SHIFT)).astype(np.int32)
    cv2.polylines(picture, list(fixed), False, color, thickness, cv2.LINE_AA, _SHIFT)


# --- the face -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class MeshLines:
    """Pairs of mesh points (E, 2) to be joined: fine web, then what stands out, by colour.

    `irises` (2, 5) are the centre and the rim of each.
    """

    web: npt.NDArray[np.intp]
    features: tuple[tuple[npt.NDArray[np.intp], Color], ...]
    irises: npt.NDArray[np.intp]


@functools.cache
def load_mesh_lines() -> MeshLines:
    """Edges of MediaPipe's mesh as it publishes them, each once.

    Raises:
        SetupError: mediapipe cannot be loaded.
    """
    try:
        from mediapipe.python.solutions import face_mesh_connections as edges
    except ImportError as error:
        raise SetupError(
            f"mediapipe cannot be loaded: pip install mediapipe==0.10.21 ({error})"
        ) from error
    return MeshLines(
        _list_pairs(edges.FACEMESH_TESSELATION),
        (
            (_list_pairs(edges.FACEMESH_FACE_OVAL), MESH),
            (_list_pairs(edges.FACEMESH_LEFT_EYEBROW, edges.FACEMESH_RIGHT_EYEBROW), MESH),
            (_list_pairs(edges.FACEMESH_LIPS), SPEECH),
            (_list_pairs(edges.FACEMESH_LEFT_EYE, edges.FACEMESH_RIGHT_EYE), BLINK),
        ),
        np.arange(NUM_VERTICES, NUM_LANDMARKS).reshape(2, -1),
    )


def _list_pairs(*groups: frozenset[tuple[int, int]]) -> npt.NDArray[np.intp]:
    return np.array(sorted({(min(e), max(e)) for group in groups for e in group}), np.intp)


def draw_mesh(picture: Picture, points: npt.NDArray[np.float64], *, valid: bool = True) -> None:
    """Draw a face mesh: a faint web, and lips, eyes, brows and outline on it.

    Args:
        picture: to draw into.
        points: (478, 2) px.
        valid: False draws all of it in the colour of frames that were not measured.
    """
    mesh = load_mesh_lines()
    web = picture.copy()
    draw_lines(web, points[mesh.web], MESH if valid else INVALID)
    opacity = _WEB_OPACITY / (2 if len(picture) < _SMALL else 1)
    cv2.addWeighted(web, opacity, picture, 1 - opacity, 0, picture)
    for pairs, color in mesh.features:
        draw_lines(picture, points[pairs], color if valid else INVALID)
    for iris in points[mesh.irises]:
        _draw_iris(picture, iris, BLINK if valid else INVALID)


def _draw_iris(picture: Picture, iris: npt.NDArray[np.float64], color: Color) -> None:
    """A circle about the centre (row 0) of iris points (5, 2), as wide as its rim on average."""
    radius = np.hypot(*(iris[1:] - iris[0]).T).mean()
    turn = np.linspace(0, 2 * np.pi, 25)
    circle = iris[0] + radius * np.stack([np.cos(turn), np.sin(turn)], axis=-1)
    draw_lines(picture, circle[None], color)


def find_axes(
    pose: npt.NDArray[np.float64], intrinsics: Sequence[float]
) -> npt.NDArray[np.float64] | None:
    """Where the pose axes are seen: (4, 2) origin, x, y and −z ends; None where they are not.

    z points into the head (camera axes), so its negative half, out of the face, is the visible
    one.

    Args:
        pose: (6,) rad and mm.
        intrinsics: fx, fy, cx, cy in px.
    """
    ends = np.vstack([np.zeros(3), np.diag([AXIS_LENGTH, AXIS_LENGTH, -AXIS_LENGTH])])
    seen = np.isfinite(pose).all() and (transform(ends, pose)[:, 2] > NEAREST).all()
    return project(ends, pose, intrinsics) if seen else None


def draw_axes(picture: Picture, axes: npt.NDArray[np.float64]) -> None:
    """Draw pose axes (4, 2) px from `find_axes`: x red, y green, −z blue, each with its name."""
    origin = axes[0]
    small = len(picture) < _SMALL
    for name, end, color in zip(("x", "y", "−z"), axes[1:], AXES, strict=True):
        line = np.stack([origin, end])[None]
        if not small:
            draw_lines(picture, line, BACKGROUND, thickness=4)
        draw_lines(picture, line, color, thickness=2)
        length = float(np.hypot(*(end - origin)))
        away = end + (end - origin) / max(length, 1.0) * 10
        x, y = (round(float(v)) for v in np.clip(away, -1e5, 1e5))
        for shift, tone in ((1, BACKGROUND), (0, color)):
            place = x + shift, y + shift
            size = 10 if small else 13
            draw_text(picture, name, place, size=size, color=tone, bold=True, anchor="middle")
