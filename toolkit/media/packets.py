"""A digest of what is coded in a file, whatever container it lies in.

Containers write the same coded pictures in different ways: MP4 and Matroska put a length before
each NAL unit and the parameter sets aside, MPEG-TS puts start codes between them and the parameter
sets, delimiters and messages among them. So of each packet only that is taken which is the same
everywhere; where a packet ends does not matter.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import av

from toolkit.media.video import choose_streams, open_container

_START = b"\0\0\1"


def hash_packets(path: Path) -> str:
    """SHA-256, hexadecimal, of the coded picture and sound that ingest would take; "" if unknown.

    `ffmpeg -c copy` from one to another of MP4, MOV, MKV, MPEG-TS, FLV and AVI keeps it for
    H.264, HEVC and MPEG-4 with AAC or MP3; for other codecs, where their packets are copied as
    they are. It is unknown where a file cannot be read to its end or has no picture.
    """
    try:
        with open_container(path) as container:
            video, audio = choose_streams(container)
            if video is None:
                return ""
            return _hash_streams(container, [video] if audio is None else [video, audio])
    except (av.FFmpegError, ValueError, OSError):
        return ""


def _hash_streams(container: Any, streams: list[Any]) -> str:
    digests = {stream.index: hashlib.sha256() for stream in streams}
    take = {stream.index: _choose_form(stream.codec_context) for stream in streams}
    sizes, taken = Counter[int](), Counter[int]()
    for packet in container.demux(streams):
        index = packet.stream.index  # at the end come empty packets whose `stream_index` is 0
        sizes[index] += packet.size
        for part in take[index](memoryview(packet)):
            digests[index].update(part)
            taken[index] += len(part)
    picture = streams[0].index
    if 4 * taken[picture] <= sizes[picture]:  # misread: what little is left may stand in others too
        return ""
    return hashlib.sha256(b"".join(digest.digest() for digest in digests.values())).hexdigest()


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
