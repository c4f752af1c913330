"""Pass 1 over a source: decode once, find shot changes, run the face mesh on every source frame.

Landmarks go to a file, small per-frame numbers stay in memory: memory does not grow with length
but for some 60 bytes a frame.
"""

import contextlib
import math
from array import array
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from toolkit.clock import HOLE, find_stuck
from toolkit.errors import SourceError
from toolkit.features.face_detectors import Picture
from toolkit.features.landmarks import FaceMesh, Mesh
from toolkit.features.small_faces import LARGE_SHARE
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

_SEARCH_EVERY, _SEARCH_LATER, _LATER = 6, 15, 60
"""Frames between two searches for a small face while there is none, at first and from `_LATER` on:
0.2 and 0.5 s at 30 a second. In turned pictures one is looked for every `_LATER` frames."""

_CHECK_TURN, _CHECK_TURN_EVERY = (0, 10, 20, 40), 150
"""Frames of a face at which it is checked whether it stands upright: these, then every so many."""
_PREDICTED = 3
"""Frames shown before a damaged one that may be predicted from it: as many B-frames are usual."""

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
        too_small: (F,) float32 box height of a face that is too small to be followed, 0 without.
        turns: (F,) int8 quarter turns anticlockwise that set the face upright; −1 where that was
            not looked at.
        sizes: (F, 2) int32 width and height of the source's upright, square-pixel picture.
        damaged: (F,) bool, True where decoding failed, until the next key frame; no face is there.
        spool: file of (F, 478, 3) float32 meshes of the first face.
        store: source pictures that were kept.
    """

    times: npt.NDArray[np.float64]
    has_face: npt.NDArray[np.bool_]
    boxes: npt.NDArray[np.float32]
    second_height: npt.NDArray[np.float32]
    starts: npt.NDArray[np.bool_]
    changes: npt.NDArray[np.float32]
    too_small: npt.NDArray[np.float32]
    turns: npt.NDArray[np.int8]
    sizes: npt.NDArray[np.int32]
    damaged: npt.NDArray[np.bool_]
    spool: Path
    store: PictureStore | None = None

    @property
    def mean_fps(self) -> float:
        """Source frames a second, from their times, holes and frames at one time aside.

        0 where there is only one.
        """
        times = self.times[~self.stuck]
        steps = np.diff(times)
        steps = steps[steps > 0]
        holes = steps[steps > HOLE] if np.any(steps <= HOLE) else steps[:0]
        span = float(times[-1] - times[0] - holes.sum())
        return (len(steps) - len(holes)) / span if span > 0 else 0.0

    @property
    def frame_seconds(self) -> float:
        """How long the last frame is shown: the median time between frames, or 1/25 s."""
        times = self.times[~self.stuck]
        return float(np.median(np.diff(times))) if len(times) > 1 else 0.04

    @cached_property
    def stuck(self) -> npt.NDArray[np.bool_]:
        """(F,) bool: frames at times that stand still, which no clock frame shows."""
        return find_stuck(self.times)

    def info_at(self, frame: int, info: VideoInfo) -> VideoInfo:
        """What the probe said, with the size of the picture at a source frame."""
        width, height = map(int, self.sizes[frame])
        grown = math.hypot(width, height) / math.hypot(info.width, info.height)
        focal = info.focal and info.focal * grown
        return replace(info, width=width, height=height, focal=focal)

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
    follower = _Follower(mesh, 1.0)
    shots, lookout = ShotDetector(), Lookout(mesh)
    times, numbers, others, turns = array("d"), array("f"), bytearray(), array("b")
    sizes, damaged = array("i"), bytearray()
    frames = read_frames(path, info, streams, size=fit_size, store=store)
    with spool.open("wb") as file, contextlib.closing(frames):
        for group in group_frames(frames):
            cuts = [shots.is_cut(frame.picture, frame.size) for frame in group]
            look = lookout.must_look(
                group, face=follower.face, num_faces=follower.num_faces, has_cut=any(cuts)
            )
            for frame, is_cut in zip(group, cuts, strict=True):
                follower.scale = frame.size[0] / frame.picture.shape[1]
                points, second, is_other = follower.follow(frame.picture, is_cut, look=look)
                file.write(memoryview(points.data).cast("B"))
                times.append(frame.time)
                small = follower.too_small * float(follower.scale)
                numbers.extend((*points[:, :2].min(0), *points[:, :2].max(0), second, small))
                turns.append(follower.turn)
                shots.add_face(points)
                others.append(is_other)
                sizes.extend(frame.size)
                damaged.append(frame.damaged)
                on_frame()
    if not times:
        raise SourceError(Reason.UNREADABLE, "no frame decodes")
    table = np.frombuffer(numbers, np.float32).reshape(-1, 6)
    found, damages = shots.finish(), widen(np.frombuffer(damaged, np.bool_))
    return Track(
        times=np.frombuffer(times, np.float64),
        has_face=np.isfinite(table[:, 0]) & ~found.flashes & ~damages,
        boxes=np.where(damages[:, None], np.float32(np.nan), table[:, :4]),
        second_height=np.where(found.blends, np.inf, table[:, 4]),
        starts=found.starts | np.frombuffer(others, np.bool_),
        changes=found.largest,
        too_small=table[:, 5],
        turns=np.frombuffer(turns, np.int8),
        sizes=np.frombuffer(sizes, np.int32).reshape(-1, 2),
        damaged=damages,
        spool=spool,
        store=store,
    )


def widen(damaged: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """(F,) bool: the frames before a damaged one as well, which may be predicted from it."""
    wide = damaged.copy()
    for step in range(1, _PREDICTED + 1):
        wide[:-step] |= damaged[step:]
    return wide


class _Follower:
    """Follows one face: the largest at first, then the one nearest to where it was.

    Attributes:
        scale: source pixels per pixel of the pictures to come.
        face: its mesh in the last frame, in pixels of the picture; None without one.
        num_faces: faces known in the last frame, this one included.
        too_small, turn: of the last frame, as in `Track`; pixels of the picture.
    """

    def __init__(self, mesh: FaceMesh, scale: float) -> None:
        self._mesh, self.scale = mesh, scale
        self.face: Mesh | None = None
        self.num_faces = 0
        self.too_small, self.turn = 0.0, -1
        self._last: Mesh | None = None  # of this shot
        self._has_searched, self._run = False, 0  # frames in a row with a face, or without one
        mesh.reset()

    def follow(
        self, picture: Picture, is_cut: bool, *, look: bool = True
    ) -> tuple[Mesh, float, bool]:
        """The face's mesh (NaN without one), the second's height, whether the face is another.

        `look`: look for further faces in this frame, if one is followed already.
        """
        if is_cut:
            self._mesh.reset()
            self.face = self._last = None
            self._has_searched, self._run = False, 0
        faces = self._mesh.detect(picture, look=look)
        if self.face is None and faces:
            faces = self._mesh.settle(picture) or faces
            faces = [face for face in faces if self._mesh.confirm(picture, face)]
        self.too_small, self.turn = 0.0, -1
        faces = faces or self._search(picture)
        self.num_faces = len(faces)
        if not faces:
            self._run = self._run + 1 if self.face is None else 1
            self.face = None
            return np.full((NUM_LANDMARKS, 3), np.nan, np.float32), 0.0, False
        first = faces.pop(self._choose(faces))
        second = max((self._weigh(picture, face, first) for face in faces), default=0.0)
        outside = self._mesh.measure_outside(picture, first) if look else 0.0
        self.num_faces += outside > 0
        is_near = self._last is None or _distance(first, self._last) <= _JUMP * _height(first)
        is_other = (self.face is not None or self._has_searched) and not is_near
        self._run = 0 if is_other or self.face is None else self._run
        if self._run in _CHECK_TURN or self._run % _CHECK_TURN_EVERY == 0:
            self.turn = self._mesh.measure_turn(picture, first)
        self._run += 1
        self.face = self._last = first
        if outside > 2 * _height(first) and not _is_small(outside, picture):
            self._mesh.reset()  # the mesh alone is to find the large one
            self.face = None
        return first * self.scale, max(second, outside) * float(self.scale), is_other

    def _search(self, picture: Picture) -> list[Mesh]:
        """A face that the mesh does not find by itself, where it is time to look for one.

        Not where a large face was lost just now: it comes back, and others may be behind it.
        """
        run = self._run if self.face is None else 0
        is_back_soon = self._last is not None and not _is_small(_height(self._last), picture)
        every = _SEARCH_EVERY if run < _LATER else _SEARCH_LATER
        if run % every or (run == 0 and is_back_soon):
            return []
        faces, self.too_small = self._mesh.search(picture)
        self._has_searched |= bool(faces)
        if not faces and run % _LATER == 0:
            self.turn = self._mesh.find_turn(picture)
        return faces

    def _weigh(self, picture: Picture, face: Mesh, first: Mesh) -> float:
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


def _is_small(height: float, picture: Picture) -> bool:
    return height < LARGE_SHARE * max(picture.shape)


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
