"""Pictures that pass 1 keeps on disk, so that crops need no second decode.

What is kept is what pass 2 would have decoded: yuv420p at source size, the whole picture where it
is small, else a region around the face of the first frame. A clip whose crop or frames are not in
the store is decoded again, as every clip was before there was one.
"""

import math
import resource
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

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

Region = tuple[int, int, int, int]


@dataclass
class PictureStore:
    """A file of raw yuv420p pictures behind one another, frame after frame of a source.

    Attributes:
        path: the file.
        region: xyxy, even source pixels, of each picture that is kept.
        limit: frames kept at most.
        looks: what ffmpeg said of the frames: pixel format, place of chroma, size, range, matrix.
        num_frames: frames in the file, once it is written.
    """

    path: Path
    region: Region
    limit: int
    looks: set[tuple[str, ...]] = field(default_factory=set)
    num_frames: int = 0

    @property
    def frame_bytes(self) -> int:
        x0, y0, x1, y1 = self.region
        return (x1 - x0) * (y1 - y0) * 3 // 2

    def finish(self, num_frames: int) -> bool:
        """Take note of how many frames were decoded; False where the file does not hold them."""
        expected = min(num_frames, self.limit)
        size = self.path.stat().st_size if self.path.exists() else 0
        self.num_frames = expected if size == expected * self.frame_bytes else 0
        return self.num_frames == expected

    def holds(self, crop: Region, last_frame: int, info: VideoInfo) -> bool:
        """Whether the crop of frames up to `last_frame` can be made from what is kept."""
        x0, y0, x1, y1 = self.region
        inside = (
            max(crop[0], 0) >= x0
            and max(crop[1], 0) >= y0
            and min(crop[2], info.width) <= x1
            and min(crop[3], info.height) <= y1
        )
        return inside and last_frame < self.num_frames and self._is_plain(info)

    def _is_plain(self, info: VideoInfo) -> bool:
        """Whether all frames were alike, and raw pictures of them lose nothing of their meaning."""
        if len(self.looks) != 1 or len(look := next(iter(self.looks))) != 5:
            return False  # frames differ, or this ffmpeg says less of them
        pixel_format, chroma, size, color_range, _ = look
        return (
            pixel_format == "yuv420p"
            and chroma in ("left", "unspecified")
            and size == f"{info.width}x{info.height}"
            and color_range in ("tv", "unknown")
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
    largest, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    if largest != resource.RLIM_INFINITY:
        room = min(room, largest)
    is_even = not any(value % 2 for value in (info.width, info.height))
    expected = (info.duration or math.inf) * info.fps * store.frame_bytes
    if store.frame_bytes and is_even and not info.interlaced and expected <= room:
        store.limit = room // store.frame_bytes
    return store


def is_small(info: VideoInfo) -> bool:
    """Whether a source's pictures are kept whole."""
    return info.width * info.height <= _WHOLE


def _choose_region(info: VideoInfo, box: npt.NDArray[np.float64]) -> Region:
    low, high = box[:2], box[2:]
    side = float((high - low).max())
    centre = (low + high) / 2 - [0, _REGION_RAISE * side]
    half = _REGION_SCALE * side / 2
    x0, y0 = (2 * int(max(0.0, value) / 2) for value in centre - half)
    x1, y1 = (
        min(2 * int(value / 2 + 1), end)
        for value, end in zip(centre + half, (info.width, info.height), strict=True)
    )
    return x0, y0, max(x0, x1), max(y0, y1)
