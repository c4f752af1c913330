"""Figures: errors along a window and over a picture, traces of heads and mouths, sheets."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from PIL import Image

from toolkit.facemodel.camera import default_intrinsics, project
from toolkit.facemodel.model import combine, load_default
from toolkit.preview.draw import BACKGROUND, draw_text
from toolkit.storage import write_whole
from zoo.data import EXPRESSION, POSE
from zoo.metrics.head import draw_trace_map
from zoo.metrics.pictures import Picture

FORMATS = (".png", ".pdf", ".svg", ".jpg")
"""Endings of a figure's name, which decide its format."""

EVERY = 6
"""Frames between two faces of a trace map."""

TRACE_SIDE, _MARGIN = 512, 8
"""Side of a trace map, and the white around it, px."""


def draw_positions(errors: Mapping[str, Sequence[float]], target: Path) -> None:
    """Expression error at each frame of a window, one line per method."""
    figure = Figure(figsize=(7, 3.2), dpi=110, layout="constrained")
    axes = figure.subplots()
    for name, values in errors.items():
        axes.plot(values, label=name, linewidth=1.2)
    axes.set_xlabel("frame of the window")
    axes.set_ylabel("expression error, sd")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    _save(figure, target)


def draw_traces(motions: Mapping[str, npt.NDArray[np.float32]], target: Path) -> None:
    """Trace maps of the mean face at every sixth frame of motions (n, 71), side by side.

    All are seen by one camera and in one scale (`zoo.metrics.head.draw_trace_map`).
    """
    faces = {name: _see(motion[::EVERY]) for name, motion in motions.items()}
    every = np.concatenate(list(faces.values())).reshape(-1, 2)
    middle = (every.min(axis=0) + every.max(axis=0)) / 2
    scale = (TRACE_SIDE - 2 * _MARGIN) / np.ptp(every, axis=0).max()
    figure = Figure(figsize=(2.6 * len(motions), 3), dpi=110, layout="constrained")
    row = figure.subplots(1, len(motions), squeeze=False)[0]
    for axes, (name, points) in zip(row, faces.items(), strict=True):
        placed = (points - middle) * scale + TRACE_SIDE / 2
        axes.imshow(draw_trace_map(placed, TRACE_SIDE))
        axes.set_title(name, fontsize=9)
        axes.set_axis_off()
    _save(figure, target)


def draw_errors(errors: Mapping[str, npt.NDArray[np.float64]], target: Path) -> None:
    """Maps (H, H) of mean absolute errors, levels of 255, side by side in one scale.

    Means over blocks of 8 × 8 px, too coarse to recognise a person.
    """
    errors = {name: average_blocks(error) for name, error in errors.items()}
    figure = Figure(figsize=(2.4 * len(errors) + 0.8, 3), dpi=100, layout="constrained")
    row = figure.subplots(1, len(errors), squeeze=False)[0]
    most = max(float(error.max()) for error in errors.values())
    for axes, (name, error) in zip(row, errors.items(), strict=True):
        shown = axes.imshow(error, cmap="inferno", vmin=0, vmax=most, interpolation="nearest")
        axes.set_title(f"{name}\nmean {error.mean():.1f}", fontsize=8)
        axes.set_axis_off()
    figure.colorbar(shown, ax=row.tolist(), label="levels of 255")
    _save(figure, target)


def draw_curves(
    series: Mapping[str, Mapping[str, tuple[Sequence[float], Sequence[float]]]],
    across: str,
    target: Path,
) -> None:
    """Panels side by side: figure -> name of a line -> its places and values; from 0 upwards."""
    figure = Figure(figsize=(4.4 * len(series), 3.2), dpi=110, layout="constrained")
    row = figure.subplots(1, len(series), squeeze=False)[0]
    for axes, (what, lines) in zip(row, series.items(), strict=True):
        for name, (places, values) in lines.items():
            axes.plot(places, values, label=name, linewidth=1.2, marker=".")
        axes.set_xlabel(across)
        axes.set_ylabel(what)
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    _save(figure, target)


def average_blocks(picture: npt.NDArray[np.float64], side: int = 8) -> npt.NDArray[np.float64]:
    """Means over square blocks of a picture (H, H); what fills no block is left out."""
    number = len(picture) // side
    whole = picture[: number * side, : number * side]
    return np.asarray(whole.reshape(number, side, number, side).mean(axis=(1, 3)))


def draw_mouths(mouths: Mapping[str, npt.NDArray[np.float64]], fps: int, target: Path) -> None:
    """Series (n,) over time below one another, each in its own unit; NaN where nothing is known."""
    figure = Figure(figsize=(9, 1.3 * len(mouths) + 0.4), dpi=100, layout="constrained")
    column = figure.subplots(len(mouths), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (name, values) in zip(column, mouths.items(), strict=True):
        axes.plot(np.arange(len(values)) / fps, values, linewidth=1)
        axes.set_title(name, fontsize=9, loc="left")
        axes.grid(alpha=0.3)
        axes.tick_params(labelsize=8)
    column[-1].set_xlabel("s")
    _save(figure, target)


# --- sheets -------------------------------------------------------------------------------------

SIDE, TITLE = 128, 22
"""Of a sheet: side of its pictures and height of a row's title, px."""

COLORS = 256
"""Of its palette, so that the file is small."""


def pick(pictures: Iterable[Picture], frames: Sequence[int]) -> list[Picture]:
    """Pictures number `frames`, ascending; those behind the last are not asked for."""
    last = itertools.islice(enumerate(pictures), frames[-1] + 1)
    return [picture for t, picture in last if t in frames]


def cut_part(
    picture: Picture, mesh: npt.ArrayLike, points: Sequence[int], wide: float, shape: float = 0.5
) -> Picture:
    """The part of a picture (H, W, 3) around some points of a mesh (478, 2 or 3) px.

    Beyond the picture its border goes on.

    Args:
        picture: that is cut.
        mesh: of the face in it.
        points: whose box's middle is the part's.
        wide: width of the part over that of the box.
        shape: height over width.
    """
    box = np.asarray(mesh, np.float64)[list(points), :2]
    width, (x, y) = wide * float(np.ptp(box[:, 0])), (box.min(axis=0) + box.max(axis=0)) / 2
    size = max(2, round(width)), max(2, round(shape * width))
    return np.asarray(cv2.getRectSubPix(picture, size, (float(x), float(y))), np.uint8)


def write_sheet(rows: Mapping[str, Sequence[Picture]], target: Path, side: int = SIDE) -> None:
    """Rows of pictures (H, W, 3) uint8 under their titles, as a PNG of few colours.

    Each is scaled to a width of `side` px, and a row to the height that its first one has then.
    """
    heights = [round(side * len(pictures[0]) / pictures[0].shape[1]) for pictures in rows.values()]
    width = max(map(len, rows.values())) * side
    sheet = np.full((sum(heights) + len(rows) * TITLE, width, 3), BACKGROUND, np.uint8)
    top = 0
    for (title, pictures), height in zip(rows.items(), heights, strict=True):
        draw_text(sheet, title, (6, top + TITLE // 2), bold=True)
        top += TITLE
        for x, picture in enumerate(pictures):
            size = side, height
            small = Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS)
            sheet[top : top + height, x * side : (x + 1) * side] = np.asarray(small)
        top += height
    target.parent.mkdir(parents=True, exist_ok=True)
    with write_whole(target) as temporary:
        Image.fromarray(sheet).quantize(COLORS).save(temporary, format="PNG", optimize=True)


def _see(motion: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """(m, 68, 2) pixels of the mean face's 68 points under motion (m, 71)."""
    model = load_default()
    moved = combine(model.expression[model.keypoints], motion[:, EXPRESSION])
    points = model.mean_shape[model.keypoints] + moved
    return project(points, motion[:, POSE], default_intrinsics(512, 512))


def _save(figure: Figure, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with write_whole(target) as temporary:
        figure.savefig(temporary, format=target.suffix[1:])
