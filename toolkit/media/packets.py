"""What is coded in a file and when it is shown, whatever container it lies in.

Containers write the same coded pictures in different ways: MP4 and Matroska put a length before
each NAL unit and the parameter sets aside, MPEG-TS puts start codes between them and the parameter
sets, delimiters and messages among them. So of each packet only that is taken which is the same
everywhere; where a packet ends does not matter. Of what the container adds that counts which
changes clips: how the picture is turned, the shape and colours of its pixels, when it is shown and
when it is heard. Containers round times, and AVI loses what an encoder put before the first sound:
times count to `MAX_SHIFT`.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import av

from toolkit.media.audio import is_heard
from toolkit.media.colors import name_colors, read_dynamic_range, tag_colors
from toolkit.media.filters import make_upright
from toolkit.media.video import choose_streams, measure_upright, open_container

MAX_SHIFT = 25
"""Milliseconds by which times may differ: AVI loses 23 that AAC puts first, and 25 of MP3."""

_START = b"\0\0\1"
_VERSION = "2:"


def hash_packets(path: Path, audio_track: int | None = None) -> str:
    """What ingest would take of a file; "" if unknown.

    `2:`, the SHA-256 of coded picture and sound and of how the picture is to be shown, `:` and
    times in ms from the first picture on: the mean and the last of the pictures' and of the
    sound's. Compare them with `same_packets`.

    `ffmpeg -c copy` from one to another of MP4, MOV, MKV, MPEG-TS, FLV and AVI keeps it for
    H.264, HEVC and MPEG-4 (this not in MPEG-TS) with AAC or MP3, where the new container keeps
    times and rotation; for other codecs, where their packets are copied as they are. It is
    unknown where a file cannot be read to its end or has no picture that decodes.

    Args:
        path: the file.
        audio_track: which of its sound tracks is heard, from 0; None: the default one, else, where
            that is silent, the first that is not.
    """
    try:
        with open_container(path) as container:
            _, audio = choose_streams(container, audio_track)
            tracks = list(container.streams.audio)
            if audio_track is None and len(tracks) > 1:
                audio = _choose_heard(path, audio, tracks)
            index = None if audio is None else audio.index
        with open_container(path) as container:
            video, _ = choose_streams(container)
            if video is None:
                return ""
            streams = [video] if index is None else [video, container.streams[index]]
            return _hash_streams(container, streams)
    except (av.FFmpegError, ValueError, OSError):
        return ""


def is_current(text: str) -> bool:
    """Whether `hash_packets` as it is now made this; digests of before say less."""
    return text.startswith(_VERSION)


def name_streams(text: str) -> str:
    """What is the same, to the bit, where two are the same by `same_packets`: all but the times."""
    return text.rpartition(":")[0] or text


def same_packets(one: str, other: str) -> bool:
    """Whether two of `hash_packets` say the same; False where one is unknown."""
    if not one or not other or name_streams(one) != name_streams(other):
        return False
    pairs = zip(_read_times(one), _read_times(other), strict=True)
    return one == other or all(abs(a - b) <= MAX_SHIFT for a, b in pairs)


def _read_times(text: str) -> list[int]:
    return [int(number) for number in text.rpartition(":")[2].split(",")]


def _choose_heard(path: Path, default: Any, tracks: list[Any]) -> Any:
    others = [track for track in tracks if track.index != default.index]
    return next((t for t in (default, *others) if is_heard(path, t.index)), default)


def _hash_streams(container: Any, streams: list[Any]) -> str:
    picture, digests = streams[0], {stream.index: hashlib.sha256() for stream in streams}
    take = {stream.index: _choose_form(stream.codec_context) for stream in streams}
    times: dict[int, list[float]] = {stream.index: [] for stream in streams}
    sizes, taken = Counter[int](), Counter[int]()
    look, num_hidden = "", 0
    for packet in container.demux(streams):
        index = packet.stream.index  # at the end come empty packets whose `stream_index` is 0
        sizes[index] += packet.size
        for part in take[index](memoryview(packet)):
            digests[index].update(part)
            taken[index] += len(part)
        stamp = packet.dts if packet.pts is None else packet.pts
        if index == picture.index and packet.is_discard:
            num_hidden += 1
        elif packet.size and stamp is not None:
            times[index].append(float(stamp * packet.time_base))
        if index == picture.index:
            look = look or _read_look(packet, picture)
    # where little is taken, it was misread: what is left may stand in others too
    if not look or 4 * taken[picture.index] <= sizes[picture.index]:
        return ""
    whole = hashlib.sha256(b"".join(digest.digest() for digest in digests.values()))
    whole.update(f"{look} {num_hidden}".encode())
    numbers = ",".join(str(round(1000 * t)) for t in _measure_times(list(times.values())))
    return f"{_VERSION}{whole.hexdigest()}:{numbers}"


def _read_look(packet: Any, stream: Any) -> str:
    """How the picture is turned, its upright size and its colours; "" until a frame decodes."""
    try:
        frames = packet.decode()
    except av.FFmpegError:
        return ""
    if not frames:
        return ""
    frame = frames[0]
    steps = make_upright(frame)
    size = measure_upright(frame, float(stream.sample_aspect_ratio or 0))
    dynamic_range = read_dynamic_range(frame)
    tag_colors(frame)
    return f"{steps} {size} {dynamic_range} {name_colors(frame)}"


def _measure_times(times: list[list[float]]) -> Iterator[float]:
    """When a stream is shown or heard at the mean and at last, from the first picture on; s.

    Not when sound begins: in fragments of MP4 the packet that an encoder put first may stand apart.
    """
    first = min(times[0], default=0.0)
    for stamps in filter(None, times):
        yield sum(stamps) / len(stamps) - first
        yield max(stamps) - first


def _choose_form(codec: Any) -> Callable[[memoryview], Iterable[bytes | memoryview]]:
    """What is taken of a packet of this codec; None is one that ffmpeg does not know."""
    if codec is None:
        return lambda packet: (packet,)
    extra = bytes(codec.extradata or b"")
    match codec.name:
        case "h264":
            size = (extra[4] & 3) + 1 if extra[:1] == b"\1" and len(extra) > 4 else 0
            return lambda packet: _take_slices(packet, size, _is_slice_of_h264)
        case "hevc":
            prefixed = len(extra) > 21 and not extra.startswith((_START, b"\0" + _START))
            size = (extra[21] & 3) + 1 if prefixed else 0
            return lambda packet: _take_slices(packet, size, _is_slice_of_hevc)
        case "mpeg4":
            return lambda packet: _take_slices(packet, 0, lambda first: first == 0xB6)
        case "aac":
            return _strip_adts
    return lambda packet: (packet,)


def _is_slice_of_h264(first: int) -> bool:
    return 1 <= first & 31 <= 5


def _is_slice_of_hevc(first: int) -> bool:
    return first >> 1 & 63 < 32


def _take_slices(
    packet: memoryview, prefix: int, is_slice: Callable[[int], bool]
) -> Iterator[bytes]:
    """The units that hold pictures, each behind a start code and without the zeros behind it."""
    data = bytes(packet)
    for unit in _split_prefixed(data, prefix) if prefix else data.split(_START)[1:]:
        if unit and is_slice(unit[0]):
            yield _START
            yield unit.rstrip(b"\0")


def _split_prefixed(data: bytes, prefix: int) -> Iterator[bytes]:
    place = 0
    while place + prefix < len(data):
        begin = place + prefix
        place = begin + int.from_bytes(data[place:begin], "big")
        yield data[begin:place]


def _strip_adts(packet: memoryview) -> tuple[memoryview]:
    """AAC without the header that MPEG-TS puts before each frame: 7 bytes, 9 with a checksum."""
    if len(packet) > 9 and packet[0] == 0xFF and packet[1] & 0xF6 == 0xF0:
        return (packet[7 if packet[1] & 1 else 9 :],)
    return (packet,)
