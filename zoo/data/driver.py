"""What drives another face: coefficients and landmarks of a video, with sound or without.

They are measured as ingest measures them by default, 25 frames a second. Legend: n frames.
"""

import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from toolkit.errors import SourceError, ToolkitError
from toolkit.facemodel.fit import make_fitter
from toolkit.facemodel.model import load_default
from toolkit.features.coefficients import FaceModelCoefficients
from toolkit.features.landmarks import FaceMesh
from toolkit.ingest.prepare import prepare_clip
from toolkit.ingest.rejected import Stretch
from toolkit.ingest.timeline import lay_out
from toolkit.ingest.track import track_faces
from toolkit.media.video import probe
from zoo.data.source import describe_backend
from zoo.landmarks.align import view68

RATE = 25
"""Frames a second."""

_STRETCH = 60 * RATE
"""Frames whose meshes are in memory at once; an identity is fitted to each stretch."""

_LEAST_SHARE = 0.9
"""Of frames that show a face, below which it is said that the head rests in the others."""

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False, kw_only=True)
class Driver:
    """What a video's face does.

    Attributes:
        path: the video.
        expression: (n, 64) standard deviations.
        pose: (n, 6) of the face model, rad and mm.
        points: (n, 68, 2) landmarks, px of the picture.
        backends: `landmarks` and `coefficients` -> name, version and weights' digest.
    """

    path: Path
    expression: Floats
    pose: Floats
    points: npt.NDArray[np.float64]
    backends: dict[str, str]

    def __len__(self) -> int:
        """Its frames, n."""
        return len(self.pose)


def measure_driver(path: Path, on_frame: Callable[[], None] = lambda: None) -> Driver:
    """Follow the face of a video; where none is seen, that of the nearest frame stands.

    Warns where less than nine tenths of the frames show a face.

    Args:
        path: the video.
        on_frame: called at every frame of it.

    Raises:
        ToolkitError: no such file, it does not decode, or shows no face.
    """
    if not path.is_file():
        raise ToolkitError(f"{path}: no such video")
    mesh = FaceMesh()
    try:
        with tempfile.TemporaryDirectory(prefix="zoo-") as folder:
            rows, seen = _measure(path, mesh, Path(folder), on_frame)
    except SourceError as error:
        raise ToolkitError(f"{path}: {error}") from error
    num_seen = int(seen.sum())
    if num_seen < _LEAST_SHARE * len(seen):
        text = f"{path}: no face is seen in {(len(seen) - num_seen) / RATE:.1f} s of "
        warnings.warn(f"{text}{len(seen) / RATE:.1f} s: the head rests there", stacklevel=2)
    nearest = find_nearest(seen)
    expression, pose, points = (values[nearest] for values in rows)
    return Driver(
        path=path,
        expression=expression.astype(np.float32),
        pose=pose.astype(np.float32),
        points=points,
        backends={
            "landmarks": describe_backend(FaceMesh.provenance()),
            "coefficients": describe_backend(FaceModelCoefficients().provenance()),
        },
    )


def find_nearest(seen: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """(n,) for each frame the nearest that is seen, of two the earlier."""
    known = np.flatnonzero(seen)
    frames = np.arange(len(seen))
    after = np.searchsorted(known, frames).clip(0, len(known) - 1)
    before = np.maximum(after - 1, 0)
    is_nearer = np.abs(known[before] - frames) <= np.abs(known[after] - frames)
    return np.where(is_nearer, known[before], known[after])


def _measure(
    path: Path, mesh: FaceMesh, folder: Path, on_frame: Callable[[], None]
) -> tuple[tuple[npt.NDArray[np.float64], ...], npt.NDArray[np.bool_]]:
    """Rows of expression, pose and points, and which frames show a face."""
    info, streams = probe(path)
    track = track_faces(
        path, info, streams, mesh=mesh, spool=folder / "mesh.f32", on_frame=on_frame
    )
    timeline = lay_out(track, RATE)
    num_frames = len(timeline.shown)
    seen = track.has_face[timeline.shown]
    seen[: timeline.first] = False
    if not seen.any():
        raise ToolkitError(f"{path}: shows no face")
    rows = tuple(np.zeros((num_frames, *shape)) for shape in ((64,), (6,), (68, 2)))
    fitter = make_fitter(load_default())
    for first in range(timeline.first, num_frames, _STRETCH):
        known = np.flatnonzero(seen[first : first + _STRETCH])
        if not len(known):
            continue
        begin, last = first + int(known[0]), first + int(known[-1]) + 1
        clip = prepare_clip(
            Stretch(begin, last - begin),
            clip_id=path.name,
            path=path,
            info=track.info_at(0, info),
            streams=streams,
            track=track,
            timeline=timeline,
            sound=path,
            fps=RATE,
            focal=None,
            margin=0.0,
        )
        meshes = clip.load_landmarks()
        fitted = fitter.fit(meshes, clip.intrinsics)
        for values, found in zip(
            rows, (fitted.expression, fitted.pose, view68(meshes)), strict=True
        ):
            values[begin:last] = found
    return rows, seen
