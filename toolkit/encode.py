"""Encode pictures and sound to MP4; with `video.py` and `audio.py`, all that knows ffmpeg."""

import contextlib
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import ffmpeg
import numpy as np
import numpy.typing as npt

from toolkit.errors import ToolkitError
from toolkit.video import file_url, to_arguments


def write_video(
    path: Path,
    frames: Iterable[npt.NDArray[np.uint8]],
    *,
    fps: float,
    pcm: npt.NDArray[np.int16] | None = None,
    sample_rate: int = 16_000,
    crf: int = 18,
) -> None:
    """Encode RGB pictures (height, width, 3) uint8 and mono sound to MP4 (H.264, AAC).

    Raises:
        ToolkitError: ffmpeg failed; the message is ffmpeg's own.
    """
    frames = iter(frames)
    first = next(frames, None)
    if first is None:
        raise ValueError(f"{path}: a video needs at least one frame")
    height, width = first.shape[:2]
    picture = ffmpeg.input(
        "pipe:", format="rawvideo", pix_fmt="rgb24", s=f"{width}x{height}", framerate=fps
    ).filter("pad", "ceil(iw/2)*2", "ceil(ih/2)*2")
    with contextlib.ExitStack() as stack:
        nodes = [picture]
        if pcm is not None:
            sound = path.with_name(f".{path.name}.pcm")
            stack.callback(sound.unlink, missing_ok=True)
            pcm.astype("<i2").tofile(sound)
            nodes.append(ffmpeg.input(file_url(sound), format="s16le", ar=sample_rate, ac=1))
        graph = ffmpeg.output(
            *nodes, filename=file_url(path), format="mp4", vcodec="libx264", acodec="aac",
            pix_fmt="yuv420p", crf=crf, preset="veryfast", movflags="+faststart",
            **{"threads": 1, "b:a": "128k"},
        ).global_args("-y", "-hide_banner", "-loglevel", "error")  # fmt: skip
        _feed(to_arguments(graph), first, frames, path)


def _feed(
    command: list[str],
    first: npt.NDArray[np.uint8],
    frames: Iterator[npt.NDArray[np.uint8]],
    path: Path,
) -> None:
    with tempfile.TemporaryFile() as log:  # a pipe that nobody reads meanwhile would fill up
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=log)
        pipe = process.stdin
        if pipe is None:
            raise ToolkitError(f"{path}: ffmpeg did not start")
        try:
            with contextlib.suppress(BrokenPipeError):
                pipe.write(first.tobytes())
                for picture in frames:
                    pipe.write(picture.tobytes())
            process.communicate()
        finally:
            process.kill()
        log.seek(0)
        words = log.read()
    if process.returncode:
        raise ToolkitError(f"{path}: ffmpeg cannot encode: {words.decode('utf-8', 'replace')}")
