"""Decode video: pictures upright with square pixels, each exactly once, at its time.

Decoding is in this process (PyAV, which is ffmpeg's libraries): a pipe from a process beside it
costs as much again as decoding. Times are seconds from the container's start; edit lists are
honoured because ffmpeg honours them.
"""

import contextlib
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from toolkit.errors import SourceError
from toolkit.media.filters import (
    Crop,
    Step,
    apply_filters,
    cut_crop,
    fit_picture,
    make_upright,
    read_plane,
)
from toolkit.media.picture_store import PictureStore
from toolkit.media.video import Streams, open_container
from toolkit.schema import Reason, VideoInfo

_MAX_RETURN = 1.0
"""Seconds by which presentation times may run backwards: more, and they began anew."""

_MAX_BEHIND = 8
"""Frames in a row that may be so; a damaged file has a few."""


@dataclass(frozen=True)
class Frame:
    """One decoded source frame.

    Attributes:
        time: presentation time, s from the container's start.
        picture: (height, width, 3) uint8 RGB.
    """

    time: float
    picture: npt.NDArray[np.uint8]


def read_frames(
    path: Path,
    info: VideoInfo,
    streams: Streams,
    *,
    size: tuple[int, int],
    crop: Crop | None = None,
    start: float | None = None,
    store: PictureStore | None = None,
) -> Generator[Frame, None, None]:
    """Decode the source's frames in presentation order, each exactly once.

    Args:
        path: the source.
        info: from `probe`.
        streams: from `probe`.
        size: (width, height) of the pictures yielded.
        crop: xyxy in source pixels, scaled to `size`; the border is replicated outside the picture.
        start: seek so that decoding begins at or before this time (s), for reading a stretch.
        store: where to keep source pictures as well.

    Raises:
        SourceError: `unreadable`, when no frame decodes, or times begin anew.
    """
    weave = [("bwdif", "mode=send_frame:deint=interlaced")] if info.interlaced else []
    fit = [*fit_picture(info, size, crop), _choose_pixels(crop)]
    with contextlib.closing(_decode(path, streams, start)) as decoded:
        frames = apply_filters(decoded, lambda frame: [*make_upright(frame), *weave])
        if store is not None:
            frames = store.keep(frames, info, streams.codec)
        step = 1 / info.fps if info.fps else 0.04
        fitted = apply_filters(frames, lambda _: fit)
        try:
            for time, frame in _time_frames(fitted, streams.start, step):
                yield Frame(time, _to_rgb(frame))
        except av.FFmpegError as error:
            text = f"ffmpeg cannot make a picture of it: {_word(error)}"
            raise SourceError(Reason.UNREADABLE, text) from error


def read_stored(
    store: PictureStore, first: int, info: VideoInfo, *, size: tuple[int, int], crop: Crop
) -> Generator[Frame, None, None]:
    """A source's frames from number `first` on, as `read_frames` gives them, from a store.

    Their `time` is their number.
    """
    steps = [*cut_crop(info, size, crop, store.region[:2]), _choose_pixels(crop)]
    for number, frame in enumerate(apply_filters(store.read(first), lambda _: steps), first):
        yield Frame(float(number), _to_rgb(frame))


def _choose_pixels(crop: Crop | None) -> Step:
    """Planar where the scaling is exact: packed pixels would then take three times as long."""
    return "format", "pix_fmts=" + ("gbrp" if crop else "rgb24")


def _decode(
    path: Path, streams: Streams, start: float | None
) -> Generator[av.VideoFrame, None, None]:
    """The video's frames as its decoder gives them, `pts` set to the best estimate."""
    failure, count = "no message", 0
    try:
        with open_container(path) as container:
            stream = container.streams[streams.video]
            stream.thread_type, stream.codec_context.thread_count = "NONE", 1
            if start is not None:
                container.seek(round((start + streams.start) * av.time_base))
            stamps = _Stamps()
            for packet in _demux(container, stream):
                try:
                    frames = stream.decode(packet)
                except av.FFmpegError as error:
                    failure = _word(error)
                    continue
                for frame in frames:
                    count += 1
                    frame.pts = stamps.choose(frame.pts, frame.dts)
                    frame.time_base = stream.time_base
                    yield frame
    except (av.FFmpegError, ValueError, OSError, IndexError) as error:
        failure = _word(error)
    if not count:
        raise SourceError(Reason.UNREADABLE, f"ffmpeg decoded no frame: {failure}")


def _demux(container: Any, stream: Any) -> Iterator[Any]:
    """The stream's packets, and None at the end, be it that of a file cut short."""
    with contextlib.suppress(av.FFmpegError):
        yield from (packet for packet in container.demux(stream) if packet.size)
    yield None


def _word(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)


class _Stamps:
    """Chooses between a frame's `pts` and `dts`, which of the two runs backwards less often.

    As libavcodec does for its `best_effort_timestamp` (decode.c), which PyAV does not give.
    """

    def __init__(self) -> None:
        self._last: dict[str, int | None] = {"pts": None, "dts": None}
        self._faults = {"pts": 0, "dts": 0}

    def choose(self, pts: int | None, dts: int | None) -> int | None:
        self._note("dts", dts, pts)
        self._note("pts", pts, dts)
        is_better = self._faults["pts"] <= self._faults["dts"] or dts is None
        return pts if pts is not None and is_better else dts

    def _note(self, name: str, value: int | None, other: int | None) -> None:
        last = self._last[name]
        if value is not None and last is not None:
            self._faults[name] += value <= last
        if value is not None or other is not None:
            self._last[name] = other if value is None else value


def _time_frames(
    frames: Iterable[av.VideoFrame], origin: float, step: float
) -> Iterator[tuple[float, av.VideoFrame]]:
    """Presentation times (s) that never run backwards; `step` s apart where there are none."""
    time, num_behind = -step, 0
    for frame in frames:
        given = (
            None if frame.pts is None or frame.time_base is None else frame.pts * frame.time_base
        )
        measured = time + step if given is None else float(given) - origin
        num_behind = num_behind + 1 if measured < time - _MAX_RETURN else 0
        if num_behind > _MAX_BEHIND:
            raise SourceError(
                Reason.UNREADABLE,
                f"presentation times begin anew after {time:.2f} s (recordings joined as they "
                "are?): ffmpeg -i it -c copy new.mkv mends that",
            )
        time = max(measured, time)
        yield time, frame


def _to_rgb(frame: av.VideoFrame) -> npt.NDArray[np.uint8]:
    """(height, width, 3) RGB of a frame in `rgb24` or `gbrp`, in its own memory where it can be."""
    if frame.format.name == "rgb24":
        rows = read_plane(frame, 0)[:, : 3 * frame.width]
        return np.ascontiguousarray(rows).reshape(frame.height, frame.width, 3)
    import cv2

    green, blue, red = (read_plane(frame, place)[:, : frame.width] for place in range(3))
    return np.asarray(cv2.merge([red, green, blue]), np.uint8)
