"""One picture of anyone that moves as a video or a recording says: StyleHEAT (Yin et al., 2022).

Legend: n frames of the video, H the side of a drawn picture.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from toolkit.errors import ToolkitError
from toolkit.media.audio import open_sound
from toolkit.media.encode import Sound, find_container, write_video
from toolkit.media.video import probe
from toolkit.storage import write_whole
from zoo.data.aligned import AlignedPortrait, align_portrait
from zoo.data.driver import RATE, Driver, measure_driver
from zoo.data.mel import cut_mel_windows
from zoo.data.picture_files import Picture
from zoo.landmarks.align import view68
from zoo.landmarks.ffhq import align_ffhq
from zoo.models.registry import open_model
from zoo.speaking.atvg import check_outputs, refuse_landmarks
from zoo.speaking.styleheat_options import StyleHEATSettings
from zoo.speaking.synthesize import COMMENT, Watch
from zoo.speaking.voice import hear
from zoo.stylegan.directions import open_directions, read_amounts
from zoo.training.distributed import find_device

Floats = npt.NDArray[np.float32]

_BLOCK = 250
"""Frames whose sound is looked at together."""


class Reenactor(Protocol):
    """An opened stage of StyleHEAT."""

    @property
    def size(self) -> int: ...
    @property
    def prior(self) -> str: ...
    @property
    def backends(self) -> dict[str, str]: ...

    def enter(
        self, picture: Picture, change: Callable[[Any], Any] | None = None, *, optimise: int = 0
    ) -> Any:
        """A source picture, its styles changed, or its maps made better in so many steps."""

    def relate(
        self,
        expression: npt.ArrayLike,
        pose: npt.ArrayLike,
        points: npt.ArrayLike,
        source: npt.ArrayLike,
        *,
        lips: bool = True,
    ) -> Floats:
        """Rows of a video that drives."""

    def cut_windows(self, rows: Floats) -> Iterator[Floats]:
        """Windows of rows, one for each."""

    def draw(
        self, source: Any, windows: Iterable[Floats] | None, mel: Iterable[Floats] | None
    ) -> Iterator[Picture]:
        """Frames (H, H, 3)."""


@dataclass(frozen=True)
class StyleHEATVideo:
    """A video that was written.

    Attributes:
        path: the video.
        num_frames: n.
        fps: frames a second.
        image: whose face it shows.
    """

    path: Path
    num_frames: int
    fps: int
    image: Path


def synthesize_styleheat(
    settings: StyleHEATSettings,
    out: Path,
    *,
    watch: Watch = lambda frames, total: iter(frames),
    say: Callable[[str], None] = lambda text: None,
) -> StyleHEATVideo:
    """Write a video as long as the recording, or as the video that drives without one.

    A driving video that is shorter than the recording goes on backwards, then forwards again.

    Args:
        settings: what of, and how.
        out: the video.
        watch: sees the frames pass.
        say: gets a line on what is done.

    Raises:
        ToolkitError: no sound, or less than a frame of it; a checkpoint of something else, of
            other measurements, without a prior or without sound; not one face in the picture, or
            none in the video that drives; directions of another prior; or the video is an input or
            cannot be written.
        ValueError: no video can be written under the name of `out`; no such direction.
    """
    image, path = settings.image, settings.model
    assert image is not None and path is not None  # the settings say so
    files = (settings.audio, settings.video, settings.directions, image, path)
    check_outputs(out, None, [file for file in files if file is not None])
    model: Reenactor = open_model(path, find_device(settings.device), makes="reenactments")
    refuse_landmarks(path, model.backends.get("landmarks", ""))
    change = open_change(settings, model.prior)
    say(f"{image}: looking for the face")
    face = align_portrait(image, model.size)
    if settings.optimise:
        say(f"{image}: {settings.optimise} steps towards the picture")
    source = model.enter(face.picture, change, optimise=settings.optimise)
    driver = None if settings.video is None else follow(settings.video, path, model, say)
    with contextlib.ExitStack() as stack:
        num_frames, mel = 0 if driver is None else len(driver), None
        if settings.audio is not None:
            pcm = stack.enter_context(open_sound(settings.audio))
            num_frames = len(hear(settings.audio, pcm, RATE, "lips move as the model makes them"))
            mel = stream_mel(pcm, num_frames)
        windows = None
        if driver is not None:
            rows = relate(model, driver, face, lips=settings.audio is None)
            windows = model.cut_windows(rows[go_to_and_fro(len(rows), num_frames)])
        sound = _choose_sound(settings, num_frames / RATE)
        with write_whole(out) as place:
            frames = watch(model.draw(source, windows, mel), num_frames)
            known: dict[str, Any] = {"fps": RATE, "sound": sound, "comment": COMMENT}
            write_video(place, frames, container=find_container(out), **known)
    return StyleHEATVideo(out, num_frames, RATE, image)


def open_change(settings: StyleHEATSettings, prior: str) -> Callable[[Any], Any] | None:
    """What `--edit` does to w+; None: nothing."""
    if settings.directions is None:
        return None
    directions, amounts = open_directions(settings.directions, prior), read_amounts(settings.edit)
    return lambda styles: directions.apply(styles, amounts)


def _choose_sound(settings: StyleHEATSettings, seconds: float) -> Sound | None:
    """The recording, or the sound of the video that drives, in time with its pictures."""
    if settings.audio is not None:
        return Sound(settings.audio, seconds)
    assert settings.video is not None  # the settings say so
    _, streams = probe(settings.video)
    return None if streams.audio is None else Sound(settings.video, seconds, streams)


def follow(video: Path, path: Path, model: Reenactor, say: Callable[[str], None]) -> Driver:
    """What drives; ToolkitError where the model knows other measurements."""
    say(f"{video}: following the face")
    driver = measure_driver(video)
    expected, found = model.backends.get("coefficients", ""), driver.backends["coefficients"]
    if expected != found:
        raise ToolkitError(
            f"{path}: knows coefficients by {expected or 'something unknown'}, but videos are "
            f"measured by {found}: train it on shards made with this version"
        )
    return driver


def relate(model: Reenactor, driver: Driver, face: AlignedPortrait, *, lips: bool) -> Floats:
    """Rows (n, 73) of what drives this face."""
    seen = view68(face.portrait.mesh)
    points = align_ffhq(seen).apply(seen)
    return model.relate(driver.expression, driver.pose, driver.points, points, lips=lips)


def stream_mel(pcm: npt.NDArray[np.int16], num_frames: int) -> Iterator[Floats]:
    """Mel windows (32, 80) of each frame; memory does not grow with them."""
    for first in range(0, num_frames, _BLOCK):
        yield from cut_mel_windows(pcm, first, min(first + _BLOCK, num_frames))


def go_to_and_fro(num_rows: int, num_frames: int) -> npt.NDArray[np.int64]:
    """(n,) rows forwards, then backwards, and so on."""
    turn = np.arange(num_frames) % max(2 * num_rows - 2, 1)
    return np.minimum(turn, 2 * num_rows - 2 - turn) if num_rows > 1 else turn * 0
