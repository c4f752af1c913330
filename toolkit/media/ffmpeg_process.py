"""ffmpeg as a process: its binary, its arguments, and how it ended."""

import functools
import shutil
import signal
from pathlib import Path
from typing import Any

import ffmpeg

from toolkit.errors import SetupError, SourceError, ToolkitError
from toolkit.schema import Reason


@functools.cache
def find_ffmpeg() -> str:
    """Path of the ffmpeg binary: the PATH's, else imageio-ffmpeg's."""
    found = shutil.which("ffmpeg")
    if found:
        return found
    import imageio_ffmpeg

    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError as error:
        raise SetupError(
            "no ffmpeg binary: install ffmpeg with your system's package manager, "
            "or `pip install imageio-ffmpeg`"
        ) from error


def compile_command(node: Any, **output: Any) -> list[str]:
    """The argument list that runs a graph and writes raw data to stdout, log to stderr."""
    graph = ffmpeg.output(node, "pipe:", **output).global_args(
        "-nostdin", "-hide_banner", "-nostats", "-copyts", "-loglevel", "level+info",
        "-filter_threads", "1",
    )  # fmt: skip
    return to_arguments(graph)


def to_arguments(graph: Any) -> list[str]:
    return [find_ffmpeg(), *map(str, ffmpeg.compile(graph)[1:])]


def file_url(path: Path) -> Path:
    """`file:` and the absolute path, so that no name reads as an option or a protocol.

    A `Path`, because ffmpeg-python cannot take text that is not Unicode, as file names may be.
    """
    return Path(f"file:{Path(path).absolute()}")


def check_exit(code: int) -> None:
    """Tell an ffmpeg that was killed or crashed from one that came to the end.

    Raises:
        ToolkitError: it was killed from outside, which is not the video's fault.
        SourceError: `failed`, it crashed.
    """
    if code in (-signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT, 255):
        raise ToolkitError(f"ffmpeg was killed (exit code {code}): is memory short? Run again")
    if code < 0:
        raise SourceError(Reason.FAILED, f"ffmpeg crashed ({signal.Signals(-code).name})")
