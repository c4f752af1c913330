"""From a recording and one picture of anyone to a video: ATVGnet (Chen et al., CVPR 2019).

AT-net makes landmarks of speech, VG-net draws the picture's face as they move.

Legend: n frames of the video, H the side of a drawn picture.
"""

import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np
import numpy.typing as npt

from toolkit.errors import ToolkitError
from toolkit.features.landmarks import FaceMesh
from toolkit.media.audio import open_sound
from toolkit.media.encode import Sound, find_container, write_video
from toolkit.schema import NOMINAL_SIZE
from toolkit.storage import check_place, write_whole
from zoo.data.contract import Contract
from zoo.data.picture_files import Picture
from zoo.data.portraits import Portrait, measure_portrait
from zoo.data.source import describe_backend
from zoo.landmarks.align import Similarity, view68
from zoo.models.registry import open_model
from zoo.speaking.atvg_options import AtvgSettings, parse_factors
from zoo.speaking.scene import Spool, refuse_inputs
from zoo.speaking.still_scene import DrawnFrame, StillScene
from zoo.speaking.synthesize import COMMENT, Watch
from zoo.speaking.voice import hear
from zoo.training.distributed import find_device

LEAST_FACE = 0.5
"""Share of the drawn square's pixels, along a side, that a picture should have of a face."""

Points = npt.NDArray[np.float32]


class Speaker(Protocol):
    """What moves a face's landmarks by speech: an opened at-net."""

    @property
    def contract(self) -> Contract: ...

    def stream_sound(
        self, pcm: npt.NDArray[np.int16], face: npt.ArrayLike, amplification: npt.ArrayLike
    ) -> Iterator[Points]:
        """Landmarks (b, 68, 2), block after block, as `face` (68, 2) lies."""


class Placing(Protocol):
    """Where a picture's face lies in the square that is drawn."""

    @property
    def place(self) -> Similarity: ...

    def cut(self, picture: Picture) -> Picture:
        """The square (H, H, 3)."""


class FaceModel(Protocol):
    """What lets a picture move as landmarks do: an opened vg-net."""

    @property
    def size(self) -> int: ...
    @property
    def landmarks(self) -> str: ...

    def frame(self, landmarks: npt.ArrayLike) -> Placing:
        """Of a picture's landmarks (68, 2) px."""

    def draw_blocks(
        self, picture: Picture, identity: npt.ArrayLike, blocks: Iterable[npt.ArrayLike]
    ) -> Iterator[DrawnFrame]:
        """Frames of landmarks, block after block."""


@dataclass(frozen=True)
class AtvgVideo:
    """A video that was written.

    Attributes:
        path: the video.
        num_frames: n.
        fps: frames a second.
        image: whose face it shows.
        attention: the video of frames, attention and motion, or None.
    """

    path: Path
    num_frames: int
    fps: int
    image: Path
    attention: Path | None


def synthesize_atvg(
    settings: AtvgSettings,
    out: Path,
    *,
    watch: Watch = lambda frames, total: iter(frames),
    say: Callable[[str], None] = lambda text: None,
) -> AtvgVideo:
    """Write a video as long as the recording, in whole frames; memory does not grow with it.

    Args:
        settings: what of, and how.
        out: the video.
        watch: sees the frames pass.
        say: gets a line on what is done.

    Raises:
        ToolkitError: no sound, or less than a frame of it; a checkpoint of something else, or of
            landmarks that the picture's are not; not one face in the picture; or a video is an
            input or cannot be written.
        ValueError: no video can be written under the name of `out`, or of `settings.attention`.
    """
    image, at_net, vg_net = settings.image, settings.at_net, settings.vg_net
    assert image is not None and at_net is not None and vg_net is not None  # the settings say so
    check_outputs(out, settings.attention, (settings.audio, image, at_net, vg_net))
    device = find_device(settings.device)
    speaker: Speaker = open_model(at_net, device, makes="landmarks", family="at-net")
    faces: FaceModel = open_model(vg_net, device, makes="faces", family="vg-net")
    fps = speaker.contract.fps
    refuse_landmarks(at_net, speaker.contract.backends.get("landmarks", ""))
    refuse_landmarks(vg_net, faces.landmarks)
    with open_sound(settings.audio) as pcm:
        num_frames = len(hear(settings.audio, pcm, fps, "the mouth moves as at-net makes it"))
        say(f"{image}: looking for the face")
        portrait = measure_portrait(image)
        points = view68(portrait.mesh)
        placing = faces.frame(points)
        warn_of_small(image, portrait, placing.place, faces.size)
        own = placing.place.apply(points)
        moved = speaker.stream_sound(pcm, own, parse_factors(settings.amplify))
        drawn = faces.draw_blocks(placing.cut(portrait.shown), own, moved)
        sound = Sound(settings.audio, num_frames / fps)
        show: Show = show_squares
        if settings.background == "source":
            place = place_in_picture(placing.place, portrait)
            show = StillScene(portrait.picture, place, faces.size).show
        videos = Videos(out, settings.attention, sound, fps)
        videos.write(drawn, lambda frames: watch(show(frames), num_frames))
    return AtvgVideo(out, num_frames, fps, image, settings.attention)


def check_outputs(out: Path, attention: Path | None, inputs: Iterable[Path]) -> None:
    """Refuse names of no video, and places that are inputs, each other, or cannot be written."""
    inputs = tuple(inputs)
    for path in (out, attention):
        if path is not None:
            find_container(path)
            check_place(path)
            refuse_inputs(path, *inputs)
    if attention is not None and attention.resolve() == out.resolve():
        raise ToolkitError(f"{out}: --out and --attention are one file: give two names")


def refuse_landmarks(path: Path, backend: str) -> None:
    """ToolkitError for a model of landmarks that pictures are not measured with.

    Those of the released code know dlib's points; the mesh's stand in for them, with a warning.
    """
    measured = describe_backend(FaceMesh.provenance())
    if backend.startswith("dlib"):
        text = f"{path}: knows dlib's landmarks; those of the face mesh stand in for them"
        warnings.warn(text, stacklevel=3)
    elif backend != measured:
        raise ToolkitError(
            f"{path}: knows landmarks by {backend or 'something unknown'}, but pictures are "
            f"measured by {measured}: train it on shards made with this version"
        )


def warn_of_small(image: Path, portrait: Portrait, place: Similarity, size: int) -> None:
    """Warn of a picture whose face has few pixels."""
    x0, _, x1, _ = portrait.crop
    side = size / float(place.scale) * (x1 - x0) / NOMINAL_SIZE
    if side < LEAST_FACE * size:
        text = f"{image}: its face takes {side:.0f} of the {size} px that are drawn"
        warnings.warn(f"{text}: a larger picture gives a sharper video", stacklevel=3)


def place_in_picture(place: Similarity, portrait: Portrait) -> Similarity:
    """From px of the whole picture to those of the drawn square, of px of its crop to the same."""
    x0, y0, x1, _ = portrait.crop
    matrix = place.matrix * (NOMINAL_SIZE / (x1 - x0))
    return Similarity(matrix, place.offset - np.array([x0, y0]) @ matrix)


def show_squares(drawn: Iterable[DrawnFrame]) -> Iterator[Picture]:
    """The drawn squares alone."""
    return (each.frame for each in drawn)


# --- the two videos -----------------------------------------------------------------------------

Show = Callable[[Iterable[DrawnFrame]], Iterator[Picture]]


@dataclass(frozen=True)
class Videos:
    """Where drawn frames go: the video, and that of their attention or None."""

    out: Path
    attention: Path | None
    sound: Sound
    fps: int

    def write(self, drawn: Iterator[DrawnFrame], show: Show) -> None:
        """Write both or neither.

        The second follows from JPEGs in a file: each frame is drawn once.
        """
        if self.attention is None:
            self._write(self.out, self.out, show(drawn))
            return
        with tempfile.TemporaryFile(prefix="zoo-") as file:
            rows = _Rows(file)
            with write_whole(self.out) as video, write_whole(self.attention) as beside:
                self._write(self.out, video, show(rows.keep(drawn)))
                self._write(self.attention, beside, rows.read())

    def _write(self, path: Path, place: Path, frames: Iterator[Picture]) -> None:
        known: dict[str, Any] = {"fps": self.fps, "sound": self.sound, "comment": COMMENT}
        write_video(place, frames, container=find_container(path), **known)


class _Rows:
    """Frame, attention and motion beside one another, (H, 3H, 3) each, kept for later."""

    def __init__(self, file: IO[bytes]) -> None:
        self._spool, self._count = Spool(file), 0

    def keep(self, drawn: Iterable[DrawnFrame]) -> Iterator[DrawnFrame]:
        """Hands frames on."""
        for each in drawn:
            alpha = np.repeat(each.alpha[..., None], 3, axis=2)
            self._spool.add(self._count, np.concatenate([each.frame, alpha, each.motion], axis=1))
            self._count += 1
            yield each

    def read(self) -> Iterator[Picture]:
        """All that were kept."""
        return map(self._spool.read, range(self._count))
