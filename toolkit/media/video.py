"""Open a video and say what it holds; with the rest of this package, all that knows ffmpeg."""

import contextlib
import math
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt

from toolkit.errors import SourceError
from toolkit.media.colors import read_dynamic_range
from toolkit.media.explain import (
    explain_file,
    find_problem,
    refuse_encrypted,
    require_file,
    word_error,
)
from toolkit.media.ffmpeg_process import file_url
from toolkit.media.filters import read_rotation
from toolkit.schema import Reason, VideoInfo

DEMUXERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,mpegvideo,asf,flv,ogg,mxf,dv,ivf,m4v,"
    "wav,mp3,flac,aac"
)
"""Containers that hold their own streams: none of these opens another file or an address."""

SOUND_DEMUXERS = f"{DEMUXERS},aiff,au,caf,amr,ac3,eac3,dts,w64,wv,tta,ape,voc"
"""Those of recordings: they hold their own streams as well."""

PROTOCOLS = "file"
_SUFFIXES = (
    "3g2 3gp asf avi dif divx dv f4v flv ivf m1v m2p m2t m2ts m2v m4v mj2 mk3d mkv mod mov mp4 mpe "
    "mpeg mpg mpv mts mxf ogm ogv qt tod trp ts vob vro webm wmv"
)
SUFFIXES = frozenset(f".{name}" for name in _SUFFIXES.split())
"""What counts as a video when a folder is searched."""

MAX_SIDE = 1920
"""Longest side (px) at which pass 1 looks for faces; larger pictures are scaled down to it."""

MAX_SPAN = 24 * 3600.0
"""Seconds from which on a source's length is doubted: a wrong time stamp may claim years."""

_LEAST_SHARE = 0.1
"""The share of so long a span that pictures must fill, each for a second at most."""

_LEAST_BYTES = 100
"""What a second of so long a file takes at least: pictures and sound take ten times as much."""


@dataclass(frozen=True, kw_only=True)
class Streams:
    """Which streams to read.

    Attributes:
        video: index of the picture's stream.
        audio: index of the sound's.
        start: the container's own start, s.
        codec: name of the picture's decoder.
        delay: s by which the picture's stamps are late: AVI stamps when frames are decoded.
        num_sounds: sound tracks in the file.
        container: ffmpeg's name of its kind.
    """

    video: int
    audio: int | None
    start: float
    codec: str = ""
    delay: float = 0.0
    num_sounds: int = 0
    container: str = ""


def open_container(path: Path, demuxers: str = DEMUXERS) -> Any:
    """A file for PyAV to read, none of what it names; errors as PyAV's.

    Raises:
        SourceError: see `require_file`.
    """
    require_file(path)
    # By itself PyAV asks for made-up timestamps (genpts): H.264 in AVI then stands a frame late.
    options = {"protocol_whitelist": PROTOCOLS, "format_whitelist": demuxers, "fflags": "-genpts"}
    return av.open(str(file_url(path)), options=options)


def probe(path: Path, audio_track: int | None = None) -> tuple[VideoInfo, Streams]:
    """Open a file, decode its first frame, and say what it holds.

    Args:
        path: the file.
        audio_track: which of its sound tracks to read, from 0; None: the default one.

    Raises:
        SourceError: `unreadable` or `no_video`.
    """
    try:
        with open_container(path) as container:
            return _probe_container(container, audio_track, path)
    except (av.FFmpegError, ValueError, OSError) as error:
        text = find_problem(path) or explain_file(path) or _word(error)
        raise SourceError(Reason.UNREADABLE, text) from error


def _word(error: Exception) -> str:
    return f"ffmpeg cannot open it: {word_error(error)}"


def read_duration(path: Path) -> float:
    """Seconds that the container claims to last; 0 if it does not open or does not say."""
    try:
        with open_container(path) as container:
            return _read_length(container) or 0.0
    except (av.FFmpegError, ValueError, OSError, SourceError):
        return 0.0


def _read_length(container: Any) -> float | None:
    """Seconds from the container's start to its end; Matroska and ASF may state the end alone.

    None where it does not say, or says more than its bytes could hold.
    """
    if not container.duration:
        return None
    start = float(container.start_time or 0) / av.time_base
    length = float(container.duration) / av.time_base
    counts_from_zero = {"matroska", "asf"} & set(container.format.name.split(","))
    length -= start if counts_from_zero and 0 < start < length else 0.0
    is_absurd = length > MAX_SPAN and container.size < _LEAST_BYTES * length
    return None if is_absurd else length


def count_anew(name: str = "it") -> str:
    """The command that encodes pictures and sound as they follow one another, whatever their time
    stamps say.
    """
    return f"ffmpeg -i {name} -vf setpts=N/FRAME_RATE/TB -af asetpts=N/SR/TB new.mp4"


def find_picture_end(path: Path, streams: Streams) -> float:
    """When the last picture stands, s from the container's start: reads all packets.

    Raises:
        SourceError: see `check_span`.
    """
    with open_container(path) as container:
        stream = container.streams[streams.video]
        stamps: list[int | None] = []
        with contextlib.suppress(av.FFmpegError):
            stamps.extend(p.dts if p.pts is None else p.pts for p in container.demux(stream))
        known = np.array([stamp for stamp in stamps if stamp is not None], float)
        times = np.sort(known) * float(stream.time_base) - streams.start
    if not len(times):
        return math.inf
    check_span(times)
    return float(times[-1])


def check_span(times: npt.NDArray[np.float64]) -> None:
    """Refuse times that a wrong stamp spreads over days: what is made per clock frame would be
    as long.

    Args:
        times: (F,) of a source's pictures, s from its start, ascending.

    Raises:
        SourceError: `unreadable`.
    """
    if times[-1] <= MAX_SPAN:
        return
    filled = np.minimum(np.diff(times, prepend=0.0), 1.0).sum()
    if filled < _LEAST_SHARE * times[-1]:
        raise SourceError(
            Reason.UNREADABLE,
            f"a picture stands at {times[-1] / 3600:,.0f} h, and hardly any before it (a wrong "
            f"time stamp?): count the times anew: {count_anew()}",
        )


def _probe_container(
    container: Any, audio_track: int | None, path: Path
) -> tuple[VideoInfo, Streams]:
    if "mov" in container.format.name:
        refuse_encrypted(path)
    video, audio = choose_streams(container, audio_track)
    if video is None and audio is None and (text := explain_file(path)):
        raise SourceError(Reason.UNREADABLE, text)
    if video is None:
        what = "a sound recording: " if audio is not None else ""
        raise SourceError(Reason.NO_VIDEO, f"{what}the file has no video stream")
    start = (container.start_time or 0) / av.time_base
    frame, delay = _decode_first(container, video)
    if frame is None:
        raise SourceError(Reason.NO_VIDEO, "the video stream has no frame")
    width, height = measure_upright(frame, float(video.sample_aspect_ratio or 0))
    rate = video.average_rate or video.guessed_rate or Fraction(25)
    info = VideoInfo(
        width=width,
        height=height,
        fps=float(rate),
        duration=_read_length(container),
        audio_start=None if audio is None else _stream_start(audio, start),
        dynamic_range=read_dynamic_range(frame),
        focal=_read_focal(container.metadata | video.metadata, width, height),
    )
    return info, Streams(
        video=video.index,
        audio=audio and audio.index,
        start=start,
        codec=video.codec_context.name,
        delay=delay if container.format.name == "avi" else 0.0,
        num_sounds=len(container.streams.audio),
        container=container.format.name,
    )


def choose_streams(container: Any, audio_track: int | None = None) -> tuple[Any, Any]:
    """The streams of picture and sound that are read; None where there is none."""
    video = _choose_stream([s for s in container.streams.video if not _is_picture(s)])
    return video, _choose_sound(list(container.streams.audio), audio_track)


def _decode_first(container: Any, video: Any) -> tuple[Any, float]:
    """The first frame that decodes, and how much later (s) than its key packet it came out.

    A recording that starts in mid-stream has packets before it.
    """
    failure: av.FFmpegError | None = None
    first: int | None = None
    for packet in container.demux(video):
        if first is None and packet.is_keyframe:
            first = packet.dts
        try:
            if frames := packet.decode():
                late = (frames[0].dts or 0) - first if first is not None else 0
                return frames[0], max(0.0, float(late * video.time_base))
        except av.InvalidDataError as error:
            failure, first = error, None
    if failure:
        raise failure
    return None, 0.0


def _choose_stream(streams: list[Any]) -> Any:
    """The default stream, else the largest picture, else the first: as players choose."""

    def rank(stream: Any) -> tuple[bool, int]:
        default = bool(stream.disposition & av.stream.Disposition.default)
        return default, getattr(stream, "width", 0) * getattr(stream, "height", 0)

    return max(streams, key=rank, default=None)


def _choose_sound(streams: list[Any], track: int | None) -> Any:
    if track is None:
        return _choose_stream(streams)
    return streams[track] if track < len(streams) else None


def _is_picture(stream: Any) -> bool:
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def _stream_start(stream: Any, container_start: float) -> float:
    if stream.start_time is None:
        return 0.0
    return max(0.0, float(stream.start_time * stream.time_base) - container_start)


def measure_upright(frame: av.VideoFrame, ratio: float) -> tuple[int, int]:
    """(width, height) of a frame turned upright, its pixels, `ratio` wide, made square."""
    width, height = max(1, round(frame.width * (ratio or 1.0))), frame.height
    return (height, width) if read_rotation(frame) in (90, 270) else (width, height)


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
