"""The video that a person was seen in, with their head in it for the drawn face to follow.

Legend: m ticks of the drawn video in the take, n of its frames, H the side of a drawn picture.
"""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d

from toolkit.features.landmarks import FaceMesh, Mesh
from toolkit.features.openface import fill_invalid
from toolkit.media.decode import read_frames
from toolkit.media.video import fit_size, probe
from toolkit.mesh import NUM_LANDMARKS
from zoo.data.picture_files import Picture
from zoo.data.portraits import Take, find_faces
from zoo.landmarks.align import add_pose, view68
from zoo.speaking.compose import Pasting
from zoo.speaking.scene import SourcePictures, swing

Floats = npt.NDArray[np.float64]

LONGEST = 60.0
"""Seconds of a take that are shown, forwards and backwards."""

_AROUND = 0.04
"""How far beyond the landmarks the drawn face is shown, shares of its picture's side."""

_JUMP = 0.5
"""Share of its height by which a face moves from frame to frame at most."""

_SMOOTH = 0.05
"""Deviation, s, of the Gaussian that takes the trembling out of where the head is."""


class VideoScene:
    """Frames of a take, forwards and backwards, as many as are drawn.

    Attributes:
        neutrals: (m, 68, 2) the face at rest, px of a drawn picture, where the head is.
    """

    def __init__(
        self, path: Path, take: Take, rest: Floats, size: int, fps: float, num_frames: int
    ) -> None:
        """Follow the head through the take; errors as `probe` and `read_frames`.

        Args:
            path: the video.
            take: of it.
            rest: (468, 3) as `add_pose` takes it.
            size: of a drawn picture.
            fps: of what is drawn.
            num_frames: n.
        """
        seconds = min(take.last - take.first, LONGEST, num_frames / fps)
        times, meshes = _follow_head(path, take.first, take.first + seconds)
        count = max(1, round((times[-1] - times[0]) * fps) + 1)
        ticks = times[0] + np.arange(count) / fps
        shown = np.abs(times[None] - ticks[:, None]).argmin(axis=1)
        x0, y0, x1, _ = take.crop
        in_crop = (meshes[shown] - [x0, y0, 0]) * (size / (x1 - x0))
        points = view68(add_pose(rest, in_crop))
        self.neutrals = np.asarray(gaussian_filter1d(points, _SMOOTH * fps, axis=0, mode="nearest"))
        self._own, self._size = view68(in_crop), size
        self._path = swing(count, num_frames)
        info, streams = probe(path)
        self._source = SourcePictures(path, times[shown], take.crop, info, streams)

    def place(self, first: int, last: int) -> Floats:
        """The face at rest (last − first, 68, 2) in these frames."""
        return np.asarray(self.neutrals[self._path[first:last]])

    def show(self, drawn: Iterator[tuple[Picture, Floats]]) -> Iterator[Picture]:
        """Drawn faces in the take's pictures, with what hides the take's own mouth and chin.

        Args:
            drawn: (H, H, 3) each, and its landmarks (68, 2) px.
        """
        pasting: Pasting | None = None
        steps = zip(self._path.tolist(), self._source.follow(self._path), drawn, strict=True)
        for tick, picture, (frame, points) in steps:
            pasting = pasting or self._source.place(picture)
            share = cover_face(np.concatenate([points, self._own[tick]]), self._size)
            yield pasting.paste_part(picture, frame, share)


def cover_face(points: Floats, size: int) -> npt.NDArray[np.float32]:
    """(H, H) 1 over landmarks (k, 2) px and around them, 0 further away, soft between."""
    mask = np.zeros((size, size), np.uint8)
    width = max(3, 2 * round(_AROUND * size) + 1)
    hull = cv2.convexHull(np.rint(points).astype(np.int32))
    cv2.fillConvexPoly(mask, hull, (255,))
    ellipse = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width))
    wide = cv2.dilate(mask, ellipse)
    soft = cv2.GaussianBlur(wide.astype(np.float32) / 255, (0, 0), width / 4)
    return np.asarray(soft, np.float32)


def _follow_head(path: Path, first: float, last: float) -> tuple[Floats, Floats]:
    """Times (f,) s of a video's frames from one to another, and meshes (f, 478, 3) px in them.

    The mesh follows from frame to frame, as in ingest; between two frames with a face it is linear.
    """
    info, streams = probe(path)
    mesh, times, meshes = FaceMesh(), list[float](), list[Mesh]()
    face: Mesh | None = None
    start = first if first > 1 else None
    frames = read_frames(path, info, streams, size=fit_size, start=start)
    with contextlib.closing(frames):
        for frame in frames:
            if frame.time < first - 1e-4:
                continue
            if frame.time > last + 1e-4:
                break
            faces = find_faces(mesh, frame.picture) if face is None else mesh.detect(frame.picture)
            now = choose_nearest(faces, face)
            face = face if now is None else now
            scale = np.float32(frame.size[0] / frame.picture.shape[1])
            times.append(frame.time)
            meshes.append(np.full((NUM_LANDMARKS, 3), np.nan) if now is None else now * scale)
    found = np.stack(meshes).reshape(len(meshes), -1)
    filled = fill_invalid(found, np.isfinite(found[:, 0]))
    return np.array(times), np.asarray(filled.reshape(-1, NUM_LANDMARKS, 3))


def choose_nearest(faces: Sequence[Mesh], last: Mesh | None) -> Mesh | None:
    """The face that was the last one, or the largest at first; None where it is lost."""
    if last is None or not faces:
        return faces[0] if faces else None
    away = [float(np.linalg.norm((face - last)[:, :2].mean(axis=0))) for face in faces]
    nearest = int(np.argmin(away))
    return faces[nearest] if away[nearest] <= _JUMP * float(np.ptp(last[:, 1])) else None
