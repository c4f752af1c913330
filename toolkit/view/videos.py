"""Clips as MP4 files for a browser: stored crops and sound, encoded when they are asked for."""

import itertools
import tempfile
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from toolkit.media.encode import write_video
from toolkit.preview.clip import read_clip

NUM_KEPT = 32
"""Videos that are kept; the one asked for longest ago goes first."""


class VideoCache:
    """Videos of clips in a temporary folder, which goes with the block it is used in.

    May be asked by several threads; one video is encoded at a time.
    """

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="ttk-view-")
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._files: dict[str, Path] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._folder.cleanup()

    def find(self, name: str, shard: Path, index: int) -> Path:
        """The video of a clip; grey where the shard has no frames.

        Args:
            name: the clip's whole id.
            shard: its shard.
            index: its place in it.

        Raises:
            ToolkitError: a damaged shard, or ffmpeg or the disk fails.
        """
        with self._lock:
            path = self._files.pop(name, None) or self._encode(name, shard, index)
            self._files[name] = path
            while len(self._files) > NUM_KEPT:
                self._files.pop(next(iter(self._files))).unlink(missing_ok=True)
        return path

    def _encode(self, name: str, shard: Path, index: int) -> Path:
        clip = read_clip(name, shard, index)
        # numbered: an id is text of the manifest, and no name for a file
        path = Path(self._folder.name) / f"{next(self._numbers)}.mp4"
        frames = (clip.read_picture(t, clip.size) for t in range(clip.num_frames))
        write_video(path, frames, fps=clip.fps, pcm=clip.pcm if len(clip.pcm) else None)
        return path
