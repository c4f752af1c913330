"""Encode pictures and sound to the container that a file's name asks for."""

import contextlib
import itertools
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import ffmpeg
import numpy as np
import numpy.typing as npt

from toolkit.errors import ToolkitError
from toolkit.media.audio import write_original
from toolkit.media.colors import choose_matrix
from toolkit.media.ffmpeg_process import file_url, to_arguments
from toolkit.media.video import Streams
from toolkit.storage import check_ending, write_whole


@dataclass(frozen=True)
class Container:
    """How a kind of video file is written.

    Attributes:
        format: ffmpeg's name of it.
        codecs: ffmpeg's names of the encoders of its pictures and of its sound.
        settings: of the picture's encoder, and of the container.
    """

    format: str
    codecs: tuple[str, str]
    settings: Mapping[str, str]


_FASTSTART = {"preset": "veryfast", "movflags": "+faststart"}
_REPEATABLE = {"fflags": "+bitexact"}
"""Without it Matroska numbers its parts at random."""
_VP9 = {"deadline": "good", "cpu-used": "5", "b:v": "0"}
"""A bit rate of 0 stands for a constant quality."""

CONTAINERS = {
    ".mp4": Container("mp4", ("libx264", "aac"), _FASTSTART),
    ".mov": Container("mov", ("libx264", "aac"), _FASTSTART),
    ".mkv": Container("matroska", ("libx264", "libopus"), {"preset": "veryfast"} | _REPEATABLE),
    ".webm": Container("webm", ("libvpx-vp9", "libopus"), _VP9 | _REPEATABLE),
}
"""Ending of a file's name -> what is written under it."""


def find_container(path: Path) -> Container:
    """The container that a file's name asks for; ValueError where there is none."""
    check_ending(path, tuple(CONTAINERS))
    return CONTAINERS[path.suffix.lower()]


@dataclass(frozen=True)
class Sound:
    """The sound of a file.

    Attributes:
        path: any file that ffmpeg reads.
        seconds: how much of it to write; silence follows where it is shorter.
        streams: of a video whose clock the written pictures keep: its sound stands where its
            timestamps say, from the container's start on. None: the first sound of a recording,
            its samples one behind another, whatever their timestamps say.
    """

    path: Path
    seconds: float
    streams: Streams | None = None


def _open_samples(path: Path, sample_rate: int, channels: int) -> Any:
    return ffmpeg.input(file_url(path), format="s16le", ar=sample_rate, ac=channels)


def write_video(
    path: Path,
    frames: Iterable[npt.NDArray[np.uint8]],
    *,
    fps: float,
    pcm: npt.NDArray[np.int16] | None = None,
    sample_rate: int = 16_000,
    sound: Sound | None = None,
    crf: int = 18,
    comment: str = "",
    container: Container | None = None,
) -> None:
    """Encode RGB pictures (height, width, 3) uint8 and sound.

    MP4 and MOV hold H.264 and AAC, MKV H.264 and Opus, WebM VP9 and Opus.

    The matrix is that which players take for the size (`choose_matrix`), and stands in the file.

    Args:
        path: the video; afterwards the whole of it is there, or nothing.
        frames: at least one, all of one size, which is made even; taken one at a time.
        fps: of the frames.
        pcm: mono samples.
        sample_rate: of `pcm`.
        sound: the sound of a file, instead of `pcm`.
        crf: constant rate factor of the encoder, lower is better.
        comment: note in the container's metadata.
        container: None: the one that the path's name asks for.

    Raises:
        ValueError: no frame, or see `find_container`.
        ToolkitError: ffmpeg failed; the message is ffmpeg's own.
        StorageError: see `write_whole`.
    """
    container = container or find_container(path)
    picture_codec, sound_codec = container.codecs
    frames = map(_make_even, frames)
    first = next(frames, None)
    if first is None:
        raise ValueError(f"{path}: a video needs at least one frame")
    height, width = first.shape[:2]
    matrix = choose_matrix(width, height)
    picture = ffmpeg.input(
        "pipe:", format="rawvideo", pix_fmt="rgb24", s=f"{width}x{height}", framerate=fps
    ).filter("scale", out_color_matrix=matrix, out_range="tv")
    with write_whole(path) as temporary, contextlib.ExitStack() as stack:
        nodes, samples = [picture], path.with_name(f".{path.name}.pcm")
        stack.callback(samples.unlink, missing_ok=True)
        if pcm is not None:
            pcm.astype("<i2").tofile(samples)
            nodes.append(_open_samples(samples, sample_rate, 1))
        elif sound is not None:
            channels = write_original(sound.path, samples, sound.streams)
            node = _open_samples(samples, 48_000, channels)
            nodes.append(node.filter("apad").filter("atrim", end=sound.seconds))
        graph = ffmpeg.output(
            *nodes, filename=file_url(temporary), format=container.format, vcodec=picture_codec,
            acodec=sound_codec, pix_fmt="yuv420p", crf=crf, colorspace=matrix, color_range="tv",
            metadata=f"comment={comment}", **{"threads": 1, "b:a": "128k"}, **container.settings,
        ).global_args("-y", "-hide_banner", "-loglevel", "error")  # fmt: skip
        if words := _feed(to_arguments(graph), first, frames):
            words = words.replace(str(temporary), path.name)
            raise ToolkitError(f"{path}: ffmpeg cannot encode: {words}")


def _make_even(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """With its last row or column twice where the number is odd: colour is stored per 2 × 2 px."""
    height, width = picture.shape[:2]
    if height % 2 == width % 2 == 0:
        return picture
    return np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


def _feed(
    command: list[str],
    first: npt.NDArray[np.uint8],
    frames: Iterator[npt.NDArray[np.uint8]],
) -> str:
    """What ffmpeg says of its failure; nothing, where it did not fail."""
    with tempfile.TemporaryFile() as log:  # a pipe that is not read meanwhile would fill up
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=log)
        pipe = cast(IO[bytes], process.stdin)
        try:
            with contextlib.suppress(BrokenPipeError):
                for picture in itertools.chain((first,), frames):
                    pipe.write(picture.tobytes())
            process.communicate()
        finally:
            process.kill()
        log.seek(0)
        words = log.read().decode("utf-8", "replace").strip()
    return (words or f"it ended with {process.returncode}") if process.returncode else ""
