"""Pass 2 over a clip: decode the stretch again, cropped and scaled, frame by frame."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from toolkit.dataset.rows import SHARPNESS_EVERY, measure_sharpness
from toolkit.errors import SourceError
from toolkit.features.fingerprint import SMALL_SIZE, make_small
from toolkit.media.decode import Frame, Size, read_frames, read_stored
from toolkit.media.picture_store import PictureStore
from toolkit.media.video import Streams
from toolkit.mesh import NUM_VERTICES
from toolkit.schema import ClipInput, Reason, VideoInfo

JPEG_QUALITY = 95

_SEEK_MARGIN = 0.5
_MATCH = 1e-4


@dataclass(frozen=True)
class Pass2:
    """What pass 2 over a clip of n frames gives.

    Attributes:
        colors: (n, 468, 3) uint8 RGB at the mesh's vertices.
        sharpness: median variance of the Laplacian of the grey crop at 256 px.
        small: (n, 64, 64) uint8 grey crops.
        jpegs: file of the frames' JPEGs behind one another.
        lengths: bytes of each; empty where no frames are stored.
    """

    colors: npt.NDArray[np.uint8]
    sharpness: float
    small: npt.NDArray[np.uint8]
    jpegs: Path
    lengths: list[int]

    def read_jpegs(self) -> Iterator[bytes]:
        """The JPEGs, one at a time."""
        with self.jpegs.open("rb") as file:
            for length in self.lengths:
                yield file.read(length)


def encode_crops(
    crops: Iterator[tuple[npt.NDArray[np.uint8], bool]],
    landmarks: npt.NDArray[np.float32],
    spool: Path,
    *,
    size: int,
    store: bool,
) -> Pass2:
    """Encode a clip's crops into a file, and measure what needs the picture.

    Args:
        crops: from `read_crops`.
        landmarks: (n, 478, 3) float32 in pixels of these crops.
        spool: file to write the JPEGs to.
        size: side of the crops, px.
        store: whether frames are stored at all.
    """
    import simplejpeg

    places = landmarks[:, :NUM_VERTICES, :2].astype(np.intp).clip(0, size - 1)
    pixels = places[:, :, 1] * size + places[:, :, 0]
    colors = np.empty((len(landmarks), NUM_VERTICES, 3), np.uint8)
    small = np.empty((len(landmarks), SMALL_SIZE, SMALL_SIZE), np.uint8)
    sharpness: list[float] = []
    lengths: list[int] = []
    jpeg = b""
    with spool.open("wb") as file:
        for frame, (picture, is_new) in enumerate(crops):
            if store:
                if is_new:
                    jpeg = simplejpeg.encode_jpeg(
                        picture, quality=JPEG_QUALITY, colorspace="RGB", colorsubsampling="420"
                    )
                lengths.append(file.write(jpeg))
            if frame % SHARPNESS_EVERY == 0:
                sharpness.append(measure_sharpness(picture))
            small[frame] = make_small(picture) if is_new or not frame else small[frame - 1]
            colors[frame] = picture.reshape(-1, 3)[pixels[frame]]
    return Pass2(colors, float(np.median(sharpness)), small, spool, lengths)


def read_crops(
    clip: ClipInput,
    info: VideoInfo,
    streams: Streams,
    size: int,
    store: PictureStore | None = None,
) -> Iterator[tuple[npt.NDArray[np.uint8], bool]]:
    """The clip's crops in order: (picture (size, size, 3) uint8 RGB, whether it is a new one).

    The same picture comes again where the clock repeats a source frame. What pass 1 kept in the
    store is not decoded again.

    Raises:
        SourceError: `unreadable`, where the second decode gives other frames than the first.
    """
    x0, y0, x1, y1 = (round(value) for value in clip.crop)
    crop, shown = (x0, y0, x1, y1), _list_shown(clip)
    if store is not None and store.holds(crop, int(clip.source_index[-1]), info):
        numbers = clip.source_index.astype(float).tolist()
        kept = [(number, is_new) for number, (_, is_new) in zip(numbers, shown, strict=True)]
        first = int(clip.source_index[0])
        with contextlib.closing(
            read_stored(store, first, info, size=(size, size), crop=crop)
        ) as frames:
            yield from _show_frames(frames, kept, clip.path)
        return
    yield from _show(clip.path, shown, info, streams, size=(size, size), crop=crop)


def read_pictures(
    clip: ClipInput, info: VideoInfo, streams: Streams
) -> Iterator[npt.NDArray[np.uint8]]:
    """The clip's whole pictures (height, width, 3) uint8 RGB at source size, one a clock frame."""
    shown, size = _list_shown(clip), (info.width, info.height)
    for picture, _ in _show(clip.path, shown, info, streams, size=size, crop=None):
        yield picture


def read_stretch(
    path: Path, times: npt.NDArray[np.float64], info: VideoInfo, streams: Streams
) -> Iterator[npt.NDArray[np.uint8]]:
    """A source's whole pictures at presentation times (n,) s, rising, as shards store them.

    Each has the size that the source's picture has then. It is the same object again where its
    time repeats; errors as `read_crops`.
    """
    is_new = np.diff(times, prepend=-np.inf) > 0
    shown = list(zip(times.tolist(), is_new.tolist(), strict=True))
    for picture, _ in _show(path, shown, info, streams, size=_whole_size, crop=None):
        yield picture


def _whole_size(info: VideoInfo) -> tuple[int, int]:
    return info.width, info.height


Shown = list[tuple[float, bool]]
"""Presentation time (s) of the source frame at each clock frame, and whether it is a new one."""


def _list_shown(clip: ClipInput) -> Shown:
    is_new = np.diff(clip.source_index, prepend=-1) != 0
    return list(zip(clip.source_time.tolist(), is_new.tolist(), strict=True))


def _show(
    path: Path,
    shown: Shown,
    info: VideoInfo,
    streams: Streams,
    *,
    size: Size | Callable[[VideoInfo], Size],
    crop: tuple[int, int, int, int] | None,
) -> Iterator[tuple[npt.NDArray[np.uint8], bool]]:
    yield from _show_frames(_seek(path, shown[0][0], info, streams, size, crop), shown, path)


def _show_frames(
    frames: Iterator[Frame], shown: Shown, path: Path
) -> Iterator[tuple[npt.NDArray[np.uint8], bool]]:
    picture: npt.NDArray[np.uint8] | None = None
    for time, is_new in shown:
        if is_new:
            picture = _next_at(frames, time, path).picture
        if picture is not None:
            yield picture, is_new


def _seek(
    path: Path,
    first: float,
    info: VideoInfo,
    streams: Streams,
    size: Size | Callable[[VideoInfo], Size],
    crop: tuple[int, int, int, int] | None,
) -> Iterator[Frame]:
    """Frames from time `first` on: by seeking, or from the top where seeking overshoots."""
    start = first - _SEEK_MARGIN
    if start > 1.0:
        frames = read_frames(path, info, streams, size=size, crop=crop, start=start)
        try:
            head = next(frames, None)
        except SourceError:
            head = None
        if head is not None and head.time <= first + _MATCH:
            yield head
            yield from frames
            return
        frames.close()
    yield from read_frames(path, info, streams, size=size, crop=crop)


def _next_at(frames: Iterator[Frame], time: float, path: Path) -> Frame:
    for frame in frames:
        if abs(frame.time - time) <= _MATCH:
            return frame
        if frame.time > time:
            break
    raise SourceError(
        Reason.UNREADABLE, f"decoding {path.name} again does not give the frame at {time:.4f} s"
    )
