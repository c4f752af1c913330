"""Small generated media: pictures that carry their number, made by the toolkit's own ffmpeg."""

import functools
import struct
import subprocess
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import pytest

from tests import REAL_DATA
from toolkit.errors import SourceError
from toolkit.media.decode import read_frames
from toolkit.media.ffmpeg_process import find_ffmpeg
from toolkit.media.video import probe
from toolkit.schema import VideoInfo

Picture = npt.NDArray[np.uint8]
Samples = npt.NDArray[np.float64]

WIDTH, HEIGHT = 96, 64
RATE = 25
CORNER = (220, 30, 30)
"""Colour of the upper left corner, so that a turned or mirrored picture is noticed."""

H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
H264_B = ("-c:v", "libx264", "-preset", "veryfast", "-bf", "3", "-pix_fmt", "yuv420p")
H265 = ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=none")
VP9 = ("-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-b:v", "1M")
AV1 = ("-c:v", "libaom-av1", "-usage", "realtime", "-cpu-used", "8", "-b:v", "1M")

FORMATS: dict[str, tuple[str, ...]] = {
    "h264.mp4": H264,
    "h264_b.mp4": H264_B,
    "h264_b.mkv": H264_B,
    "h264_b.ts": H264_B,
    "h264.flv": H264,
    "h264.avi": H264,
    "h264_10bit.mov": ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p10le"),
    "h264_444.mkv": ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv444p"),
    "hevc.mp4": H265,
    "hevc_10bit.mkv": (*H265, "-pix_fmt", "yuv420p10le"),
    "vp8.webm": ("-c:v", "libvpx", "-deadline", "realtime", "-b:v", "1M"),
    "vp9.webm": VP9,
    "av1.mkv": AV1,
    "av1.mp4": AV1,
    "mpeg4.mp4": ("-c:v", "mpeg4", "-q:v", "3"),
    "mpeg4.avi": ("-c:v", "mpeg4", "-q:v", "3"),
    "mpeg1_b.mpg": ("-c:v", "mpeg1video", "-bf", "2", "-q:v", "3"),
    "mpeg2_b.mpg": ("-c:v", "mpeg2video", "-bf", "2", "-q:v", "3"),
    "mpeg2_b.ts": ("-c:v", "mpeg2video", "-bf", "2", "-q:v", "3"),
    "mjpeg.avi": ("-c:v", "mjpeg", "-q:v", "3", "-pix_fmt", "yuvj420p"),
    "wmv2.wmv": ("-c:v", "wmv2", "-q:v", "3"),
    "theora.ogv": ("-c:v", "libtheora", "-q:v", "9"),
}
"""Every container and codec that a source may have: file name, how to encode it."""

_COLUMNS, _ROWS = 4, 3
_MILLISECOND = Fraction(1, 1000)


def run_ffmpeg(*arguments: str | Path, data: bytes | None = None) -> None:
    """Run ffmpeg with an argument list; what it says on failure becomes the error's text."""
    command = [find_ffmpeg(), "-y", "-hide_banner", "-loglevel", "error", *map(str, arguments)]
    done = subprocess.run(command, input=data, capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command}: {done.stderr.decode('utf-8', 'replace')}")


@functools.cache
def list_encoders() -> frozenset[str]:
    """Names of this ffmpeg's encoders: a distribution's may lack some."""
    command = [find_ffmpeg(), "-hide_banner", "-encoders"]
    text = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    return frozenset(line.split()[1] for line in text.splitlines() if len(line.split()) > 1)


def draw_number(number: int, width: int = WIDTH, height: int = HEIGHT) -> Picture:
    """A grey picture with the number in 12 black or white blocks, and a red upper left corner."""
    picture = np.full((height, width, 3), 110, np.uint8)
    picture[: height // 6, : width // 6] = CORNER
    for bit, block in enumerate(_list_blocks(width, height)):
        picture[block] = 235 if number >> bit & 1 else 20
    return picture


def read_number(picture: Picture) -> int:
    """The number that `draw_number` drew; the picture may have been scaled."""
    blocks = _list_blocks(picture.shape[1], picture.shape[0])
    return sum(int(picture[block].mean() > 127) << bit for bit, block in enumerate(blocks))


def _list_blocks(width: int, height: int) -> list[tuple[slice, slice]]:
    x = np.linspace(width / 5, width * 0.95, _COLUMNS + 1).round().astype(int)
    y = np.linspace(height / 5, height * 0.95, _ROWS + 1).round().astype(int)
    return [
        (slice(y[r], y[r + 1]), slice(x[c], x[c + 1]))
        for r in range(_ROWS)
        for c in range(_COLUMNS)
    ]


def draw_numbers(count: int, width: int = WIDTH, height: int = HEIGHT) -> list[Picture]:
    """Pictures 0 to count − 1."""
    return [draw_number(number, width, height) for number in range(count)]


def encode(
    path: Path,
    pictures: Iterable[Picture],
    *output: str,
    rate: float | str = RATE,
    inputs: Sequence[str | Path] = (),
) -> Path:
    """Encode RGB pictures with whatever further inputs and output options; returns the path."""
    pictures = list(pictures)
    height, width = pictures[0].shape[:2]
    raw = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", str(rate))
    data = b"".join(picture.tobytes() for picture in pictures)
    run_ffmpeg(*raw, "-i", "pipe:", *inputs, *output, f"file:{path}", data=data)
    return path


def encode_at(path: Path, times_ms: Sequence[int]) -> Path:
    """Numbered pictures at the given times (ms): variable frame rate, exactly as asked for."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=1000, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.codec_context.time_base = stream.time_base = _MILLISECOND
        for number, time in enumerate(times_ms):
            frame = av.VideoFrame.from_ndarray(draw_number(number), format="rgb24")
            frame.pts, frame.time_base = time, _MILLISECOND
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def move_packets(source: Path, target: Path, move: Callable[[str, int, int], float]) -> Path:
    """Copy a file, its packets moved in time.

    `move`: "video" or "audio", a packet's number and how many there are -> s to add to its times.
    """
    with av.open(str(source)) as given, av.open(str(target), "w") as container:
        streams = {s.index: container.add_stream_from_template(s) for s in given.streams}
        packets = [packet for packet in given.demux() if packet.size]
        totals = Counter(packet.stream.type for packet in packets)
        counts: Counter[str] = Counter()
        for packet in packets:
            kind = packet.stream.type
            step = round(move(kind, counts[kind], totals[kind]) / packet.time_base)
            counts[kind] += 1
            packet.pts, packet.dts = packet.pts + step, (packet.dts or 0) + step
            packet.stream = streams[packet.stream.index]
            container.mux_one(packet)
    return target


def write_wav(path: Path, samples: Samples, sample_rate: int) -> Path:
    """Write (n,) or (n, channels) samples in −1 to 1 as 16-bit WAV."""
    from scipy.io import wavfile

    wavfile.write(path, sample_rate, np.round(np.clip(samples, -1, 1) * 32767).astype(np.int16))
    return path


def make_tone(seconds: float, sample_rate: int, hertz: float = 440, level: float = 0.5) -> Samples:
    """A sine, (n,) float64."""
    times = np.arange(round(seconds * sample_rate)) / sample_rate
    return np.asarray(level * np.sin(2 * np.pi * hertz * times), np.float64)


def make_clicks(seconds: float, sample_rate: int, at: Iterable[float]) -> Samples:
    """Silence with 4 ms bursts of noise that begin at the given times, s."""
    samples = np.zeros(round(seconds * sample_rate))
    burst = np.random.default_rng(0).uniform(-0.9, 0.9, round(0.004 * sample_rate))
    for time in at:
        first = round(time * sample_rate)
        samples[first : first + len(burst)] = burst[: len(samples) - first]
    return samples


def find_clicks(pcm: npt.NDArray[np.int16]) -> list[float]:
    """Times (s at 16 kHz) at which something loud begins after 50 ms without."""
    loud = np.flatnonzero(np.abs(pcm.astype(np.int32)) > 3000) / 16_000
    begins = np.diff(loud, prepend=-1) > 0.05
    return [float(time) for time in loud[begins]]


TURNS = {90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}
"""Degrees clockwise -> a, b, c, d of a display matrix: (x, y) is shown at (ax + cy, bx + dy)."""


def set_display_matrix(path: Path, turn: tuple[int, int, int, int]) -> None:
    """Mark an MP4's first track to be shown turned or mirrored, as phones do."""
    a, b, c, d = (value << 16 for value in turn)
    data = bytearray(path.read_bytes())
    place = data.index(b"tkhd") + 4 + 40
    data[place : place + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(bytes(data))


def read_all(path: Path, **options: Any) -> tuple[VideoInfo, list[float], list[Picture]]:
    """Probe and decode a whole file: what the probe says, times and pictures."""
    info, streams = probe(path)
    options.setdefault("size", (info.width, info.height))
    times, pictures = [], []
    for frame in read_frames(path, info, streams, **options):
        times.append(frame.time)
        pictures.append(frame.picture.copy())
    return info, times, pictures


def read_numbers(path: Path) -> list[int]:
    """The number in every picture of a file."""
    return [read_number(picture) for picture in read_all(path)[2]]


def find_reason(path: Path) -> str:
    """Why a file is turned down by probing and decoding it; "" where it is not."""
    try:
        read_all(path)
    except SourceError as error:
        return str(error.reason)
    return ""


def find_real(name: str = "") -> Path:
    """A file of the folder of real videos, or the folder; the test skips where it is missing."""
    path = REAL_DATA / name
    if not path.exists():
        pytest.skip(f"no real data: {path}")
    return path
