"""A clip as a video with traces beside the face, and as a contact sheet of single frames."""

import textwrap
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath

import numpy as np

from toolkit.features import OFF
from toolkit.media.encode import write_video
from toolkit.preview.clip import Floats, PreviewClip, load_clip
from toolkit.preview.draw import (
    AXES,
    BACKGROUND,
    BLINK,
    GRID,
    INVALID,
    MUTED,
    PANEL,
    SPEECH,
    TEXT,
    Color,
    Picture,
    draw_axes,
    draw_mesh,
    draw_text,
    fill_box,
    fit_text,
    format_number,
)
from toolkit.preview.traces import HEIGHT, WIDTH, Traces, name_symbol
from toolkit.storage import write_whole

SIDE = 512
"""Side (px) of the face picture."""

COLUMNS, ROWS = 6, 4
"""Frames of a contact sheet."""

_X, _RIGHT = SIDE + 18, WIDTH - 16
_NUM_SYMBOLS = 4
_NOTE_WIDTH, _NOTE_LINES = 40, 9
_CELL, _CAPTION, _GAP, _HEADER = 256, 44, 8, 60
_BORDER = 4

Progress = Callable[[int, int], None]
"""Told after each frame: frames done, frames in all."""


def render_clip(
    dataset: Path, clip_id: str, out: Path, *, progress: Progress | None = None
) -> Path:
    """Write a clip as MP4 with its sound, mesh, pose axes and running traces.

    Args:
        dataset: the dataset's folder.
        clip_id: a clip's id, or the beginning of it that no other clip has.
        out: video to write; a file of that name is replaced.
        progress: see `Progress`.

    Returns:
        `out`.

    Raises:
        ToolkitError: no such clip, a damaged shard, or ffmpeg or the disk fails.
    """
    clip = load_clip(dataset, clip_id)
    write_preview(clip, _report(draw_preview(clip), clip.num_frames, progress), out)
    return out


def write_preview(clip: PreviewClip, frames: Iterable[Picture], out: Path) -> None:
    """Write the pictures of `draw_preview` with the clip's sound, where it has one."""
    write_video(out, frames, fps=clip.fps, pcm=clip.pcm if len(clip.pcm) else None)


def render_sheet(dataset: Path, clip_id: str, out: Path) -> Path:
    """Write a contact sheet of a clip: frames at even distances with mesh, AU45 and pose, PNG.

    Arguments, result and errors as `render_clip`.
    """
    from PIL import Image

    sheet = draw_sheet(load_clip(dataset, clip_id))
    with write_whole(out) as temporary:
        Image.fromarray(sheet).save(temporary, format="PNG")
    return out


def draw_preview(clip: PreviewClip) -> Iterator[Picture]:
    """Every frame of a clip's video, see `draw_frame`."""
    traces = Traces(clip)
    base = _draw_base(clip)
    for t in range(clip.num_frames):
        yield draw_frame(clip, traces, base, t)


def _report(frames: Iterable[Picture], total: int, progress: Progress | None) -> Iterator[Picture]:
    for done, frame in enumerate(frames, 1):
        yield frame
        if progress:
            progress(done, total)


def draw_frame(clip: PreviewClip, traces: Traces, base: Picture, t: int) -> Picture:
    """Frame t of the video: (SIDE + HEIGHT, WIDTH, 3) uint8 RGB."""
    canvas = base.copy()
    canvas[:SIDE, :SIDE] = draw_face(clip, t, SIDE)
    _draw_values(canvas, clip, t)
    traces.draw(canvas[SIDE:], t)
    return canvas


def draw_face(clip: PreviewClip, t: int, side: int) -> Picture:
    """Frame t's picture (side, side, 3) with mesh and axes; framed where it was not measured."""
    picture = clip.read_picture(t, side)
    points = clip.scale_landmarks(t, side)
    if points is not None:
        draw_mesh(picture, points, valid=bool(clip.valid[t]))
    axes = clip.place_axes(t, side)
    if axes is not None:
        draw_axes(picture, axes)
    if not clip.valid[t]:
        inside = picture[_BORDER:-_BORDER, _BORDER:-_BORDER].copy()
        picture[:] = INVALID
        picture[_BORDER:-_BORDER, _BORDER:-_BORDER] = inside
    return picture


# --- beside the picture -------------------------------------------------------------------------


def _draw_base(clip: PreviewClip) -> Picture:
    """What stays the same from frame to frame."""
    canvas = np.full((SIDE + HEIGHT, WIDTH, 3), BACKGROUND, np.uint8)
    width = _RIGHT - _X
    draw_text(canvas, fit_text(clip.identity, width, 16, True), (_X, 26), size=16, bold=True)
    source = PurePosixPath(clip.source).name
    for y, text in ((50, source), (68, clip.name)):
        draw_text(canvas, fit_text(text, width, 11), (_X, y), size=11, color=MUTED)
    fill_box(canvas, (_X, 84, _RIGHT, 85), GRID)
    for number, (text, color) in enumerate(_describe_backends(clip)):
        y = SIDE - 14 - 16 * number
        draw_text(canvas, fit_text(text, width, 10), (_X, y), size=10, color=color)
    return canvas


def _describe_backends(clip: PreviewClip) -> list[tuple[str, Color]]:
    """What made each feature, and what there is to know about it; the last line first."""
    lines: list[tuple[str, Color]] = []
    for feature in ("landmarks", "pose", "au45", "deepspeech", "whisper"):
        made = clip.provenance.get(feature)
        if made is None and feature in OFF:
            continue
        text = "none" if made is None else f"{made.backend} {made.version}"
        lines.append((f"{feature}: {text}", MUTED))
        note = "" if made is None else made.note
        lines += [(line, TEXT) for line in textwrap.wrap(note, _NOTE_WIDTH)]
    return lines[_NOTE_LINES - 1 :: -1]


def _draw_values(canvas: Picture, clip: PreviewClip, t: int) -> None:
    draw_text(canvas, f"{t / clip.fps:.2f} s", (_X, 110), size=24, bold=True)
    total = f"of {clip.duration:.2f} s"
    draw_text(canvas, total, (_RIGHT, 114), color=MUTED, anchor="right")
    place = f"frame {t} of {clip.num_frames}"
    if clip.shard is not None:
        place += f", source frame {clip.start + t}"
    draw_text(canvas, place, (_X, 138), size=11, color=MUTED)
    blink = clip.find_blink(t)
    if not clip.valid[t]:
        _draw_badge(canvas, "not valid", INVALID)
    elif blink:
        milliseconds = round(1000 * (blink.offset + 1 - blink.onset) / clip.fps)
        _draw_badge(canvas, f"blink, {milliseconds} ms", BLINK)
    _draw_pose(canvas, clip, t)
    _draw_eyes(canvas, clip, t)
    _draw_symbols(canvas, clip, t)


def _draw_badge(canvas: Picture, text: str, color: Color) -> None:
    fill_box(canvas, (_X, 154, _RIGHT, 176), color)
    middle = (_X + _RIGHT) // 2, 165
    draw_text(canvas, text, middle, color=BACKGROUND, bold=True, anchor="middle")


def _draw_pose(canvas: Picture, clip: PreviewClip, t: int) -> None:
    if clip.pose is None:
        return
    for number, (text, color) in enumerate(zip(describe_turn(clip.pose[t]), AXES, strict=True)):
        draw_text(canvas, text, (_X, 200 + 18 * number), color=color)
    x, y, z = map(format_number, clip.pose[t, 3:].tolist())
    draw_text(canvas, f"x {x}, y {y}, z {z} mm", (_X, 254))


def describe_turn(pose: Floats) -> tuple[str, str, str]:
    """Pitch, yaw and roll of a pose (6,) in words, whole degrees; left and right are the head's."""
    words = (
        ("up", "down"),
        ("turned to own left", "turned to own right"),
        ("tilted to own right", "tilted to own left"),
    )
    pitch, yaw, roll = (
        f"{abs(round(degrees))}° {names[degrees > 0]}"
        for degrees, names in zip(np.degrees(pose[:3]).tolist(), words, strict=True)
    )
    return f"looks {pitch}", yaw, roll


def _draw_eyes(canvas: Picture, clip: PreviewClip, t: int) -> None:
    if clip.ear is not None:
        left, right = clip.ear[t]
        text = f"eye aspect: left {left:.2f}, right {right:.2f}"
        draw_text(canvas, text, (_X, 276), color=BLINK)


def _draw_symbols(canvas: Picture, clip: PreviewClip, t: int) -> None:
    """The likeliest symbols, as bars."""
    if clip.symbols is None:
        return
    row = clip.symbols[t]
    for number, symbol in enumerate(np.argsort(-row)[:_NUM_SYMBOLS].tolist()):
        y = 304 + 18 * number
        draw_text(canvas, name_symbol(symbol), (_X, y))
        left, right = _X + 52, _RIGHT - 40
        fill_box(canvas, (left, y - 5, right, y + 5), PANEL)
        fill_box(canvas, (left, y - 5, left + round((right - left) * row[symbol]), y + 5), SPEECH)
        draw_text(canvas, f"{row[symbol]:.2f}", (_RIGHT, y), color=MUTED, anchor="right")


# --- contact sheet ------------------------------------------------------------------------------


def choose_frames(num_frames: int, count: int) -> list[int]:
    """At most `count` different frames at even distances: the middles of equal stretches."""
    count = min(count, num_frames)
    return [(2 * k + 1) * num_frames // (2 * count) for k in range(count)]


def draw_sheet(clip: PreviewClip) -> Picture:
    """Contact sheet (height, width, 3) uint8 RGB, row by row."""
    frames = choose_frames(clip.num_frames, COLUMNS * ROWS)
    rows = -(-len(frames) // COLUMNS)
    width = COLUMNS * (_CELL + _GAP) + _GAP
    height = _HEADER + rows * (_CELL + _CAPTION + _GAP)
    sheet = np.full((height, width, 3), BACKGROUND, np.uint8)
    _draw_title(sheet, clip)
    for number, t in enumerate(frames):
        x = _GAP + number % COLUMNS * (_CELL + _GAP)
        y = _HEADER + number // COLUMNS * (_CELL + _CAPTION + _GAP)
        sheet[y : y + _CELL, x : x + _CELL] = draw_face(clip, t, _CELL)
        _draw_caption(sheet[y + _CELL : y + _CELL + _CAPTION, x : x + _CELL], clip, t)
    return sheet


def _draw_title(sheet: Picture, clip: PreviewClip) -> None:
    draw_text(sheet, fit_text(clip.identity, 500, 18, True), (_GAP, 20), size=18, bold=True)
    source = PurePosixPath(clip.source).name
    facts = f"{source} · {clip.name} · {clip.duration:.2f} s at {clip.fps} frames/s"
    if clip.au45 is not None:
        facts += f" · blinks: {len(clip.blinks)}"
    width = sheet.shape[1] - 2 * _GAP
    draw_text(sheet, fit_text(facts, width, 13), (_GAP, 44), size=13, color=MUTED)


def _draw_caption(area: Picture, clip: PreviewClip, t: int) -> None:
    area[:] = PANEL
    draw_text(area, f"{t / clip.fps:.2f} s", (8, 13), bold=True)
    if not clip.valid[t]:
        middle = _CELL // 2, 13
        draw_text(area, "not valid", middle, size=11, color=INVALID, anchor="middle")
    if clip.au45 is not None:
        text = f"AU45 {clip.au45[t]:.2f}"
        draw_text(area, text, (_CELL - 8, 13), color=BLINK, bold=True, anchor="right")
    if clip.pose is not None:
        turns = np.degrees(clip.pose[t, :3]).tolist()
        names = ("pitch", "yaw", "roll")
        for k, (name, turn) in enumerate(zip(names, turns, strict=True)):
            text = f"{name} {format_number(turn, sign=True)}°"
            draw_text(area, text, (8 + 84 * k, 32), size=11, color=AXES[k])
