"""The filters that make a picture upright, square, cropped and scaled: ffmpeg's, as a graph.

Every conversion names the matrix and the range that it reads, and those that it makes where it does
not make RGB: what ffmpeg hands from filter to filter by itself differs between its versions.
"""

import contextlib
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import av
import av.filter
import numpy as np
import numpy.typing as npt

from toolkit.media.colors import Step, name_colors
from toolkit.schema import VideoInfo

Crop = tuple[int, int, int, int]

COLORS = "colorspace", "color_range", "color_trc", "color_primaries"
"""A frame's attributes that say what its numbers mean as colour."""

_EXACT = "area+accurate_rnd+full_chroma_int"
"""How stored crops are scaled: `area` alone rounds chroma down, two levels of red and blue."""


def read_look(frame: av.VideoFrame) -> tuple[object, ...]:
    """What frames that go through the same filters have in common.

    Pixel format, size, unit of time, and what its numbers mean as colour. Not the display matrix,
    which a file has once: a frame whose side data is looked at (PyAV 18.1) is in a cycle with it,
    and keeps its memory until the garbage collector comes by.
    """
    colors = tuple(int(getattr(frame, name)) for name in COLORS)
    shape = frame.format.name, frame.width, frame.height, frame.time_base
    return *shape, *colors


def apply_filters(
    frames: Iterable[av.VideoFrame],
    make_steps: Callable[[av.VideoFrame], list[Step]],
    read_state: Callable[[av.VideoFrame], tuple[object, ...]] = read_look,
) -> Iterator[av.VideoFrame]:
    """Frames through a row of filters, which is set up anew where the frames' state changes."""
    graph, state, steps = None, None, list[Step]()
    for frame in frames:
        if (now := read_state(frame)) != state:
            yield from drain(graph)
            state, steps = now, make_steps(frame)
            graph = _open_graph(frame, steps) if steps else None
        if graph is None:
            yield frame
        else:
            graph.vpush(frame)
            yield from pull(graph)
    yield from drain(graph)


def drain(graph: Any) -> Iterator[Any]:
    """The frames that a filter graph still holds when no more come; none of no graph."""
    if graph is not None:
        graph.push(None)
        yield from pull(graph)


def pull(graph: Any) -> Iterator[Any]:
    """The frames, pictures or sound, that a filter graph has ready."""
    with contextlib.suppress(av.BlockingIOError, av.EOFError):
        while True:
            yield graph.pull()


def read_plane(frame: av.VideoFrame, place: int) -> npt.NDArray[np.uint8]:
    """The rows of a frame's plane from the top down, padding included: (rows, bytes).

    Where they lie in memory from the bottom up, as `vflip` leaves them, the line size is negative.
    """
    plane: Any = frame.planes[place]
    size: int = plane.line_size
    rows: npt.NDArray[np.uint8] = np.frombuffer(plane, np.uint8).reshape(-1, abs(size))
    return rows if size > 0 else rows[::-1]


def _open_graph(frame: av.VideoFrame, steps: list[Step]) -> Any:
    graph = av.filter.Graph()
    graph.threads = 1
    source = (
        f"video_size={frame.width}x{frame.height}:pix_fmt={frame.format.name}"
        f":time_base={frame.time_base}:colorspace={int(frame.colorspace)}"
        f":range={int(frame.color_range)}"
    )
    nodes = [graph.add("buffer", source), *(graph.add(*step) for step in steps)]
    graph.link_nodes(*nodes, graph.add("buffersink")).configure()
    return graph


def _read_display_matrix(frame: av.VideoFrame) -> tuple[int, ...]:
    """Nine integers of a display matrix, row by row; none where the frame has none."""
    data: Any = frame.side_data.get("DISPLAYMATRIX")
    return () if data is None else tuple(np.frombuffer(data, np.int32).tolist())


def make_upright(frame: av.VideoFrame) -> list[Step]:
    """Turn and mirror a picture as its display matrix says, and as ffmpeg does."""
    matrix = _read_display_matrix(frame)
    if not matrix:
        return []
    degrees = read_rotation(frame)
    if degrees == 90:
        return [("transpose", "dir=cclock_flip" if matrix[3] > 0 else "dir=clock")]
    if degrees == 270:
        return [("transpose", "dir=clock_flip" if matrix[3] < 0 else "dir=cclock")]
    if degrees == 180:
        return [("hflip", "")] * (matrix[0] < 0) + [("vflip", "")] * (matrix[4] < 0)
    if degrees:
        return [("rotate", f"angle={math.radians(degrees)}")]
    return [("vflip", "")] * (matrix[4] < 0)


def read_rotation(frame: av.VideoFrame) -> int:
    """Degrees clockwise, 0 to 359, by which a picture is to be turned."""
    matrix = _read_display_matrix(frame)
    if not matrix:
        return 0
    across, down = math.hypot(matrix[0], matrix[3]), math.hypot(matrix[1], matrix[4])
    if not across or not down:
        return 0
    return round(math.degrees(math.atan2(matrix[1] / down, matrix[0] / across))) % 360


def fit_picture(
    frame: av.VideoFrame, info: VideoInfo, size: tuple[int, int], crop: Crop | None
) -> list[Step]:
    """From a tagged frame: square pixels, then the crop, then the size; `area` where it shrinks."""
    if crop is None:
        return [_scale(size, "area", name_colors(frame))]
    is_even = not any(value % 2 for value in (*crop, *_find_margins(info, crop)))
    square = _scale((info.width, info.height), "area", name_colors(frame, keep=is_even))
    if not is_even:
        return [square, ("format", "pix_fmts=rgb24"), *cut_crop(info, size, crop)]
    named = name_colors(frame)
    return [square, ("format", "pix_fmts=yuv420p"), *cut_crop(info, size, crop, named=named)]


def cut_crop(
    info: VideoInfo,
    size: tuple[int, int],
    crop: Crop,
    origin: tuple[int, int] = (0, 0),
    named: str = "",
) -> list[Step]:
    """The crop of a source's picture, of which the part that begins at `origin` is given.

    `named`: from `name_colors`, where the picture is not RGB.
    """
    x0, y0, x1, y1 = crop
    left, top, right, bottom = _find_margins(info, crop)
    inner = (x1 - x0 - left - right, y1 - y0 - top - bottom)
    steps = [_crop(*inner, x0 + left - origin[0], y0 + top - origin[1])]
    if left or top or right or bottom:
        steps += _smear(*inner, left, top, right, bottom)
    return [*steps, _scale(size, _EXACT, named)]


def _find_margins(info: VideoInfo, crop: Crop) -> Crop:
    """How far the crop leaves the picture on the left, top, right and bottom, px."""
    x0, y0, x1, y1 = crop
    return max(0, -x0), max(0, -y0), max(0, x1 - info.width), max(0, y1 - info.height)


def _smear(width: int, height: int, left: int, top: int, right: int, bottom: int) -> list[Step]:
    """Replicate the border of a picture of the given size by so many pixels.

    As wide on both sides and then cut, because fillborders refuses over half the picture.
    """
    x, y = max(left, right), max(top, bottom)
    return [
        ("pad", f"w={width + 2 * x}:h={height + 2 * y}:x={x}:y={y}"),
        ("fillborders", f"left={x}:right={x}:top={y}:bottom={y}:mode=smear"),
        _crop(width + left + right, height + top + bottom, x - left, y - top),
    ]


def _crop(width: int, height: int, x: int, y: int) -> Step:
    return "crop", f"w={width}:h={height}:x={x}:y={y}:exact=1"


def _scale(size: tuple[int, int], flags: str, named: str) -> Step:
    return "scale", f"w={size[0]}:h={size[1]}:flags={flags}{named}"
