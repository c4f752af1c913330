"""Decode one sound stream to 16 kHz mono: every frame that decodes, whatever stands between.

One reader for videos and recordings. What does not decode is skipped and counted; a stream may
change its channels, rate or sample format wherever it likes.
"""

import contextlib
import errno
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import av
import av.filter
import numpy as np
import numpy.typing as npt

from toolkit.clock import SAMPLE_RATE

Samples = npt.NDArray[np.int16]

MAX_SLIP = 0.02
"""Seconds by which sound may stand beside its timestamp before it is moved there."""

CANCELLED = 0.01
"""Share of a channel's energy that mixing leaves where channels cancel each other out.

A quarter is left of a channel that is alone, and of each of two that have nothing in common.
"""

_FULL_SCALE = {"uint8": 2.0**7, "int16": 2.0**15, "int32": 2.0**31, "int64": 2.0**63}

_FLOATS = {"flt", "fltp", "dbl", "dblp"}
"""ffmpeg's sample formats that can hold NaN."""

_MONO = ("aformat", f"sample_fmts=s16:channel_layouts=mono:sample_rates={SAMPLE_RATE}")

Step = tuple[str, str]
"""A filter's name and its arguments."""


@dataclass
class Heard:
    """What a pass over a stream met.

    Attributes:
        num_samples: given, at 16 kHz.
        num_skipped: packets that do not decode.
        skipped: their length, s, where the container states it.
        failure: ffmpeg's word for the first of them.
        energy: of every channel, full scale squared times s; by number of channels, which may
            change within a stream.
        mixed: the same of what was given.
    """

    num_samples: int = 0
    num_skipped: int = 0
    skipped: float = 0.0
    failure: str = ""
    energy: dict[int, npt.NDArray[np.float32]] = field(default_factory=dict)
    mixed: float = 0.0

    def skip(self, packet: Any, error: av.FFmpegError) -> None:
        """Count a packet that does not decode; MemoryError where that is not its own fault."""
        if error.errno == errno.ENOMEM:
            raise MemoryError(str(error)) from error
        self.num_skipped += 1
        self.skipped += float((packet.duration or 0) * packet.time_base) if packet else 0.0
        self.failure = self.failure or error.strerror

    def describe_skipped(self) -> str:
        """How much was skipped, and why; "" where everything decodes."""
        if not self.num_skipped:
            return ""
        length = f", {self.skipped:.2f} s" if self.skipped else ""
        return f"sound is skipped that does not decode: {self.num_skipped} packets{length} ({self.failure})"

    def find_cancelled(self) -> int | None:
        """The loudest channel, where mixing leaves nearly nothing of it; None elsewhere."""
        if len(self.energy) != 1:
            return None
        (energy,) = self.energy.values()
        loudest = int(energy.argmax())
        return loudest if self.mixed < CANCELLED * energy[loudest] else None


def decode_sound(
    container: Any,
    stream: Any,
    heard: Heard,
    *,
    origin: float | None = None,
    channel: int | None = None,
) -> Iterator[Samples]:
    """Blocks of the stream's sound at 16 kHz, none of them empty.

    Args:
        container: open, at its start.
        stream: of sound.
        heard: filled in meanwhile.
        origin: time (s) on the container's clock of sample 0: gaps become silence and what lies
            before is left out. None: no timestamp is looked at.
        channel: the one to hear; None mixes all of them.

    Raises:
        ValueError: samples are no numbers.
        av.FFmpegError: the system refuses, for want of memory for example.
    """
    stream.thread_type, stream.codec_context.thread_count = "NONE", 1
    steps = _trim_padding(container, stream)
    if channel is not None:
        steps.append(("pan", f"mono|c0=c{channel}"))
    if origin is not None:
        steps.append(("asetpts", f"PTS-({origin:.6f})/TB"))
    frames = _convert(_decode_frames(container, stream, heard), [*steps, _MONO])
    for frame in frames if origin is None else _place(frames):
        block: Samples = frame.to_ndarray().reshape(-1)
        if len(block):
            heard.num_samples += len(block)
            if heard.energy:
                level = block.astype(np.float32) / 2**15
                heard.mixed += float(level @ level) / SAMPLE_RATE
            yield block


def _trim_padding(container: Any, stream: Any) -> list[Step]:
    """Cut off what an encoder adds to fill its last frame, where only the container says so.

    An MP4's edit list does; libavformat applies its end to sound from version 63 on.
    """
    if "mp4" not in container.format.name or not stream.duration:
        return []
    return [("atrim", f"end_pts={(stream.start_time or 0) + stream.duration}")]


def _decode_frames(container: Any, stream: Any, heard: Heard) -> Iterator[av.AudioFrame]:
    """Frames that decode, each with a timestamp."""
    end = 0
    for packet in _demux(container, stream):
        try:
            frames = stream.decode(packet)
        except av.FFmpegError as error:
            heard.skip(packet, error)
            continue
        for frame in frames:
            _measure(frame, heard)
            frame.pts = end if frame.pts is None else frame.pts
            tick = frame.time_base or stream.time_base
            end = frame.pts + round(frame.samples / frame.sample_rate / tick)
            yield frame


def _demux(container: Any, stream: Any) -> Iterator[Any]:
    """The stream's packets, and None at the end, be it that of a file cut short."""
    with contextlib.suppress(av.FFmpegError):
        yield from (packet for packet in container.demux(stream) if packet.size)
    yield None


def _measure(frame: av.AudioFrame, heard: Heard) -> None:
    """Add the energy of every channel; ValueError for samples that are no numbers."""
    count = frame.layout.nb_channels
    is_float = frame.format.name in _FLOATS
    if count == 1 and not is_float:
        return
    samples = frame.to_ndarray()
    samples = samples if frame.format.is_planar else samples.reshape(-1, count).T
    if is_float and not np.isfinite(samples).all():
        raise ValueError("it has samples that are no numbers (NaN or infinite)")
    if count > 1:
        scale = _FULL_SCALE.get(samples.dtype.name, 1.0)
        middle = 128 if samples.dtype == np.uint8 else 0
        values = (samples.astype(np.float32) - middle) / scale
        energy = np.einsum("cs,cs->c", values, values) / frame.sample_rate
        heard.energy[count] = heard.energy.get(count, 0.0) + energy


def _convert(frames: Iterable[av.AudioFrame], steps: list[Step]) -> Iterator[av.AudioFrame]:
    """Frames through a row of filters, which is set up anew where the frames' format changes."""
    graph, look = None, None
    for frame in frames:
        if (now := (frame.format.name, frame.layout.name, frame.sample_rate)) != look:
            yield from _drain(graph)
            graph, look = _open_graph(frame, steps), now
        graph.push(frame)
        yield from _pull(graph)
    yield from _drain(graph)


def _place(frames: Iterable[av.AudioFrame]) -> Iterator[av.AudioFrame]:
    """Put frames of 16 kHz mono where their timestamps say, from time 0 on.

    A row of filters of its own, because one that is set up anew would place its sound from 0 on
    once more.
    """
    slip = f"async=1:min_hard_comp={MAX_SLIP}:first_pts=0"
    return _convert(frames, [("aresample", slip)])


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


def _drain(graph: Any) -> Iterator[av.AudioFrame]:
    if graph is not None:
        graph.push(None)
        yield from _pull(graph)


def _pull(graph: Any) -> Iterator[av.AudioFrame]:
    with contextlib.suppress(av.BlockingIOError, av.EOFError):
        while True:
            yield graph.pull()
