"""ffmpeg as a process: its binary and its arguments."""

import functools
import shutil
from pathlib import Path
from typing import Any

import ffmpeg

from toolkit.errors import SetupError


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


def to_arguments(graph: Any) -> list[str]:
    return [find_ffmpeg(), *map(str, ffmpeg.compile(graph)[1:])]


def file_url(path: Path) -> Path:
    """`file:` and the absolute path, so that no name reads as an option or a protocol.

    A `Path`, because ffmpeg-python cannot take text that is not Unicode, as file names may be.
    """
    return Path(f"file:{Path(path).absolute()}")
