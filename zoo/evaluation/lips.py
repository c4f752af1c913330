"""Lips and sound of any video, 25 times a second, to a judge's distances.

Legend: n ticks (25 a second) of a stretch, F frames of a source.
"""

import functools
import math
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from toolkit.clock import TOLERANCE
from toolkit.errors import SourceError
from toolkit.ingest.track import Track
from toolkit.media.audio import read_samples
from toolkit.schema import Reason
from zoo.data.talking import MIN_TICKS, RATE, TICK_SAMPLES
from zoo.evaluation.pool import KILLED, explain_error, run_each
from zoo.evaluation.sync import Floats, Judge
from zoo.evaluation.tracked import (
    LaidOutVideo,
    Shown,
    StillVideo,
    TrackedVideo,
    load_mesh,
    track_video,
)
from zoo.metrics.sync import REACH, SyncScore, measure_distances, measure_sync

_WINDOW = 5
"""Pictures that a judge sees at once."""

_MESHES = 1000
"""Meshes in memory at once."""


@functools.cache
def open_judge(path: Path, device: str = "auto") -> Judge:
    """A judge of lip-sync, ready for use.

    Args:
        path: a run's folder or checkpoint, what `zoo export syncnet` wrote, or the published
            syncnet_v2.model.
        device: `auto`, `cpu`, `cuda` or `cuda:N`.

    Raises:
        ToolkitError: it is no judge, or the device is not to be had.
    """
    from zoo.models.registry import open_model
    from zoo.training.distributed import find_device
    from zoo.training.loop import BEST

    file = path / BEST if path.is_dir() else path
    judge: Judge = open_model(file, find_device(device), makes="distances")
    return judge


def describe_judge(judge: Judge) -> str:
    """Its name with the digest of its weights, and whether it stands in for the published one."""
    note = "" if judge.is_published else ", a stand-in for syncnet_v2"
    return f"{judge.name}, sha256 {judge.sha256[:12]}…{note}"


def judge_video(
    video: TrackedVideo,
    judge: Judge,
    *,
    start: float = 0.0,
    end: float = math.inf,
    is_still: bool = False,
) -> Floats:
    """Distances (n − 4, 31) of a video's face and sound, for `measure_sync`.

    Pictures are those shown at 25 a second by the video's times, whatever its rate; a few are in
    memory at once. The sound is the video's own, until 15 ticks behind the stretch.

    Args:
        video: with the spool of its meshes.
        judge: which.
        start: of the stretch, s from the video's start.
        end: of it.
        is_still: the picture at the stretch's start is shown throughout.

    Raises:
        SourceError: it has no sound, or shows no face there.
        ValueError: picture or sound lasts less than 36 ticks.
    """
    if video.sound is None:
        raise SourceError(Reason.NO_AUDIO, video.silence)
    clock = LaidOutVideo(video, RATE)
    first = max(clock.first, _count_ticks(start))
    last = clock.last if math.isinf(end) else min(clock.last, _count_ticks(end))
    stop = last + REACH + 1
    pcm = read_samples(video.sound, first * TICK_SAMPLES, stop * TICK_SAMPLES)
    if min(last - first, len(pcm) // TICK_SAMPLES) < MIN_TICKS:
        raise ValueError(f"is too short: lips and sound of {MIN_TICKS / RATE:.2f} s are needed")
    faces = _embed_still if is_still else _embed
    return measure_distances(faces(clock, judge, first, last), judge.embed_sound(pcm))


def judge_shown(shown: Shown, judge: Judge, first: int, last: int) -> Floats:
    """The same of frames [first, last) of a video on a clock, or of its still picture."""
    return judge_video(
        shown.video,
        judge,
        start=first / shown.fps if first > shown.first else 0.0,
        end=last / shown.fps if last < shown.last else math.inf,
        is_still=isinstance(shown, StillVideo),
    )


def _count_ticks(seconds: float) -> int:
    """Ticks before a time."""
    return math.ceil((seconds - TOLERANCE) * RATE)


def _embed(clock: LaidOutVideo, judge: Judge, first: int, last: int) -> npt.NDArray[np.float32]:
    """(n − 4, D) of ticks [first, last)."""
    frames = clock.timeline.shown[first:last]
    places = _place(clock.video.track, judge, int(frames[0]), int(frames[-1]) + 1)
    if np.isnan(places).all():
        raise SourceError(Reason.NO_FACE, "no face is seen in it")
    return judge.embed_pictures(clock.read_pictures(first, last), places[frames - frames[0]])


def _embed_still(
    clock: LaidOutVideo, judge: Judge, first: int, last: int
) -> npt.NDArray[np.float32]:
    """The same with the picture of tick `first` throughout."""
    frame = int(clock.timeline.shown[first])
    place = _place(clock.video.track, judge, frame, frame + 1)
    if np.isnan(place).all():
        raise SourceError(Reason.NO_FACE, "no face is seen in its first picture")
    pictures = [*clock.read_pictures(first, first + 1)] * _WINDOW
    face = judge.embed_pictures(iter(pictures), np.repeat(place, _WINDOW, axis=0))
    return np.repeat(face, last - first - _WINDOW + 1, axis=0)


def _place(track: Track, judge: Judge, first: int, last: int) -> Floats:
    """Where to look in source frames [first, last), (last − first, 4); NaN without a face."""
    starts = range(first, last, _MESHES)
    meshes = (track.read_landmarks(k, min(k + _MESHES, last)) for k in starts)
    places = np.concatenate([judge.place(block) for block in meshes])
    places[~track.has_face[first:last]] = np.nan
    return places


# --- files --------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class FileSync:
    """What a judge makes of one file.

    Attributes:
        path: the file.
        score: None where it was not judged.
        error: why; "" where it was.
    """

    path: Path
    score: SyncScore | None = None
    error: str = ""


def judge_files(
    paths: Sequence[Path], judge: Path, *, device: str = "auto", workers: int = 1
) -> Iterator[FileSync]:
    """Whether lips and sound of files are in step, as each is done.

    Args:
        paths: videos.
        judge: see `open_judge`, which each process calls.
        device: likewise.
        workers: processes.
    """
    work = functools.partial(_judge_file, judge=judge, device=device)
    return run_each(work, paths, workers, _fail)


def _judge_file(path: Path, judge: Path, device: str) -> FileSync:
    with tempfile.TemporaryDirectory(prefix="zoo-") as folder:
        try:
            video = track_video(path, Path(folder), load_mesh())
            score = measure_sync(judge_video(video, open_judge(judge, device)))
        except Exception as error:
            return FileSync(path=path, error=explain_error(error, path))
    return FileSync(path=path, score=score)


def _fail(path: Path) -> FileSync:
    return FileSync(path=path, error=KILLED)
