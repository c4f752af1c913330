"""One video file to the arrays that metrics need, by the toolkit's own functions.

The face mesh runs once over a file's frames and its results lie in a file; arrays are read for a
stretch of frames on any clock. Legend: n frames of a stretch, S samples, N frames of a video.
"""

import functools
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from toolkit.clock import FRAME_RATES, SAMPLE_RATE, count_samples, frame_to_sample, suits_25
from toolkit.errors import SetupError, SourceError
from toolkit.facemodel.fit import make_fitter
from toolkit.facemodel.model import load_default
from toolkit.features.blink import EyelidAU45, compute_ear
from toolkit.features.coefficients import FaceModelCoefficients
from toolkit.features.landmarks import FaceMesh
from toolkit.features.pose import MeshPose
from toolkit.features.voice_activity import (
    SHA256,
    STEP,
    compute_speech_probability,
    mark_speech,
)
from toolkit.ingest.clips import choose_crop
from toolkit.ingest.crops import read_stretch
from toolkit.ingest.prepare import prepare_clip
from toolkit.ingest.rejected import Stretch
from toolkit.ingest.sound import extract_sound
from toolkit.ingest.timeline import Timeline, lay_out
from toolkit.ingest.track import Track, track_faces
from toolkit.media.audio import read_samples
from toolkit.media.video import Streams, probe
from toolkit.schema import ClipInput, Provenance, Reason, VideoInfo
from zoo.evaluation.recognition import FEATURES, find_provenance
from zoo.evaluation.voice import RECOGNISED, find_judge

Picture = npt.NDArray[np.uint8]
Arrays = dict[str, Any]

_FACE = {"landmarks": (478, 3), "pose": (6,), "expression": (64,), "au45": (), "ear": (2,)}
"""Arrays of a face -> the shape of a frame's row."""

STRETCH = 60
"""Seconds of a video whose meshes are in memory at once."""


@dataclass(frozen=True, eq=False, kw_only=True)
class TrackedVideo:
    """What is known of a file once the face mesh ran over it.

    Attributes:
        path: the file.
        info, streams: from the probe; the rate is the mean one of the frames.
        track: of its faces.
        sound: file of its samples; None: none is heard, for the reason `silence`.
        silence: "" with a sound.
    """

    path: Path
    info: VideoInfo
    streams: Streams
    track: Track
    sound: Path | None
    silence: str

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the upright picture, px."""
        return self.info.width, self.info.height

    @property
    def fps(self) -> int:
        """The clock that its frames fit: 25, or 30."""
        return FRAME_RATES[0] if suits_25(self.info.fps, FRAME_RATES[1]) else FRAME_RATES[1]

    @property
    def has_face(self) -> bool:
        """Whether any frame shows a face."""
        return bool(self.track.has_face.any())

    def find_crop(self) -> tuple[int, int, int, int]:
        """The fixed square around its face, xyxy px, as ingest chooses a clip's."""
        return choose_crop(self.track.boxes, self.size)


def track_video(
    path: Path, folder: Path, mesh: FaceMesh, on_frame: Callable[[], None] = lambda: None
) -> TrackedVideo:
    """Decode a file's sound, and follow the face in it; both lie in `folder`, which is the file's.

    Raises:
        SourceError: it does not decode.
    """
    sound, silence = folder / "sound.s16", ""
    try:
        info, streams, _ = extract_sound(path, sound, None)
    except SourceError as error:
        if error.reason not in (Reason.NO_AUDIO, Reason.SILENT):
            raise
        (info, streams), silence = probe(path), str(error)
    track = track_faces(
        path, info, streams, mesh=mesh, spool=folder / "mesh.f32", on_frame=on_frame
    )
    info = track.info_at(0, info)
    known = {"width": info.width, "height": info.height, "fps": track.mean_fps or info.fps}
    return TrackedVideo(
        path=path,
        info=VideoInfo(**{**vars(info), **known}),
        streams=streams,
        track=track,
        sound=None if silence else sound,
        silence=silence,
    )


class LaidOutVideo:
    """A tracked video on a clock: frame k is what it shows k / fps s after its start.

    Attributes:
        video: the file.
        fps: of the clock.
        timeline: what its frames show.
        first, last: frames [first, last) that show a picture.
    """

    def __init__(self, video: TrackedVideo, fps: int) -> None:
        self.video, self.fps = video, fps
        self.timeline: Timeline = lay_out(video.track, fps)
        self.first, self.last = self.timeline.first, len(self.timeline.shown)
        self._pose, self._au45 = MeshPose(), EyelidAU45()

    def calibrate(self, first: int, last: int) -> None:
        """See all of frames [first, last): the size of the head, and how far open eyes are."""
        clips = [
            self._prepare(start, stop)
            for start, stop in list_stretches(first, last, self.fps)
            if self._shows_face(start, stop)
        ]
        self._pose.fit(clips)
        self._au45.fit(clips)

    def read_arrays(self, first: int, last: int) -> Arrays:
        """Arrays of frames [first, last), see `zoo.metrics.rows.ARRAYS`, in px of its own picture.

        Those of a face are missing where the video shows none, those of sound where there is
        none, `speech` also where its detector is not installed.
        """
        arrays: Arrays = {}
        if self.video.has_face:
            arrays = {
                name: np.full((last - first, *shape), np.nan, np.float32)
                for name, shape in _FACE.items()
            }
        if self._shows_face(first, last):
            clip = self._prepare(first, last)
            landmarks = clip.load_landmarks()
            unseen = ~self.video.track.has_face[self.timeline.shown[first:last]]
            fitted = _load_fitter().fit(landmarks, clip.intrinsics)
            arrays = {
                "landmarks": landmarks,
                "pose": self._pose.extract(clip)["face/pose"],
                "expression": fitted.expression.astype(np.float32),
                "au45": self._au45.extract(clip)["face/au45"],
                "ear": compute_ear(landmarks),
            }
            for values in arrays.values():
                values[unseen] = np.nan
        if self.video.sound is not None:
            arrays["pcm"] = self._read_sound(self.video.sound, first, last)
            if self.silent_detector is None:
                arrays["speech"] = self._speech[first:last]
        return arrays

    def read_pictures(self, first: int, last: int) -> Iterator[Picture]:
        """Whole pictures (H, W, 3) of frames [first, last), the same object where one repeats."""
        times = self.video.track.times[self.timeline.shown[first:last]]
        return read_stretch(self.video.path, times, self.video.info, self.video.streams)

    @functools.cached_property
    def silent_detector(self) -> str | None:
        """Why the detector of speech cannot be used; None: it can."""
        try:
            _ = self._speech
        except SetupError as error:
            return str(error)
        return None

    @functools.cached_property
    def _speech(self) -> npt.NDArray[np.bool_]:
        """(N,) whether there is speech in the middle of each frame."""
        if self.video.sound is None:
            return np.zeros(self.last, bool)
        pcm = self._read_sound(self.video.sound, 0, self.last)
        steps = mark_speech(compute_speech_probability(pcm))
        middles = (np.arange(self.last) + 0.5) / self.fps * SAMPLE_RATE
        return np.asarray(steps[(middles / STEP).astype(np.intp)])

    def _read_sound(self, sound: Path, first: int, last: int) -> npt.NDArray[np.int16]:
        """Samples of frames [first, last); silence where the sound has ended."""
        start, num = frame_to_sample(first, self.fps), count_samples(first, last - first, self.fps)
        pcm = read_samples(sound, start, start + num)
        return np.pad(pcm, (0, num - len(pcm)))

    def _shows_face(self, first: int, last: int) -> bool:
        return bool(self.video.track.has_face[self.timeline.shown[first:last]].any())

    def _prepare(self, first: int, last: int) -> ClipInput:
        video = self.video
        return prepare_clip(
            Stretch(first, last - first),
            clip_id=video.path.name,
            path=video.path,
            info=video.info,
            streams=video.streams,
            track=video.track,
            timeline=self.timeline,
            sound=video.sound or video.path,
            fps=self.fps,
            focal=None,
            margin=0.0,
        )


class StillVideo:
    """The first picture of a video shown throughout, with its sound: what a system has to beat."""

    def __init__(self, shown: LaidOutVideo) -> None:
        self._shown, self.video, self.fps = shown, shown.video, shown.fps
        self.first, self.last = shown.first, shown.last
        self.silent_detector = shown.silent_detector
        self._kept: Arrays = {}
        self._start = shown.first

    def calibrate(self, first: int, last: int) -> None:
        """Its picture is that of frame `first`."""
        self._start = first
        last = min(last, first + STRETCH * self.fps)
        arrays = self._shown.read_arrays(first, last)
        names = [name for name in arrays if name not in ("pcm", "speech")]
        seen = np.isfinite(arrays["pose"][:, 0]) if names else np.zeros(0, bool)
        self._kept = {name: arrays[name][seen.argmax()] for name in names} if seen.any() else {}

    def read_arrays(self, first: int, last: int) -> Arrays:
        """As `LaidOutVideo.read_arrays`: the first measured frame's, again and again."""
        arrays = self._shown.read_arrays(first, last)
        kept = {
            name: np.repeat(value[None], last - first, axis=0) for name, value in self._kept.items()
        }
        if "au45" in kept:
            kept["au45"] = np.zeros_like(kept["au45"])  # eyes that rest are open
        return {name: arrays[name] for name in ("pcm", "speech") if name in arrays} | kept

    def read_pictures(self, first: int, last: int) -> Iterator[Picture]:
        """The same picture for each of frames [first, last)."""
        picture = next(iter(self._shown.read_pictures(self._start, self._start + 1)))
        return (picture for _ in range(first, last))


Shown = LaidOutVideo | StillVideo


def list_stretches(first: int, last: int, fps: int) -> Iterator[tuple[int, int]]:
    """Frames [first, last) in stretches of equal length, of `STRETCH` seconds at most."""
    num = -(-(last - first) // (STRETCH * fps))
    edges = [first + (last - first) * k // num for k in range(num + 1)]
    return itertools.pairwise(edges)


def resize(picture: Picture, size: tuple[int, int]) -> Picture:
    """A picture at another size (width, height): means of areas down, cubic up."""
    if picture.shape[1::-1] == size:
        return picture
    is_less = size[0] * size[1] < picture.shape[0] * picture.shape[1]
    method = cv2.INTER_AREA if is_less else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, size, interpolation=method), np.uint8)


def list_judges(given: Mapping[str, str] | None = None) -> dict[str, str]:
    """What the arrays come from, each with its version and the digest of its weights.

    `given`: the same of the judges that the user gave.
    """
    found = {
        "landmarks": FaceMesh.provenance(),
        "pose": MeshPose().provenance(),
        "au45": EyelidAU45().provenance(),
        "expression": FaceModelCoefficients().provenance(),
        "speech": Provenance(backend="silero-vad", version="6.2.3", weights_sha256=SHA256),
    }
    if recogniser := find_provenance():
        found[FEATURES] = recogniser
    if listener := find_judge():
        found[RECOGNISED] = listener
    return {name: _describe(judge) for name, judge in found.items()} | dict(given or {})


def _describe(judge: Provenance) -> str:
    digest = f", sha256 {judge.weights_sha256[:12]}…" if judge.weights_sha256 else ""
    note = f", {judge.note}" if judge.note else ""
    return f"{judge.backend} {judge.version}{note}{digest}"


@functools.cache
def load_mesh() -> FaceMesh:
    """The face mesh of this process."""
    return FaceMesh()


@functools.cache
def _load_fitter() -> Any:
    return make_fitter(load_default())
