"""Frames out of a running ffmpeg: pictures from its stdout, their times and looks from its log."""

import contextlib
import fcntl
import re
import signal
import subprocess
import threading
from collections.abc import Generator
from dataclasses import dataclass
from fractions import Fraction
from queue import Empty, Queue
from typing import IO

import numpy as np
import numpy.typing as npt

from toolkit.errors import SourceError, ToolkitError
from toolkit.media.picture_store import PictureStore
from toolkit.schema import Reason

_MAX_RETURN = 1.0
"""Seconds by which presentation times may run backwards: more, and they began anew."""

_MAX_BEHIND = 8
"""Frames in a row that may be so; a damaged file has a few."""

_SHOWINFO = re.compile(rb"showinfo.*? n: *\d+ pts: *(-?\d+|NOPTS) ")
_LOOK = re.compile(rb"showinfo.*? fmt:(\S+) cl:(\S+) sar:\S+ s:(\S+)")
_COLOR = re.compile(rb"showinfo.* color_range:(\S+) color_space:(\S+)")
_TIME_BASE = re.compile(rb"showinfo.*config in time_base: (\d+)/(\d+)")


@dataclass(frozen=True)
class Frame:
    """One decoded source frame.

    Attributes:
        time: presentation time, s from the container's start.
        picture: (height, width, 3) uint8 RGB; valid until the next frame is asked for, or as many
            further ones as `read_frames` was told to keep.
    """

    time: float
    picture: npt.NDArray[np.uint8]


def read_rgb(
    command: list[str],
    size: tuple[int, int],
    origin: float,
    step: float,
    keep: int,
    store: PictureStore | None,
    *,
    is_planar: bool,
) -> Generator[Frame, None, None]:
    """Run an ffmpeg that writes raw pictures, and yield them.

    Args:
        command: its arguments; its log has a `showinfo` line for every picture.
        size: (width, height).
        origin: presentation time (s) that counts as 0.
        step: time between frames (s) where they have none.
        keep: pictures that are valid at a time.
        store: notes the frames' pixel formats.
        is_planar: whether pixels come as `gbrp`; else as `rgb24`.

    Raises:
        SourceError: `unreadable`, when ffmpeg fails before the first frame.
    """
    width, height = size
    shape = (3, height, width) if is_planar else (height, width, 3)
    pictures = [np.empty(shape, np.uint8) for _ in range(keep)]
    with contextlib.closing(_read_pipe(command, pictures, origin, step, store)) as frames:
        for frame in frames:
            yield Frame(frame.time, _interleave(frame.picture)) if is_planar else frame


def _read_pipe(
    command: list[str],
    pictures: list[npt.NDArray[np.uint8]],
    origin: float,
    step: float,
    store: PictureStore | None,
) -> Generator[Frame, None, None]:
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    _widen_pipe(process.stdout)
    log = _Log(process.stderr, set() if store is None else store.looks)
    count, num_behind, time = 0, 0, -step
    try:
        while _fill(process.stdout, picture := pictures[count % len(pictures)]):
            measured = log.next_time(origin, fallback=time + step)
            num_behind = num_behind + 1 if measured < time - _MAX_RETURN else 0
            if num_behind > _MAX_BEHIND:
                raise SourceError(
                    Reason.UNREADABLE,
                    f"presentation times begin anew after {time:.2f} s (recordings joined as they "
                    "are?): ffmpeg -i it -c copy new.mkv mends that",
                )
            time = max(measured, time)
            yield Frame(time, picture)
            count += 1
        check_exit(process.wait())
        if not count:
            raise SourceError(Reason.UNREADABLE, f"ffmpeg decoded no frame: {log.error_words()}")
    finally:
        process.kill()
        process.wait()
        log.close()
        if process.stdout:
            process.stdout.close()


def _interleave(planes: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Planes (3, height, width) green, blue, red as a picture (height, width, 3) RGB."""
    import cv2

    return np.asarray(cv2.merge([planes[2], planes[0], planes[1]]), np.uint8)


def _widen_pipe(pipe: IO[bytes] | None) -> None:
    """A pipe of 1 MiB instead of 64 KiB: fewer switches between ffmpeg and us."""
    with contextlib.suppress(OSError, AttributeError):
        if pipe is not None:
            fcntl.fcntl(pipe.fileno(), fcntl.F_SETPIPE_SZ, 1 << 20)


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


def _fill(pipe: IO[bytes] | None, picture: npt.NDArray[np.uint8]) -> bool:
    """Fill the picture from the pipe; False where the stream has ended."""
    view = memoryview(picture.data).cast("B")
    return pipe is not None and pipe.readinto(view) == len(view)  # type: ignore[attr-defined]


class _Log:
    """Reads ffmpeg's log in a thread: presentation times by frame, first and last error lines."""

    def __init__(self, pipe: IO[bytes] | None, looks: set[tuple[str, ...]]) -> None:
        self._looks, self._look = looks, tuple[bytes, ...]()
        self._times: Queue[Fraction | None] = Queue()
        self._words: list[str] = []
        self._pipe = pipe
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        base = Fraction(1, 1)
        for line in self._pipe or ():
            if match := _SHOWINFO.search(line):
                pts = match[1]
                self._times.put(None if pts == b"NOPTS" else int(pts) * base)
                look = _LOOK.search(line)
                self._look = look.groups() if look else ()
            elif match := _COLOR.search(line):
                self._looks.add(tuple(word.decode() for word in (*self._look, *match.groups())))
            elif match := _TIME_BASE.search(line):
                base = Fraction(int(match[1]), int(match[2]))
            elif b"[error]" in line or b"[fatal]" in line:
                self._words = [*self._words[:2], line.decode("utf-8", "replace").strip()]

    def next_time(self, origin: float, fallback: float) -> float:
        try:
            time = self._times.get(timeout=30)
        except Empty:
            time = None
        return fallback if time is None else float(time) - origin

    def error_words(self) -> str:
        self._thread.join(timeout=5)
        return " / ".join(self._words) or "no message"

    def close(self) -> None:
        self._thread.join(timeout=5)
        if self._pipe:
            self._pipe.close()
