"""Pass 1 over a source: decode once, find shot changes, run the face mesh on every source frame.

Landmarks go to a file, small per-frame numbers stay in memory: memory does not grow with length
but for some 60 bytes a frame.
"""

import contextlib
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from toolkit.errors import SourceError
from toolkit.features.landmarks import FaceMesh, Mesh
from toolkit.ingest.lookout import Lookout, group_frames
from toolkit.ingest.shots import ShotDetector
from toolkit.media.decode import read_frames
from toolkit.media.picture_store import PictureStore, is_small, plan_store
from toolkit.media.video import Streams, fit_size
from toolkit.mesh import NUM_LANDMARKS
from toolkit.schema import Reason, VideoInfo

_JUMP = 0.5
"""A face whose centre moves further than this share of its height in one frame is another face."""

_SAME = 0.5
"""Boxes that overlap by more than this (intersection over the smaller) are one face seen twice."""

_HOLE = 0.2
"""Seconds between frames that are no rate's, in a source that has shorter ones too."""

_ROW = NUM_LANDMARKS * 3 * 4
_MEAN = np.full(NUM_LANDMARKS, 1 / NUM_LANDMARKS, np.float32)


@dataclass(frozen=True)
class Track:
    """What pass 1 saw, per source frame (F of them), in source pixels and seconds.

    Attributes:
        times: (F,) float64 presentation times.
        has_face: (F,) bool; False in a flash.
        boxes: (F, 4) float32 xyxy of the first face's mesh, NaN without one.
        second_height: (F,) float32 box height of the largest other face, 0 without one; infinite
            where one picture dissolves into another.
        starts: (F,) bool, True on the first frame of a shot, or of another face.
        changes: (F,) float32 levels by which the picture differs from the one before where it does
            most; infinite for the first.
        spool: file of (F, 478, 3) float32 meshes of the first face.
        store: source pictures that were kept.
    """

    times: npt.NDArray[np.float64]
    has_face: npt.NDArray[np.bool_]
    boxes: npt.NDArray[np.float32]
    second_height: npt.NDArray[np.float32]
    starts: npt.NDArray[np.bool_]
    changes: npt.NDArray[np.float32]
    spool: Path
    store: PictureStore | None = None

    @property
    def mean_fps(self) -> float:
        """Source frames a second, from their times, holes aside; 0 where there is only one."""
        steps = np.diff(self.times)
        holes = steps[steps > _HOLE] if np.any(steps <= _HOLE) else steps[:0]
        span = float(self.times[-1] - self.times[0] - holes.sum())
        return (len(steps) - len(holes)) / span if span > 0 else 0.0

    @property
    def frame_seconds(self) -> float:
        """How long the last frame is shown: the median time between frames, or 1/25 s."""
        return float(np.median(np.diff(self.times))) if len(self.times) > 1 else 0.04

    def read_landmarks(self, first: int, last: int) -> npt.NDArray[np.float32]:
        """(last − first, 478, 3) float32 meshes of source frames [first, last)."""
        count = (last - first) * NUM_LANDMARKS * 3
        data = np.fromfile(self.spool, "<f4", count=count, offset=first * _ROW)
        return data.reshape(-1, NUM_LANDMARKS, 3)


def track_faces(
    path: Path,
    info: VideoInfo,
    streams: Streams,
    *,
    mesh: FaceMesh,
    spool: Path,
    on_frame: Callable[[], None],
    keep: Path | None = None,
) -> Track:
    """Run the face mesh over a whole source.

    Args:
        path: the source.
        info: from `probe`.
        streams: from `probe`.
        mesh: the face mesh.
        spool: file for the meshes.
        on_frame: called at every frame.
        keep: file for source pictures, so that crops need no second decode; none where None.

    Raises:
        SourceError: `unreadable`.
    """
    store = None if keep is None else _plan_store(keep, path, info, streams, mesh)
    return _track(path, info, streams, mesh, spool, on_frame, store)


def _plan_store(
    keep: Path, path: Path, info: VideoInfo, streams: Streams, mesh: FaceMesh
) -> PictureStore:
    """A store for the pictures, or for the region around the face of the first one."""
    if is_small(info):
        return plan_store(keep, info, None)
    size = fit_size(info)
    with contextlib.closing(read_frames(path, info, streams, size=size)) as frames:
        first = next(frames, None)
        box = None if first is None else mesh.find_face(first.picture)
    scale = info.width / size[0]
    return plan_store(keep, info, None if box is None else box * scale)


def _track(
    path: Path,
    info: VideoInfo,
    streams: Streams,
    mesh: FaceMesh,
    spool: Path,
    on_frame: Callable[[], None],
    store: PictureStore | None,
) -> Track:
    size = fit_size(info)
    follower = _Follower(mesh, info.width / size[0])
    shots, lookout = ShotDetector(), Lookout(mesh)
    times, numbers, others = array("d"), array("f"), bytearray()
    frames = read_frames(path, info, streams, size=size, store=store)
    with spool.open("wb") as file, contextlib.closing(frames):
        for group in group_frames(frames):
            cuts = [shots.is_cut(frame.picture) for frame in group]
            look = lookout.must_look(
                group, face=follower.face, num_faces=follower.num_faces, has_cut=any(cuts)
            )
            for frame, is_cut in zip(group, cuts, strict=True):
                points, second, is_other = follower.follow(frame.picture, is_cut, look=look)
                file.write(memoryview(points.data).cast("B"))
                times.append(frame.time)
                numbers.extend((*points[:, :2].min(0), *points[:, :2].max(0), second))
                shots.add_face(points)
                others.append(is_other)
                on_frame()
    if not times:
        raise SourceError(Reason.UNREADABLE, "no frame decodes")
    table = np.frombuffer(numbers, np.float32).reshape(-1, 5)
    found = shots.finish()
    return Track(
        times=np.frombuffer(times, np.float64),
        has_face=np.isfinite(table[:, 0]) & ~found.flashes,
        boxes=table[:, :4],
        second_height=np.where(found.blends, np.inf, table[:, 4]),
        starts=found.starts | np.frombuffer(others, np.bool_),
        changes=found.largest,
        spool=spool,
        store=store,
    )


class _Follower:
    """Follows one face: the largest at first, then the one nearest to where it was.

    Attributes:
        face: its mesh in the last frame, in pixels of the picture; None without one.
        num_faces: faces known in the last frame, this one included.
    """

    def __init__(self, mesh: FaceMesh, scale: float) -> None:
        self._mesh, self._scale = mesh, np.float32(scale)
        self.face: Mesh | None = None
        self.num_faces = 0
        mesh.reset()

    def follow(
        self, picture: npt.NDArray[np.uint8], is_cut: bool, *, look: bool = True
    ) -> tuple[Mesh, float, bool]:
        """The face's mesh (NaN without one), the second's height, whether the face is another.

        `look`: look for further faces in this frame, if one is followed already.
        """
        if is_cut:
            self._mesh.reset()
            self.face = None
        faces = self._mesh.detect(picture, look=look)
        if self.face is None and faces:
            faces = self._mesh.settle(picture) or faces
            faces = [face for face in faces if self._mesh.confirm(picture, face)]
        self.num_faces = len(faces)
        if not faces:
            self.face = None
            return np.full((NUM_LANDMARKS, 3), np.nan, np.float32), 0.0, False
        first = faces.pop(self._choose(faces))
        second = max((self._weigh(picture, face, first) for face in faces), default=0.0)
        is_other = self.face is not None and _distance(first, self.face) > _JUMP * _height(first)
        self.face = first
        return first * self._scale, second * float(self._scale), is_other

    def _weigh(self, picture: npt.NDArray[np.uint8], face: Mesh, first: Mesh) -> float:
        """Height of another face; 0 if it is the first one again, or no face at all."""
        is_other = not _is_same(face, first) and self._mesh.confirm(picture, face)
        return _height(face) if is_other else 0.0

    def _choose(self, faces: list[Mesh]) -> int:
        last = self.face
        if len(faces) == 1:
            return 0
        if last is None:
            return int(np.argmax([_height(face) for face in faces]))
        return int(np.argmin([_deviation(face, last) for face in faces]))


def _height(face: Mesh) -> float:
    return float(np.ptp(face[:, 1]))


def _distance(a: Mesh, b: Mesh) -> float:
    """Between the centres."""
    return float(np.linalg.norm((_MEAN @ (a - b))[:2]))


def _deviation(a: Mesh, b: Mesh) -> float:
    """Mean distance of the vertices: tells a face found a second time from the one tracked."""
    return float(np.linalg.norm(a[:, :2] - b[:, :2], axis=1).mean())


def _is_same(a: Mesh, b: Mesh) -> bool:
    """One face found twice: its boxes overlap by more than half of the smaller."""
    low = np.maximum(a[:, :2].min(0), b[:, :2].min(0))
    high = np.minimum(a[:, :2].max(0), b[:, :2].max(0))
    smaller = min(np.prod(np.ptp(a[:, :2], axis=0)), np.prod(np.ptp(b[:, :2], axis=0)))
    return bool(np.prod(np.maximum(high - low, 0)) > _SAME * smaller)
