"""Decode video: pictures upright with square pixels, each exactly once, at its time.

Decoding is in this process (PyAV, which is ffmpeg's libraries): a pipe from a process beside it
costs as much again as decoding. Times are seconds from the container's start; edit lists are
honoured because ffmpeg honours them.
"""

import contextlib
import itertools
import operator
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from toolkit.errors import SourceError
from toolkit.media.colors import Step, make_sdr, name_colors, tag_colors
from toolkit.media.explain import word_error
from toolkit.media.filters import (
    Crop,
    apply_filters,
    cut_crop,
    fit_picture,
    make_upright,
    read_look,
    read_plane,
)
from toolkit.media.picture_store import PictureStore
from toolkit.media.video import Streams, count_anew, measure_upright, open_container
from toolkit.schema import Reason, VideoInfo

_MAX_RETURN = 1.0
"""Seconds by which presentation times may run backwards: more, and they began anew."""

_MAX_BEHIND = 8
"""Frames in a row that may be so; a damaged file has a few."""


Size = tuple[int, int]

_APART = "give them one by one, or count their times anew: "
_ADVICE = {
    "mpegts": "ffmpeg -i it -c copy new.mkv mends that",
    "mov,mp4,m4a,3gp,3g2,mj2": f"{_APART}ffmpeg -i it -c copy it.mkv && {count_anew('it.mkv')}",
}
"""Container -> what to do about times that begin anew. ffmpeg expects these of broadcasts alone: in
a copy of another file all that follows stands at one instant. Frames of an MP4 that do not come in
order are not shown, unless they were copied before."""

_JOIN = 1
"""Packets between one that is called corrupt and the key frame of the next recording."""


@dataclass(frozen=True)
class Frame:
    """One decoded source frame.

    Attributes:
        time: presentation time, s from the container's start.
        picture: (height, width, 3) uint8 RGB.
        size: (width, height) of the source's upright, square-pixel picture at that time.
        damaged: decoding failed here or before, and no key frame came since.
    """

    time: float
    picture: npt.NDArray[np.uint8]
    size: Size = (0, 0)
    damaged: bool = False


def read_frames(
    path: Path,
    info: VideoInfo,
    streams: Streams,
    *,
    size: Size | Callable[[VideoInfo], Size],
    crop: Crop | None = None,
    start: float | None = None,
    store: PictureStore | None = None,
) -> Generator[Frame, None, None]:
    """Decode the source's frames in presentation order, each exactly once.

    Args:
        path: the source.
        info: from `probe`.
        streams: from `probe`.
        size: (width, height) of the pictures yielded; or what gives it for each part of the source
            whose picture has a size and shape of its own, from `info` with that size in it.
        crop: xyxy in source pixels, scaled to `size`; the border is replicated outside the picture.
            Pictures of another size than `info` says are scaled to that first.
        start: seek so that decoding begins at or before this time (s), for reading a stretch.
        store: where to keep source pictures as well; nothing is kept where their size changes.

    Raises:
        SourceError: `unreadable`, when no frame decodes, or times begin anew.
    """
    damages = _Damages()
    advice = _ADVICE.get(streams.container, _APART + count_anew())
    clock = _Clock(streams.start + streams.delay, 1 / info.fps if info.fps else 0.04, advice)
    with contextlib.closing(_decode(path, streams, start, damages)) as decoded:
        for (width, height), run in itertools.groupby(decoded, key=operator.itemgetter(1)):
            part = replace(info, width=width, height=height)
            frames = _straighten(frame for frame, _ in run)
            if store is not None and clock.has_begun:
                store.give_up()
            elif store is not None:
                frames = store.keep(frames, info, streams.codec)
            target = size(part) if callable(size) else size
            fitted = _fit(frames, part if crop is None else info, target, crop)
            try:
                for frame in fitted:
                    time, picture = clock.time(frame), _to_rgb(frame)
                    yield Frame(time, picture, (width, height), damages.include(frame))
            except av.FFmpegError as error:
                text = f"ffmpeg cannot make a picture of it: {word_error(error)}"
                raise SourceError(Reason.UNREADABLE, text) from error


def read_stored(
    store: PictureStore, first: int, info: VideoInfo, *, size: Size, crop: Crop
) -> Generator[Frame, None, None]:
    """A source's frames from number `first` on, as `read_frames` gives them, from a store.

    Their `time` is their number.
    """

    def make_steps(frame: av.VideoFrame) -> list[Step]:
        named = name_colors(frame)
        return [*cut_crop(info, size, crop, store.region[:2], named), _choose_pixels(crop)]

    for number, frame in enumerate(apply_filters(store.read(first), make_steps), first):
        yield Frame(float(number), _to_rgb(frame), (info.width, info.height))


def _straighten(frames: Iterable[av.VideoFrame]) -> Iterator[av.VideoFrame]:
    """Upright, SDR, and deinterlaced from the first frame on that is flagged interlaced."""
    weave: list[Step] = []

    def read_state(frame: av.VideoFrame) -> tuple[object, ...]:
        if frame.interlaced_frame and not weave:
            weave.append(("bwdif", "mode=send_frame:deint=interlaced"))
        return *read_look(frame), *weave

    def make_steps(frame: av.VideoFrame) -> list[Step]:
        return [*make_upright(frame), *weave, *make_sdr(frame)]

    return apply_filters(frames, make_steps, read_state)


def _fit(
    frames: Iterable[av.VideoFrame], info: VideoInfo, size: Size, crop: Crop | None
) -> Iterator[av.VideoFrame]:
    def make_steps(frame: av.VideoFrame) -> list[Step]:
        return [*fit_picture(frame, info, size, crop), _choose_pixels(crop)]

    return apply_filters(frames, make_steps)


def _choose_pixels(crop: Crop | None) -> Step:
    """Planar where the scaling is exact: packed pixels would then take three times as long."""
    return "format", "pix_fmts=" + ("gbrp" if crop else "rgb24")


def _decode(
    path: Path, streams: Streams, start: float | None, damages: "_Damages"
) -> Generator[tuple[av.VideoFrame, Size], None, None]:
    """The video's frames as its decoder gives them, `pts` set to the best estimate, and their size.

    The size is that of the picture when it is upright and has square pixels.
    """
    failure, count = "no message", 0
    try:
        with open_container(path) as container:
            stream = container.streams[streams.video]
            stream.thread_type, stream.codec_context.thread_count = "NONE", 1
            if start is not None:
                container.seek(round((start + streams.start) * av.time_base))
            stamps, sizes = _Stamps(), _Sizes(stream)
            for packet in _demux(container, stream):
                damages.note_packet(packet)
                try:
                    frames = stream.decode(packet)
                except av.FFmpegError as error:
                    failure = word_error(error)
                    damages.note_failure(packet)
                    continue
                for frame in frames:
                    count += 1
                    frame.pts = stamps.choose(frame.pts, frame.dts)
                    frame.time_base = stream.time_base
                    damages.note(frame)
                    tag_colors(frame)
                    yield frame, sizes.measure(frame)
    except (av.FFmpegError, ValueError, OSError, IndexError) as error:
        failure = word_error(error)
    if not count:
        raise SourceError(Reason.UNREADABLE, f"ffmpeg decoded no frame: {failure}")


def _demux(container: Any, stream: Any) -> Iterator[Any]:
    """The stream's packets, and None at the end, be it that of a file cut short."""
    with contextlib.suppress(av.FFmpegError):
        yield from (packet for packet in container.demux(stream) if packet.size)
    yield None


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


class _Sizes:
    """Measures pictures; the shape of pixels may change with the pictures' size or a key frame."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self._first: float | None = None  # the decoder's shape of pixels; a container's goes first
        self._look: tuple[object, ...] = ()
        self._ratio: float | None = None
        self._size: Size = (0, 0)

    def measure(self, frame: av.VideoFrame) -> Size:
        """(width, height) of the upright, square-pixel picture."""
        look = frame.width, frame.height
        ratio = float(self._stream.codec_context.sample_aspect_ratio or 0)
        if look != self._look or (ratio != self._ratio and frame.key_frame):
            self._first = ratio if self._first is None else self._first
            whole = float(self._stream.sample_aspect_ratio or 0)
            self._look, self._ratio = look, ratio
            self._size = measure_upright(frame, whole if ratio == self._first else ratio)
        return self._size


class _Damages:
    """Which frames may be damaged: from a failure of the decoder on to the next key frame."""

    def __init__(self) -> None:
        self._doubtful: list[Any] = []  # a corrupt packet, and those since
        self._since: int | None = None  # stamp of the last failure
        self._is_open = False
        self._times: set[Fraction] = set()

    def note_packet(self, packet: Any) -> None:
        """The next packet, None at the end.

        Of one that is called corrupt a part may be missing; where a key frame follows at once,
        two recordings were joined, most likely, and nothing is missing.
        """
        is_key = packet is not None and packet.is_keyframe
        is_decided = is_key or packet is None or len(self._doubtful) > _JOIN
        if self._doubtful and is_decided and not is_key:
            self.note_failure(self._doubtful[0])
        self._doubtful = [] if is_decided else self._doubtful
        if packet is not None and (self._doubtful or packet.is_corrupt):
            self._doubtful.append(packet)

    def note_failure(self, packet: Any) -> None:
        """A packet that does not decode; None at the end."""
        stamps = [] if packet is None else [s for s in (packet.pts, packet.dts) if s is not None]
        self._is_open, self._since = True, max(stamps, default=None)

    def note(self, frame: av.VideoFrame) -> None:
        """The next frame that was decoded, timed."""
        since, now = self._since, frame.pts
        if frame.is_corrupt:
            self._is_open, self._since = True, now
        elif frame.key_frame and (since is None or now is None or now > since):
            self._is_open = False
        if self._is_open and now is not None and frame.time_base is not None:
            self._times.add(now * frame.time_base)

    def include(self, frame: av.VideoFrame) -> bool:
        """Whether a frame that was noted, and filtered since, may be damaged."""
        if not self._times or frame.pts is None or frame.time_base is None:
            return False
        return frame.pts * frame.time_base in self._times


class _Clock:
    """Presentation times (s) that never run backwards; `step` s apart where there are none."""

    def __init__(self, origin: float, step: float, advice: str) -> None:
        self._origin, self._step, self._advice = origin, step, advice
        self._num_behind = 0
        self._last = -step
        self.has_begun = False

    def time(self, frame: av.VideoFrame) -> float:
        """Time of the next frame; SourceError where times begin anew."""
        measured = self._last + self._step
        if frame.pts is not None and frame.time_base is not None:
            measured = float(frame.pts * frame.time_base) - self._origin
        self.has_begun = True
        self._num_behind = self._num_behind + 1 if measured < self._last - _MAX_RETURN else 0
        if self._num_behind > _MAX_BEHIND:
            raise SourceError(
                Reason.UNREADABLE,
                f"presentation times begin anew after {self._last:.2f} s (recordings joined as "
                f"they are?): {self._advice}",
            )
        self._last = max(measured, self._last)
        return self._last


def _to_rgb(frame: av.VideoFrame) -> npt.NDArray[np.uint8]:
    """(height, width, 3) RGB of a frame in `rgb24` or `gbrp`, in its own memory where it can be."""
    if frame.format.name == "rgb24":
        rows = read_plane(frame, 0)[:, : 3 * frame.width]
        return np.ascontiguousarray(rows).reshape(frame.height, frame.width, 3)
    import cv2

    green, blue, red = (read_plane(frame, place)[:, : frame.width] for place in range(3))
    return np.asarray(cv2.merge([red, green, blue]), np.uint8)
