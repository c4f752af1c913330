"""Where a drawn head appears: a clip's camera and crop, and its source as the background.

Legend: n frames of the clip.
"""

import contextlib
import itertools
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from toolkit.dataset.manifest import read_history, read_table
from toolkit.dataset.paths import decode_path
from toolkit.errors import SourceError, ToolkitError
from toolkit.ingest.crops import JPEG_QUALITY, read_stretch
from toolkit.media.video import Streams, probe
from toolkit.schema import VideoInfo
from toolkit.storage import guard_storage, hash_file
from zoo.data.frames import Picture, RenderClip, Stretches
from zoo.data.source import find_dataset
from zoo.speaking.compose import Pasting
from zoo.speaking.heads import Frames, follow_heads, place_heads
from zoo.speaking.plate import Plate, show_crops


def choose_clip(clips: Sequence[RenderClip], trained_on: Stretches) -> RenderClip:
    """The longest stretch that a renderer was trained on, the first of several.

    The longest clip where none of them is known to have been trained on.
    """
    known = [clip.take(*trained_on[clip.id]) for clip in clips if clip.id in trained_on]
    return max(known or clips, key=lambda clip: clip.num_frames)


class Scene:
    """Drawn frames of any number, by themselves or in the pictures of the clip's source."""

    def __init__(self, clip: RenderClip, shards: Path, background: str) -> None:
        """Find what is shown around the head.

        Args:
            clip: whose camera the frames are drawn with.
            shards: the dataset's folder `shards`, or the dataset's folder.
            background: `crop` for no more than the crop, `source` for the clip's source, `full`
                where whole frames are drawn.

        Raises:
            ToolkitError: the source is not there any more, or cannot be decoded.
        """
        self._clip = clip
        self._source = _open_source(clip, shards) if background == "source" else None

    def show(
        self, drawn: Iterator[Picture], num_frames: int, pose: npt.ArrayLike | None = None
    ) -> Iterator[Picture]:
        """The drawn frames in their pictures, one at a time.

        Squares (size, size, 3) are pasted; below them the source runs forwards, then backwards,
        and so on. Heads with an alpha (size, size, 4) are laid over the source's frames whose head
        is nearest, see `follow_heads`, and over the plate where the source's own shows; without
        the source, over the plate.

        Args:
            drawn: as many frames.
            num_frames: n.
            pose: (n, 6) of the drawn heads, of the model, where they have an alpha.
        """
        if self._source is None:
            yield from show_crops(self._clip, drawn)
        elif pose is None:
            yield from self._paste(self._source, drawn, num_frames)
        else:
            yield from self._lay(self._source, drawn, pose)

    def _paste(
        self, source: "SourcePictures", drawn: Iterator[Picture], num_frames: int
    ) -> Iterator[Picture]:
        pasting: Pasting | None = None
        pictures = source.follow(swing(self._clip.num_frames, num_frames))
        for picture, frame in zip(pictures, drawn, strict=True):
            pasting = pasting or source.place(picture)
            yield pasting.paste(picture, frame)

    def _lay(
        self, source: "SourcePictures", drawn: Iterator[Picture], pose: npt.ArrayLike
    ) -> Iterator[Picture]:
        clip, plate = self._clip, Plate(self._clip)
        own = place_heads(clip.model_pose, clip.camera)
        path = follow_heads(place_heads(pose, clip.camera), own)
        pasting: Pasting | None = None
        for t, picture, frame in zip(path.tolist(), source.follow(path), drawn, strict=True):
            pasting = pasting or source.place(picture)
            yield pasting.lay(picture, frame, plate.picture, plate.find_person(t))


def _open_source(clip: RenderClip, shards: Path) -> "SourcePictures":
    """The file that a clip was cut from."""
    path = find_source(clip, shards)
    with _explain(path):
        info, streams = probe(path)
    stored = clip.reader.read("video/source_time", clip.index)
    times = stored[clip.first : clip.first + clip.num_frames].astype(np.float64)
    return SourcePictures(path, times, clip.reader.clips[clip.index].crop, info, streams)


class SourcePictures:
    """Pictures of a video, in any order, and the square of them that is drawn."""

    def __init__(
        self,
        path: Path,
        times: npt.NDArray[np.float64],
        crop: Sequence[float],
        info: VideoInfo,
        streams: Streams,
    ) -> None:
        """Take a file.

        Args:
            path: the video.
            times: (n,) presentation times, s, rising.
            crop: xyxy px of its pictures.
            info: from `probe`.
            streams: from `probe`.
        """
        self._path, self._times, self._crop = path, times, crop
        self._info, self._streams = info, streams

    def place(self, picture: Picture) -> Pasting:
        """Where the crop lies in pictures of this one's size."""
        return Pasting(self._crop, (picture.shape[1], picture.shape[0]))

    def follow(self, path: Frames) -> Iterator[Picture]:
        """The pictures of the clip's frames (n,), in this order; what comes again lies in a file.

        The source is decoded once, from the first of them to the last, as far as is needed.
        """
        if not len(path):
            return
        frames, first = path.tolist(), int(path.min())
        last_use = {frame: t for t, frame in enumerate(frames)}
        pictures = enumerate(self._read(self._times[first : path.max() + 1]), first)
        with tempfile.TemporaryFile(prefix="zoo-") as file:
            spool, reached = Spool(file), first - 1
            for t, frame in enumerate(frames):
                if frame <= reached:
                    yield spool.read(frame)
                    continue
                for reached, picture in pictures:
                    if last_use.get(reached, -1) > t:
                        spool.add(reached, picture)
                    if reached == frame:
                        yield picture
                        break

    def _read(self, times: npt.NDArray[np.float64]) -> Iterator[Picture]:
        with _explain(self._path):
            yield from read_stretch(self._path, times, self._info, self._streams)


class Spool:
    """Pictures as JPEGs in a file, so that memory does not grow with the clip."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._end = file, 0
        self._places = dict[int, tuple[int, int]]()

    def add(self, number: int, picture: Picture) -> None:
        import simplejpeg

        jpeg = simplejpeg.encode_jpeg(picture, quality=JPEG_QUALITY, colorsubsampling="420")
        self._places[number] = self._end, len(jpeg)
        self._file.seek(self._end)
        with guard_storage(Path(tempfile.gettempdir())):
            self._end += self._file.write(jpeg)

    def read(self, number: int) -> Picture:
        import simplejpeg

        first, length = self._places[number]
        self._file.seek(first)
        picture: Picture = simplejpeg.decode_jpeg(self._file.read(length), "RGB")
        return picture


def swing(num_frames: int, length: int) -> Frames:
    """So many of frames 0, 1, …, n − 1, n − 2, …, 0, 1, …: none stands still or jumps."""
    frames = itertools.chain(range(num_frames), swing_back(num_frames))
    return np.fromiter(itertools.islice(frames, length), np.int64, length)


def swing_back(num_frames: int) -> Iterator[int]:
    """What follows frames 0 … n − 1: n − 2, …, 0, 1, …, n − 1, n − 2, … without end."""
    if num_frames == 1:
        yield from itertools.repeat(0)
    yield from itertools.cycle([*range(num_frames - 2, -1, -1), *range(1, num_frames)])


def refuse_inputs(out: Path, *inputs: Path) -> None:
    """ToolkitError where a video would be written over what it is made of."""
    if any(out.exists() and path.exists() and out.samefile(path) for path in inputs):
        raise ToolkitError(f"{out}: the video would be written over what it is made of")


def locate_source(clip: RenderClip, shards: Path) -> Path:
    """Where a clip's source lies, or lay."""
    return find_dataset(shards) / decode_path(clip.source)


def find_source(clip: RenderClip, shards: Path) -> Path:
    """Where a clip's source lies; ToolkitError where it is gone, or another file in its place."""
    path = locate_source(clip, shards)
    if not path.is_file() or not _holds_source(path, clip, find_dataset(shards)):
        what = "is another file now" if path.is_file() else "is gone"
        raise ToolkitError(
            f"{path}: the video that clip {clip.id} was cut from {what}: put it back, or show the "
            "head alone with --background crop"
        )
    return path


def _holds_source(path: Path, clip: RenderClip, dataset: Path) -> bool:
    """Whether a file holds what a clip was cut from: as ingest left it, else by its digest."""
    clips, rows = read_table(dataset, "clips"), read_history(dataset)
    digests = clips.loc[clips["clip_id"] == clip.id, "source_sha256"].tolist()
    rows = rows[(rows["source"] == clip.source) & rows["sha256"].isin(digests)]
    state = path.stat()
    known = zip(rows["size"].tolist(), rows["mtime_ns"].tolist(), strict=True)
    return (state.st_size, state.st_mtime_ns) in known or hash_file(path) in digests


@contextlib.contextmanager
def _explain(path: Path) -> Iterator[None]:
    """Say what to do where a source cannot be decoded."""
    try:
        yield
    except SourceError as error:
        raise ToolkitError(
            f"{path}: {error}: show the head alone with --background crop"
        ) from error
