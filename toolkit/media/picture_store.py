"""Pictures that pass 1 keeps on disk, so that crops need no second decode.

What is kept is what pass 2 would have decoded: yuv420p at source size, the whole picture where it
is small, else a region around the face of the first frame. A clip whose crop or frames are not in
the store is decoded again.
"""

import contextlib
import math
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from io import FileIO
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import ColorRange, Colorspace

from toolkit.media.filters import COLORS, read_look, read_plane
from toolkit.schema import VideoInfo

MAX_BYTES = 1 << 28
"""Largest store of a source: 22 s at 512 × 512 and 30 frames a second. Measured beside other work:
a minute (0.7 GB) took longer to write and read than to decode again, 20 s took less."""

_MAX_SHARE = 8
"""A store takes at most one part in so many of the disk's free space."""

_WHOLE = 640 * 480
"""Pictures of up to so many pixels are kept whole."""

_REGION_SCALE, _REGION_RAISE = 2.6, 0.2
"""Side of the region, and how far its centre lies above that of the detector's box, over its side:
a crop is about 1.9 such sides, the rest is for the head to move in."""

_CODECS = frozenset({"av1", "h264", "hevc", "libdav1d", "mpeg2video", "mpeg4", "vp8", "vp9"})
"""Decoders whose chroma lies left of the luma, BT.2020 aside: PyAV does not say where it lies."""

Region = tuple[int, int, int, int]


@dataclass
class PictureStore:
    """A file of raw yuv420p pictures behind one another, frame after frame of a source.

    Attributes:
        path: the file.
        region: xyxy, even source pixels, of each picture that is kept.
        limit: frames kept at most.
        num_frames: frames in the file.
    """

    path: Path
    region: Region
    limit: int
    num_frames: int = 0
    _colors: dict[str, int] = field(default_factory=dict)

    def keep(
        self, frames: Iterable[av.VideoFrame], info: VideoInfo, codec: str
    ) -> Iterator[av.VideoFrame]:
        """The same frames, written down; nothing is kept where they are not alike, or not plain.

        Args:
            frames: upright, of the decoder that `codec` names.
            info: of the source.
            codec: of its `Streams`.
        """
        look = None
        with contextlib.ExitStack() as stack:
            file = stack.enter_context(self.path.open("wb", 0)) if self.limit else None
            for frame in frames:
                if file is not None and self.num_frames < self.limit:
                    look = look or read_look(frame)
                    if _is_plain(frame, info, codec) and read_look(frame) == look:
                        self._write(frame, file)
                    else:
                        self.give_up()
                yield frame

    def _write(self, frame: av.VideoFrame, file: FileIO) -> None:
        x0, y0, x1, y1 = self.region
        size = 0
        with contextlib.suppress(OSError):
            for place, share in enumerate((1, 2, 2)):
                rows = read_plane(frame, place)[y0 // share : y1 // share]
                size += file.write(np.ascontiguousarray(rows[:, x0 // share : x1 // share]).data)
        if size < (x1 - x0) * (y1 - y0) * 3 // 2:
            self.give_up()  # the disk is full: crops will be decoded again
            return
        self._colors = {name: getattr(frame, name) for name in COLORS}
        self.num_frames += 1

    def give_up(self) -> None:
        """Keep nothing, from now on either."""
        self.num_frames = self.limit = 0
        self.path.unlink(missing_ok=True)

    def holds(self, crop: Region, last_frame: int, info: VideoInfo) -> bool:
        """Whether the crop of frames up to `last_frame` can be made from what is kept."""
        x0, y0, x1, y1 = self.region
        inside = (
            max(crop[0], 0) >= x0
            and max(crop[1], 0) >= y0
            and min(crop[2], info.width) <= x1
            and min(crop[3], info.height) <= y1
        )
        return inside and last_frame < self.num_frames

    def read(self, first: int) -> Iterator[av.VideoFrame]:
        """The frames from number `first` on; their time is their number."""
        x0, y0, x1, y1 = self.region
        rows, width = (y1 - y0) * 3 // 2, x1 - x0
        with self.path.open("rb") as file:
            file.seek(first * rows * width)
            for number in range(first, self.num_frames):
                data = np.fromfile(file, np.uint8, rows * width).reshape(rows, width)
                frame = av.VideoFrame.from_ndarray(data, "yuv420p")
                frame.pts, frame.time_base = number, Fraction(1)
                for name, value in self._colors.items():
                    setattr(frame, name, value)
                yield frame


def _is_plain(frame: av.VideoFrame, info: VideoInfo, codec: str) -> bool:
    """Whether raw pictures of a frame lose nothing of its meaning."""
    return (
        codec in _CODECS
        and frame.format.name == "yuv420p"
        and (frame.width, frame.height) == (info.width, info.height)
        and frame.color_range in (ColorRange.UNSPECIFIED, ColorRange.MPEG)
        and frame.colorspace != Colorspace.BT2020
    )


def plan_store(path: Path, info: VideoInfo, box: npt.NDArray[np.float64] | None) -> PictureStore:
    """A store for a source; it keeps nothing (limit 0) where there is no use or no room for it.

    Part of a source is not kept: a clip that reaches beyond it would be decoded again all the same.

    Args:
        path: where.
        info: of the source.
        box: (4,) xyxy px of the face in its first frame; not needed where `is_small(info)`.
    """
    path.unlink(missing_ok=True)  # of the source before
    region = (0, 0, info.width, info.height)
    if not is_small(info):
        region = (0, 0, 0, 0) if box is None else _choose_region(info, box)
    store = PictureStore(path, region, 0)
    room = min(MAX_BYTES, shutil.disk_usage(path.parent).free // _MAX_SHARE)
    is_even = not any(value % 2 for value in (info.width, info.height))
    x0, y0, x1, y1 = region
    frame_bytes = (x1 - x0) * (y1 - y0) * 3 // 2
    expected = (info.duration or math.inf) * info.fps * frame_bytes
    if frame_bytes and is_even and expected <= room:
        store.limit = room // frame_bytes
    return store


def is_small(info: VideoInfo) -> bool:
    """Whether a source's pictures are kept whole."""
    return info.width * info.height <= _WHOLE


def _choose_region(info: VideoInfo, box: npt.NDArray[np.float64]) -> Region:
    low, high = box[:2], box[2:]
    side = float((high - low).max())
    centre = (low + high) / 2 - [0, _REGION_RAISE * side]
    half = _REGION_SCALE * side / 2
    size = np.array([info.width, info.height])
    start = np.clip(centre - half, 0, np.maximum(0, size - 2 * half))  # moved in, as crops are
    x0, y0 = (2 * int(value / 2) for value in start)
    x1, y1 = (
        min(2 * int(value / 2 + 1), int(end))
        for value, end in zip(start + 2 * half, size, strict=True)
    )
    return x0, y0, max(x0, x1), max(y0, y1)
