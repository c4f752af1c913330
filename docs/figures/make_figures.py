"""Draw the pictures of the documentation: `python docs/figures/make_figures.py demo`.

`demo` is the dataset that `make demo` makes. The axes and the clock are computed by the toolkit's
own functions, so that a wrong sign there is a wrong arrow here.
"""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure
from PIL import Image

from toolkit.clock import show_frames
from toolkit.dataset.manifest import read_table
from toolkit.dataset.shard import ShardReader
from toolkit.facemodel.camera import default_intrinsics, project
from toolkit.facemodel.model import load_default
from toolkit.features.blink import find_blinks
from toolkit.media.decode import read_frames
from toolkit.media.video import fit_size, probe
from toolkit.preview import render_clip

FOLDER = Path(__file__).parent
INK, MUTED, RED, GREEN, BLUE = "#222222", "#8a8a8a", "#c0392b", "#2e8b57", "#2d6db5"
DISTANCE, LENGTH, DEGREES = 600.0, 75.0, 25.0
WIDTH, HEIGHT = 640, 480
MAX_COLORS = 255

TURNS = (
    ("no rotation", (0, 0, 0), ""),
    ("+ pitch: looks down", (DEGREES, 0, 0), "Rx"),
    ("+ yaw: turns to the subject's right", (0, DEGREES, 0), "Ry"),
    ("+ roll: tilts to the subject's left", (0, 0, DEGREES), "Rz"),
)
"""Title, pitch, yaw, roll in degrees, matrix."""


def draw_axes() -> Figure:
    """The mean face in four poses, seen by the camera, with the head's own axes."""
    model, camera = load_default(), default_intrinsics(WIDTH, HEIGHT)
    points = model.mean_shape.astype(np.float64)
    origin = np.array([0.0, 0.0, -35.0])
    ends = origin + LENGTH * np.eye(3) * (1, 1, -1)
    figure = Figure(figsize=(10, 3.2), dpi=110)
    for axes, (title, angles, matrix) in zip(figure.subplots(1, 4), TURNS, strict=True):
        pose = np.array([*np.deg2rad(angles), 0, 0, DISTANCE])
        seen = project(points, pose, camera)
        axes.triplot(seen[:, 0], seen[:, 1], model.triangles, color=MUTED, linewidth=0.25)
        start, *tips = project(np.vstack([origin, ends]), pose, camera)
        for tip, name, color in zip(tips, ("x", "y", "−z"), (RED, GREEN, BLUE), strict=True):
            _draw_arrow(axes, start, tip, name, color)
        axes.set_title(title + (f"\n{matrix}({DEGREES:.0f}°)" if matrix else "\n"), fontsize=9)
        axes.set_xlim(WIDTH / 2 - 95, WIDTH / 2 + 95)
        axes.set_ylim(HEIGHT / 2 + 95, HEIGHT / 2 - 95)
        axes.set_aspect("equal")
        axes.axis("off")
    figure.text(
        0.5, 0.02, "As the camera sees it, not mirrored: the subject's right is on the left. "
        "x right, y down; z points away from the camera, so the nose points along −z.",
        ha="center", fontsize=8, color=INK,
    )  # fmt: skip
    figure.subplots_adjust(left=0.01, right=0.99, top=0.84, bottom=0.08, wspace=0.02)
    return figure


def _draw_arrow(axes: Any, start: Any, tip: Any, name: str, color: str) -> None:
    is_long = np.linalg.norm(tip - start) > 4
    if is_long:
        style = {"arrowstyle": "-|>", "color": color, "linewidth": 1.8, "shrinkA": 0, "shrinkB": 0}
        axes.annotate("", xy=tip, xytext=start, arrowprops=style)
    else:
        axes.plot(*start, "o", color=color, markersize=5)
    beyond = start + (tip - start) * 1.15 if is_long else start - (11.0, 8.0)
    shift = 11.0 if is_long and abs(tip[0] - start[0]) < 4 else 0.0
    axes.text(beyond[0] + shift, beyond[1], name, color=color, fontsize=9, ha="center", va="center")


def draw_clock() -> Figure:
    """Which source frame each clock frame shows, for a source of 24 frames a second."""
    fps, source_fps, count = 30, 24, 11
    times = np.arange(9) / source_fps
    shown = show_frames(times, 0, count, fps)
    figure = Figure(figsize=(10, 1.9), dpi=110)
    axes = figure.subplots()
    for index, time in enumerate(times):
        axes.add_patch(_box(time, 1.0, 1 / source_fps, BLUE))
        axes.text(time + 0.5 / source_fps, 1.3, str(index), ha="center", va="center", fontsize=8)
    for frame, index in enumerate(shown.tolist()):
        repeated = frame > 0 and shown[frame - 1] == index
        axes.add_patch(_box(frame / fps, 0.0, 1 / fps, RED if repeated else GREEN))
        label = f"{frame} → {index}"
        axes.text((frame + 0.5) / fps, 0.3, label, ha="center", va="center", fontsize=7)
    axes.set_xlim(-0.001, len(times) / source_fps + 0.001)
    axes.set_ylim(-0.1, 1.7)
    axes.set_yticks([0.3, 1.3], ["clock frame →\nsource frame, 30/s", "source frame, 24/s"])
    axes.set_xlabel("s from the container's start; red: the source frame before is shown again")
    axes.tick_params(labelsize=8, length=0)
    axes.xaxis.label.set_fontsize(8)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    figure.tight_layout()
    return figure


def _box(x: float, y: float, width: float, color: str) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((x, y), width, 0.6, facecolor=color, alpha=0.25, edgecolor=INK, linewidth=0.6)


def draw_crop(dataset: Path) -> Figure:
    """A sample's first frame with the boxes of all its meshes, their union and the crop."""
    from matplotlib.patches import Rectangle

    reader, index, source = _find_clip(dataset)
    info, streams = probe(source)
    frames = read_frames(source, info, streams, size=fit_size(info))
    picture = next(frames).picture.copy()
    frames.close()
    x0, y0, x1, y1 = reader.clips[index].crop
    scale = (x1 - x0) / reader.frame_size
    points = reader.read("face/landmarks", index)[:, :, :2] * scale + (x0, y0)
    low, high = points.min(axis=1), points.max(axis=1)
    figure = Figure(figsize=(4.6, 4.4), dpi=100)
    axes = figure.subplots()
    axes.imshow(picture)
    for a, b in zip(low[::10], high[::10], strict=True):
        axes.add_patch(Rectangle(a, *(b - a), fill=False, color="white", alpha=0.35, linewidth=0.5))
    union = low.min(axis=0), high.max(axis=0)
    box: dict[str, Any] = {"fill": False, "linewidth": 1.8}
    axes.add_patch(Rectangle(union[0], *(union[1] - union[0]), color="#ffd447", **box))
    axes.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, color="#5fd38d", **box))
    axes.plot(*(union[0] + union[1]) / 2, "+", color="#ffd447", markersize=10)
    axes.plot((x0 + x1) / 2, (y0 + y1) / 2, "+", color="#5fd38d", markersize=10)
    axes.set_xlim(min(0, x0) - 6, max(info.width, x1) + 6)
    axes.set_ylim(max(info.height, y1) + 6, min(0, y0) - 6)
    axes.set_facecolor("#dddddd")
    axes.set_xlabel("x, source px", fontsize=8)
    axes.set_ylabel("y, source px", fontsize=8)
    axes.tick_params(labelsize=8)
    axes.set_title("white: mesh boxes; yellow: their union; green: the crop", fontsize=9)
    figure.tight_layout()
    return figure


def draw_blinks(dataset: Path) -> Figure:
    """A sample's AU45 with the blinks found in it."""
    reader, index, _ = _find_clip(dataset)
    au45 = reader.read("face/au45", index)
    blinks = find_blinks(au45, reader.fps)
    figure = Figure(figsize=(10, 2.4), dpi=100)
    axes = figure.subplots()
    axes.plot(np.arange(len(au45)), au45, color=INK, linewidth=1)
    for blink in blinks:
        axes.axvspan(blink.onset - 0.5, blink.offset + 0.5, color=BLUE, alpha=0.2, linewidth=0)
        axes.plot(blink.apex, au45[blink.apex], "v", color=RED, markersize=5)
        half = au45[blink.onset : blink.offset + 1].max() / 2
        axes.plot([blink.onset - 0.5, blink.offset + 0.5], [half, half], color=RED, linewidth=1)
    axes.set_xlim(0, len(au45))
    axes.set_ylim(0, 5)
    axes.set_xlabel("frame (30 a second)", fontsize=8)
    axes.set_ylabel("AU45", fontsize=8)
    axes.tick_params(labelsize=8)
    title = (
        "blue: onset to offset, at or over half the peak (red line); "
        "triangle: apex, the middle frame at or over 0.8 of it"
    )
    axes.set_title(title, fontsize=9)
    figure.tight_layout()
    return figure


def draw_show(dataset: Path) -> npt.NDArray[np.uint8]:
    """A frame near a blink of the video that `ttk show` makes: (height, width, 3) uint8."""
    row = _choose_row(dataset)
    with tempfile.TemporaryDirectory() as folder:
        video = render_clip(dataset, row["clip_id"], Path(folder) / "show.mp4")
        info, streams = probe(video)
        wanted = float(row["blink_onsets"][-1]) + 1 / row["fps"]
        for frame in read_frames(video, info, streams, size=(info.width, info.height)):
            if frame.time >= wanted:
                return frame.picture.copy()
    raise ValueError(f"{dataset}: the last blink lies after the clip")


def _choose_row(dataset: Path) -> Any:
    """The sample with most blinks, the first of those."""
    clips = read_table(dataset, "clips").sort_values("source", kind="stable")
    return clips.iloc[int(clips["num_blinks"].to_numpy().argmax())]


def _find_clip(dataset: Path) -> tuple[ShardReader, int, Path]:
    row = _choose_row(dataset)
    return ShardReader(dataset / row["shard"]), int(row["index"]), dataset / row["source"]


def save_picture(picture: npt.NDArray[np.uint8], path: Path) -> None:
    """Write a PNG of at most 255 colours, which is a third of the size."""
    Image.fromarray(picture).quantize(MAX_COLORS).save(path, optimize=True)


def main(dataset: Path) -> None:
    """Draw every picture anew."""
    figures: dict[str, Callable[[], Figure]] = {
        "axes": draw_axes,
        "clock": draw_clock,
        "crop": lambda: draw_crop(dataset),
        "blinks": lambda: draw_blinks(dataset),
    }
    for name, draw in figures.items():
        draw().savefig(FOLDER / f"{name}.png", metadata={"Software": None})
    save_picture(draw_show(dataset), FOLDER / "show.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
