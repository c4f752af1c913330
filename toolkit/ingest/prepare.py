"""A stretch of a source as the extractors see it."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from toolkit.clock import frame_to_sample
from toolkit.facemodel.camera import default_intrinsics
from toolkit.ingest.clips import choose_crop, choose_square
from toolkit.ingest.crops import read_pictures
from toolkit.ingest.rejected import Stretch
from toolkit.ingest.timeline import Timeline
from toolkit.ingest.track import Track
from toolkit.media.audio import read_samples
from toolkit.media.video import Streams
from toolkit.schema import ClipInput, VideoInfo


def prepare_clip(
    stretch: Stretch,
    *,
    clip_id: str,
    path: Path,
    info: VideoInfo,
    streams: Streams,
    track: Track,
    timeline: Timeline,
    sound: Path,
    fps: int,
    focal: float | None,
    margin: float | None,
) -> ClipInput:
    """Everything an extractor may ask about a stretch, on the clip's clock.

    Its crop has a margin around the face; None: it is the picture's largest square.
    """
    first, last = stretch.start, stretch.start + stretch.num
    index = timeline.shown[first:last]
    info = track.info_at(int(index[0]), info)
    boxes, size = track.boxes[index], (info.width, info.height)
    clip = ClipInput(
        clip_id=clip_id,
        path=path,
        fps=fps,
        start_frame=first,
        num_frames=stretch.num,
        picture_size=(info.width, info.height),
        intrinsics=choose_intrinsics(info, focal),
        crop=choose_square(boxes, track.boxes, size)
        if margin is None
        else choose_crop(boxes, size, margin),
        valid=track.has_face[index] & ~timeline.stale[first:last],
        source_time=track.times[index],
        source_index=index,
        source_num_frames=len(track.times),
        num_pictures=len(np.unique(timeline.pictures[first:last])),
        load_landmarks=lambda: _load_landmarks(track, index),
        load_pcm=lambda: read_samples(
            sound, frame_to_sample(first, fps), frame_to_sample(last, fps)
        ),
        read_frames=lambda: read_pictures(clip, info, streams),
    )
    return clip


def choose_intrinsics(info: VideoInfo, focal: float | None) -> tuple[float, float, float, float]:
    """fx, fy, cx, cy in source px: as given, else as the file says, else OpenFace's rule."""
    return default_intrinsics(info.width, info.height, focal or info.focal)


def _load_landmarks(track: Track, index: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """(n, 478, 3) source px; frames without a face are interpolated linearly in time."""
    faces = np.flatnonzero(track.has_face)
    low = int(faces[max(0, np.searchsorted(faces, index[0], side="right") - 1)])
    high = int(faces[min(len(faces) - 1, np.searchsorted(faces, index[-1]))]) + 1
    meshes = track.read_landmarks(low, high)
    found, missing = np.flatnonzero(track.has_face[low:high]), ~track.has_face[low:high]
    times = track.times[low:high]
    after = np.searchsorted(found, np.flatnonzero(missing))
    left, right = found[after - 1], found[after]
    share = ((times[missing] - times[left]) / (times[right] - times[left])).astype(np.float32)
    share = share[:, None, None]
    meshes[missing] = (1 - share) * meshes[left] + share * meshes[right]
    rows: npt.NDArray[np.float32] = meshes[index - low]
    return rows


def to_crop(landmarks: npt.NDArray[np.float32], clip: ClipInput, size: int) -> Any:
    """Landmarks (n, 478, 3) in pixels of the crop scaled to `size`."""
    x0, y0, x1, _ = clip.crop
    scale = size / (x1 - x0)
    return (landmarks - np.array([x0, y0, 0], np.float32)) * np.float32(scale)
