"""Decode one sound stream: every frame that decodes, whatever stands between.

One reader for videos and recordings. What does not decode is skipped and counted; a stream may
change its channels, rate or sample format wherever it likes.
"""

import contextlib
import errno
import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import av
import av.filter
import numpy as np
import numpy.typing as npt

from toolkit.clock import SAMPLE_RATE
from toolkit.media.filters import drain, pull

Samples = npt.NDArray[np.int16]

MAX_SLIP = 0.02
"""Seconds by which sound may stand beside its timestamp before it is moved there."""

CANCELLED = 0.1
"""Share of the louder channel's energy that mixing leaves of stereo whose channels cancel out.

A quarter is left of a channel that is alone, a half of two that have nothing in common; a tenth
means a correlation of −0.8, codecs having spoilt the −1 of inverted phase.
"""

_MIN_GAP = 0.1
"""Seconds of a jump of timestamps that is a loss and not a container's rounding."""

_MAX_SILENCE = 60.0
"""Seconds of silence that a jump of timestamps may ask for without a look at the picture's end."""

_FULL_SCALE = {"uint8": 2.0**7, "int16": 2.0**15, "int32": 2.0**31, "int64": 2.0**63}

_FLOATS = {"flt", "fltp", "dbl", "dblp"}
"""ffmpeg's sample formats that can hold NaN."""

_STORED = ("pcm_f", "wavpack")
"""Beginnings of the codecs that store floats as they are given, NaN among them."""

_EVERY = 8
"""One frame in so many is measured: enough to know whether two channels cancel out."""

_BATCH = 16
"""Frames that filters take before they are asked for more: asking in vain is slow."""

Step = tuple[str, str]
"""A filter's name and its arguments."""


@dataclass
class Heard:
    """What a pass over a stream met.

    Attributes:
        num_samples: given.
        num_bad: packets that do not decode.
        failure: ffmpeg's word for the first of them.
        lost: s that such packets, and jumps of timestamps, leave out.
        num_astray: frames left out because they stand behind the picture's end, far from the rest.
        left: energy of stereo's left channel, where it was measured: full scale squared times s.
        right: of the right one.
        product: of the two, the same way.
    """

    num_samples: int = 0
    num_bad: int = 0
    failure: str = ""
    lost: float = 0.0
    num_astray: int = 0
    left: float = 0.0
    right: float = 0.0
    product: float = 0.0

    def describe_lost(self) -> str:
        """How much cannot be read, and why; "" where everything is there."""
        texts = []
        if self.num_bad or self.lost:
            bad = f"{self.num_bad} packets do not decode: {self.failure}"
            why = bad if self.num_bad else "it is missing in the file"
            texts.append(f"{self.lost:.2f} s of sound cannot be read ({why})")
        if self.num_astray:
            text = "packets of sound are stamped far behind the picture's end: they are left out"
            texts.append(f"{self.num_astray} {text}")
        return "; ".join(texts)

    def find_cancelled(self) -> int | None:
        """The louder channel of stereo (0 left, 1 right) that mixing cancels; None elsewhere."""
        mixed = (self.left + self.right + 2 * self.product) / 4
        is_cancelled = mixed < CANCELLED * max(self.left, self.right)
        return int(self.right > self.left) if is_cancelled else None


def decode_sound(
    container: Any,
    stream: Any,
    heard: Heard,
    *,
    origin: float | None = None,
    find_end: Callable[[], float] = lambda: math.inf,
    channel: int | None = None,
    rate: int = SAMPLE_RATE,
    layout: str = "mono",
) -> Iterator[Samples]:
    """Blocks (n,) of the stream's sound, none of them empty; stereo left, right, left, right.

    Args:
        container: open, at its start.
        stream: of sound.
        heard: filled in meanwhile.
        origin: time (s) on the container's clock of sample 0: gaps become silence and what lies
            before is left out. None: no timestamp is looked at.
        find_end: when the picture ends, s from the origin; asked where long silence would be made.
        channel: the one to hear; None mixes all of them.
        rate: samples a second to give.
        layout: channels to give, as ffmpeg calls them.

    Raises:
        ValueError: samples are no numbers.
        av.FFmpegError: the system refuses, for want of memory for example.
    """
    stream.thread_type, stream.codec_context.thread_count = "NONE", 1
    steps = _trim_padding(container, stream)
    if origin is not None:
        steps.append(("asetpts", f"PTS-({origin:.6f})/TB"))
    steps.append(("aformat", f"sample_fmts=s16:channel_layouts={layout}:sample_rates={rate}"))
    one = [] if channel is None else [("pan", f"mono|c0=c{channel}")]
    frames = _convert(
        _decode_frames(container, stream, heard, _Silence(stream, origin, find_end)),
        lambda frame: [*one, *steps] if frame.layout.nb_channels == 2 else steps,
    )
    for frame in frames if origin is None else _place(frames):
        block: Samples = frame.to_ndarray().reshape(-1)  # type: ignore[assignment]
        if len(block):
            heard.num_samples += len(block)
            yield block


def _trim_padding(container: Any, stream: Any) -> list[Step]:
    """Cut off what an encoder adds to fill its last frame, where only the container says so.

    An MP4's edit list does; libavformat applies its end to sound from version 63 on.
    """
    if "mp4" not in container.format.name or not stream.duration:
        return []
    return [("atrim", f"end_pts={(stream.start_time or 0) + stream.duration}")]


class _Silence:
    """How much silence a track's timestamps ask for: a wrong one may ask for years of it."""

    def __init__(self, stream: Any, origin: float | None, find_end: Callable[[], float]) -> None:
        self._unit, self._origin = float(stream.time_base), origin
        self._find_end, self._end = find_end, -math.inf
        self._seconds = 0.0  # of sound so far

    def excludes(self, pts: int, seconds: float) -> bool:
        """Whether the next frame stands behind the picture's end and far from the others."""
        if self._origin is None:
            return False
        time = pts * self._unit - self._origin
        if time > self._seconds + _MAX_SILENCE:
            self._end = self._find_end() if self._end < 0 else self._end
            if time > self._end:
                return True
        self._seconds += seconds
        return False


def _decode_frames(
    container: Any, stream: Any, heard: Heard, silence: _Silence
) -> Iterator[av.AudioFrame]:
    """Frames that decode, each with a timestamp."""
    end: int | None = None
    counter = itertools.count()
    stores_floats = stream.codec_context.name.startswith(_STORED)
    for packet in _demux(container, stream):
        try:
            frames = stream.decode(packet)
        except av.FFmpegError as error:
            if error.errno == errno.ENOMEM:
                raise MemoryError(str(error)) from error
            heard.num_bad += 1
            heard.failure = heard.failure or str(error.strerror)
            if packet and packet.duration:
                heard.lost += float(packet.duration * stream.time_base)
                end = None if end is None else end + packet.duration
            continue
        for frame in frames:
            if stores_floats and frame.format.name in _FLOATS:
                _refuse_nan(frame)
            if next(counter) % _EVERY == 0 and frame.layout.nb_channels == 2:
                _measure(frame, heard)
            frame.pts = (end or 0) if frame.pts is None else frame.pts
            if silence.excludes(frame.pts, frame.samples / frame.sample_rate):
                heard.num_astray += 1
                continue
            gap = 0.0 if end is None else float((frame.pts - end) * stream.time_base)
            heard.lost += gap if gap > _MIN_GAP else 0.0
            end = frame.pts + round(frame.samples / frame.sample_rate / stream.time_base)
            yield frame


def _demux(container: Any, stream: Any) -> Iterator[Any]:
    """The stream's packets, and None at the end, be it that of a file cut short."""
    with contextlib.suppress(av.FFmpegError):
        yield from (packet for packet in container.demux(stream) if packet.size)
    yield None


def _measure(frame: av.AudioFrame, heard: Heard) -> None:
    """Add the energy of stereo's channels."""
    samples = frame.to_ndarray()
    pair = samples if frame.format.is_planar else samples.reshape(-1, 2).T
    middle = 128 if pair.dtype == np.uint8 else 0
    left, right = (pair.astype(np.float32) - middle) / _FULL_SCALE.get(pair.dtype.name, 1.0)
    heard.left += float(left @ left) / frame.sample_rate
    heard.right += float(right @ right) / frame.sample_rate
    heard.product += float(left @ right) / frame.sample_rate


def _refuse_nan(frame: av.AudioFrame) -> None:
    if not np.isfinite(frame.to_ndarray()).all():
        raise ValueError("it has samples that are no numbers (NaN or infinite)")


def _convert(
    frames: Iterable[av.AudioFrame], make_steps: Callable[[av.AudioFrame], list[Step]]
) -> Iterator[av.AudioFrame]:
    """Frames through a row of filters, which is set up anew where the frames' format changes."""
    graph: Any = None
    look: tuple[object, ...] | None = None
    for number, frame in enumerate(frames, 1):
        if (now := (frame.format.name, frame.layout.name, frame.sample_rate)) != look:
            yield from drain(graph)
            graph, look = _open_graph(frame, make_steps(frame)), now
        graph.push(frame)
        if number % _BATCH == 0:
            yield from pull(graph)
    yield from drain(graph)


def _place(frames: Iterable[av.AudioFrame]) -> Iterator[av.AudioFrame]:
    """Put frames where their timestamps say, from time 0 on.

    A row of filters of its own, because one that is set up anew would place its sound from 0 on
    once more.
    """
    slip = f"async=1:min_hard_comp={MAX_SLIP}:first_pts=0"
    return _convert(frames, lambda _: [("aresample", slip)])


def _open_graph(frame: av.AudioFrame, steps: list[Step]) -> Any:
    graph = av.filter.Graph()
    graph.threads = 1
    source = graph.add_abuffer(
        sample_rate=frame.sample_rate,
        format=frame.format.name,
        layout=frame.layout.name,
        time_base=frame.time_base,
    )
    nodes = [source, *(graph.add(*step) for step in steps), graph.add("abuffersink")]
    graph.link_nodes(*nodes).configure()
    return graph
