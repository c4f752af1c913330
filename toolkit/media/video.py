"""Probe and decode video; with the rest of this package, all that knows ffmpeg.

Decoding is an ffmpeg process whose graph ffmpeg-python builds; `ffmpeg_pipe.py` reads its frames.
Pictures are upright with square pixels. Times are seconds from the container's start; edit lists
are honoured because ffmpeg honours them.
"""

import contextlib
import functools
import math
import shutil
import subprocess
from collections.abc import Generator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import ffmpeg

from toolkit.errors import SetupError, SourceError, ToolkitError
from toolkit.media.ffmpeg_pipe import Frame, read_rgb
from toolkit.media.picture_store import PictureStore
from toolkit.media.video_filters import cut_crop, fit_picture
from toolkit.schema import Reason, VideoInfo

DEMUXERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,mpegvideo,asf,flv,ogg,mxf,dv,ivf,m4v,"
    "wav,mp3,flac,aac"
)
"""Containers that hold their own streams: none of these opens another file or an address."""

PROTOCOLS = "file"
SUFFIXES = frozenset(
    f".{name}"
    for name in "3gp asf avi dv flv m2ts m4v mkv mov mp4 mpeg mpg mts mxf ogv ts vob webm wmv".split()  # noqa: E501, SIM905
)
"""What counts as a video when a folder is searched."""

MAX_SIDE = 1920
"""Longest side (px) at which pass 1 looks for faces; larger pictures are scaled down to it."""

OPEN_OPTIONS = {"protocol_whitelist": PROTOCOLS, "format_whitelist": DEMUXERS}


@functools.cache
def find_ffmpeg() -> str:
    """Path of the ffmpeg binary: the PATH's, else imageio-ffmpeg's."""
    found = shutil.which("ffmpeg")
    if found:
        return found
    import imageio_ffmpeg

    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError as error:
        raise SetupError(
            "no ffmpeg binary: install ffmpeg with your system's package manager, "
            "or `pip install imageio-ffmpeg`"
        ) from error


@functools.cache
def _passthrough_flag() -> dict[str, str]:
    """`-fps_mode` where this ffmpeg knows it (5.1), else `-vsync`."""
    text = subprocess.run(
        [find_ffmpeg(), "-hide_banner", "-h", "long"], capture_output=True, check=False
    ).stdout
    return {"fps_mode" if b"-fps_mode" in text else "vsync": "passthrough"}


@dataclass(frozen=True, kw_only=True)
class Streams:
    """What to ask ffmpeg for: stream indices, and the container's own start (s)."""

    video: int
    audio: int | None
    start: float


def probe(path: Path) -> tuple[VideoInfo, Streams]:
    """Open a file, decode its first frame, and say what it holds.

    Raises:
        SourceError: `unreadable` or `no_video`.
    """
    try:
        with av.open(str(file_url(path)), options=dict(OPEN_OPTIONS)) as container:
            return _probe_container(container, path)
    except (av.FFmpegError, ValueError, OSError) as error:
        if isinstance(error, PermissionError):
            advice = "permission denied: make it readable or leave it out"
            raise ToolkitError(f"{path}: {advice}") from error
        text = str(getattr(error, "strerror", None) or error)
        raise SourceError(Reason.UNREADABLE, f"ffmpeg cannot open it: {text}") from error


def read_duration(path: Path) -> float:
    """Seconds that the container claims to last; 0 if it does not open or does not say."""
    try:
        with av.open(str(file_url(path)), options=dict(OPEN_OPTIONS)) as container:
            return container.duration / av.time_base if container.duration else 0.0
    except (av.FFmpegError, ValueError, OSError):
        return 0.0


def _probe_container(container: Any, path: Path) -> tuple[VideoInfo, Streams]:
    video = _choose_stream([s for s in container.streams.video if not _is_picture(s)])
    audio = _choose_stream(list(container.streams.audio))
    if video is None:
        raise SourceError(Reason.NO_VIDEO, "the file has no video stream")
    start = (container.start_time or 0) / av.time_base
    frame = _decode_first(container, video)
    if frame is None:
        raise SourceError(Reason.NO_VIDEO, "the video stream has no frame")
    width, height = _upright_size(frame, video)
    rate = video.average_rate or video.guessed_rate or Fraction(25)
    info = VideoInfo(
        width=width,
        height=height,
        fps=float(rate),
        duration=container.duration / av.time_base if container.duration else None,
        audio_start=None if audio is None else _stream_start(audio, start),
        interlaced=bool(frame.interlaced_frame),
        focal=_read_focal(container.metadata | video.metadata, width, height),
    )
    return info, Streams(video=video.index, audio=audio and audio.index, start=start)


def _decode_first(container: Any, video: Any) -> Any:
    """The first frame that decodes; a recording that starts in mid-stream has packets before it."""
    failure: av.FFmpegError | None = None
    for packet in container.demux(video):
        try:
            if frames := packet.decode():
                return frames[0]
        except av.InvalidDataError as error:
            failure = error
    if failure:
        raise failure
    return None


def _choose_stream(streams: list[Any]) -> Any:
    """The default stream, else the largest picture, else the first: as players choose."""

    def rank(stream: Any) -> tuple[bool, int]:
        default = bool(stream.disposition & av.stream.Disposition.default)
        return default, getattr(stream, "width", 0) * getattr(stream, "height", 0)

    return max(streams, key=rank, default=None)


def _is_picture(stream: Any) -> bool:
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def _stream_start(stream: Any, container_start: float) -> float:
    if stream.start_time is None:
        return 0.0
    return max(0.0, float(stream.start_time * stream.time_base) - container_start)


def _upright_size(frame: Any, stream: Any) -> tuple[int, int]:
    ratio = float(stream.sample_aspect_ratio or 0) or 1.0
    width, height = max(1, round(frame.width * ratio)), frame.height
    return (height, width) if frame.rotation % 180 else (width, height)


def _read_focal(metadata: dict[str, str], width: int, height: int) -> float | None:
    """Focal length in px from the 35 mm equivalent that some phones write (36 × 24 mm film)."""
    text = metadata.get("com.apple.quicktime.camera.focal_length.35mm_equivalent")
    try:
        focal_35mm = float(text or 0)
    except ValueError:
        return None
    focal = focal_35mm / math.hypot(36, 24) * math.hypot(width, height)
    return focal if 0 < focal < math.inf else None


def fit_size(info: VideoInfo, longest: int = MAX_SIDE) -> tuple[int, int]:
    """(width, height) of the picture scaled down, if need be, to a longest side."""
    scale = min(1.0, longest / max(info.width, info.height))
    return max(1, round(info.width * scale)), max(1, round(info.height * scale))


def read_frames(
    path: Path,
    info: VideoInfo,
    streams: Streams,
    *,
    size: tuple[int, int],
    crop: tuple[int, int, int, int] | None = None,
    start: float | None = None,
    keep: int = 1,
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
        keep: pictures that are valid at a time.
        store: where to keep source pictures as well.

    Raises:
        SourceError: `unreadable`, when ffmpeg fails before the first frame.
    """
    source = ffmpeg.input(
        file_url(path), threads=1, **OPEN_OPTIONS, **({} if start is None else {"ss": start})
    )
    node = source[str(streams.video)]
    if info.interlaced:
        node = node.filter("bwdif", mode="send_frame", deint="interlaced")
    node = node.filter("showinfo", checksum=0)
    outputs = []
    if store is not None and store.limit:
        branches = node.split()
        node = branches[0]
        outputs.append(_keep(branches[1], store))
    command = _make_command(fit_picture(node, info, size, crop), outputs, is_planar=bool(crop))
    step = 1 / info.fps if info.fps else 0.04
    yield from read_rgb(command, size, streams.start, step, keep, store, is_planar=bool(crop))


def read_stored(
    store: PictureStore,
    first: int,
    info: VideoInfo,
    *,
    size: tuple[int, int],
    crop: tuple[int, int, int, int],
) -> Generator[Frame, None, None]:
    """A source's frames from number `first` on, as `read_frames` gives them, from a store.

    Their `time` is their number. Raises as `read_frames`.
    """
    x0, y0, x1, y1 = store.region
    (*_, matrix) = next(iter(store.looks))
    source = ffmpeg.input(
        file_url(store.path), format="rawvideo", pixel_format="yuv420p", framerate=1,
        video_size=(x1 - x0, y1 - y0), skip_initial_bytes=first * store.frame_bytes,
        protocol_whitelist=PROTOCOLS,
    )  # fmt: skip
    node = source if matrix == "unknown" else source.filter("setparams", colorspace=matrix)
    node = cut_crop(node.filter("showinfo", checksum=0), info, size, crop, (x0, y0))
    command = _make_command(node, [], is_planar=True)
    frames = read_rgb(command, size, 0.0, 1.0, 1, None, is_planar=True)
    with contextlib.closing(frames):
        for number, frame in enumerate(frames, first):
            yield Frame(float(number), frame.picture)


def _keep(node: Any, store: PictureStore) -> Any:
    x0, y0, x1, y1 = store.region
    node = node.filter("format", "yuv420p").filter("crop", x1 - x0, y1 - y0, x0, y0, exact=1)
    options = {"format": "rawvideo", "vframes": store.limit, **_passthrough_flag()}
    return ffmpeg.output(node, filename=file_url(store.path), **options)


def _make_command(node: Any, others: list[Any], *, is_planar: bool) -> list[str]:
    """Planar where the scaling is exact: packed pixels would then take three times as long."""
    pixels = "gbrp" if is_planar else "rgb24"
    return compile_command(
        node, *others, format="rawvideo", pix_fmt=pixels, threads=1, **_passthrough_flag()
    )


def compile_command(node: Any, *others: Any, **output: Any) -> list[str]:
    """The argument list that runs a graph and writes raw data to stdout, log to stderr.

    `others` are further outputs, to files.
    """
    graph = ffmpeg.merge_outputs(ffmpeg.output(node, "pipe:", **output), *others).global_args(
        "-nostdin", "-hide_banner", "-nostats", "-copyts", "-loglevel", "level+info",
        "-filter_threads", "1",
    )  # fmt: skip
    return to_arguments(graph)


def to_arguments(graph: Any) -> list[str]:
    return [find_ffmpeg(), *map(str, ffmpeg.compile(graph)[1:])]


def file_url(path: Path) -> Path:
    """`file:` and the absolute path, so that no name reads as an option or a protocol.

    A `Path`, because ffmpeg-python cannot take text that is not Unicode, as file names may be.
    """
    return Path(f"file:{Path(path).absolute()}")
