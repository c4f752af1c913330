"""Real videos for measuring: where they lie, and a dataset ingested from them.

Videos without sound get a quiet noise track in a copy (the picture is copied bit by
bit), since a clip needs both; files too short or with several faces are left out by ingest itself.
"""

import functools
import subprocess
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from tests import REAL_DATA
from toolkit.dataset.manifest import read_table
from toolkit.dataset.shard import ShardReader
from toolkit.errors import ToolkitError
from toolkit.ingest import ingest
from toolkit.ingest.options import IngestOptions
from toolkit.media.decode import read_frames
from toolkit.media.ffmpeg_process import find_ffmpeg
from toolkit.media.video import SUFFIXES, fit_size, probe, read_duration

Floats = npt.NDArray[np.float64]
Item = TypeVar("Item")

TALKING, PIECE = 20.0, 5.0
"""Seconds of a video from which on it is long enough to learn a mouth from, and of its clips."""

SENTENCES, NUM_SENTENCES = "osalinasv_lipnet/grid_s1", 120
"""Folder of one man's sentences of 3 s, and how many of them are taken."""


@dataclass(frozen=True)
class RealClip:
    """One clip of a real video, with its shard.

    Attributes:
        name: path of the video from the data folder.
        path: the file itself.
        reader: its shard.
        index: its position in the shard.
    """

    name: str
    path: Path
    reader: ShardReader
    index: int

    @property
    def fps(self) -> int:
        """Clock rate."""
        return self.reader.fps

    @property
    def num_frames(self) -> int:
        """Length on the clock."""
        return self.reader.clips[self.index].num_frames

    def read(self, name: str) -> npt.NDArray[np.generic]:
        """A stored array of the clip."""
        return self.reader.read(name, self.index)

    @property
    def source_index(self) -> npt.NDArray[np.int64]:
        """(n,) which decoded source frame is shown, by exact presentation time."""
        times = read_times(self.path)
        return np.abs(times[:, None] - self.read("video/source_time")[None]).argmin(0)


def find_data() -> Path | None:
    """Folder of real videos: TTK_REAL_DATA, else ../shared/data; None where there is none."""
    return REAL_DATA if (REAL_DATA / "INDEX.md").is_file() else None


@functools.cache
def read_times(path: Path) -> Floats:
    """(F,) presentation time of every decoded frame, s."""
    info, streams = probe(path)
    size = fit_size(info, 64)
    return np.array([frame.time for frame in read_frames(path, info, streams, size=size)])


def ingest_real(folder: Path, out: Path, workers: int, *, whisper: str = "none") -> list[RealClip]:
    """Ingest every video of the folder; clips of 27 frames and more."""
    names: dict[str, str] = {}
    copies = out / "with_sound"
    copies.mkdir(parents=True, exist_ok=True)
    inputs = []
    for path in _find_videos(folder):
        usable = add_sound(path, folder, copies)
        names[str(usable.resolve())] = str(path.relative_to(folder))
        inputs.append(usable)
    options = IngestOptions(min_frames=27, identity="stem", whisper=whisper)
    ingest(inputs, options, out=out, workers=workers)
    return _list_clips(folder, out, names)


def ingest_talking(folder: Path, out: Path, workers: int) -> list[RealClip]:
    """Clips of one face with its own sound, `PIECE` seconds and more: meshes and samples.

    Of videos that have `TALKING` seconds of them.
    """
    inputs = [path for path in _find_videos(folder) if read_duration(path) >= TALKING]
    inputs = [path for path in inputs if _has_sound(path)]
    clips = _ingest_mouths(folder, inputs, PIECE, out, workers)
    frames = Counter[str]()
    for clip in clips:
        frames[clip.name] += clip.num_frames
    return [clip for clip in clips if frames[clip.name] >= TALKING * clip.fps]


def ingest_sentences(folder: Path, out: Path, workers: int) -> list[RealClip]:
    """`NUM_SENTENCES` sentences of one man, evenly over those of GRID's s1: meshes and samples."""
    paths = choose_evenly(sorted((folder / SENTENCES).glob("*.mkv")), NUM_SENTENCES)
    return _ingest_mouths(folder, paths, 1.0, out, workers)


def choose_evenly(items: Sequence[Item], number: int) -> list[Item]:
    """So many of a sequence, first and last among them; all where there are no more."""
    if len(items) <= number:
        return list(items)
    return [items[k] for k in np.linspace(0, len(items) - 1, number).round().astype(int)]


def _ingest_mouths(
    folder: Path, inputs: list[Path], seconds: float, out: Path, workers: int
) -> list[RealClip]:
    """A dataset of its own, so that other weights do not make it anew."""
    options = IngestOptions(
        identity="stem",
        clip_seconds=600.0,
        min_frames=int(seconds * IngestOptions().fps),
        frame_size=0,
        deepspeech="none",
        pose="none",
        au45="none",
        coefficients="none",
    )
    ingest(inputs, options, out=out, workers=workers)
    names = {str(path.resolve()): str(path.relative_to(folder)) for path in inputs}
    return _list_clips(folder, out, names)


def _find_videos(folder: Path) -> list[Path]:
    found = (path for path in sorted(folder.rglob("*")) if path.suffix.lower() in SUFFIXES)
    return [path for path in found if path.is_file()]


def _has_sound(path: Path) -> bool:
    try:
        return probe(path)[0].audio_start is not None
    except ToolkitError:
        return False


def add_sound(path: Path, folder: Path, copies: Path) -> Path:
    try:
        info, _ = probe(path)
    except Exception:
        return path
    if info.audio_start is not None:
        return path
    copy = copies / (str(path.relative_to(folder)).replace("/", "__") + ".mkv")
    if copy.is_file():
        return copy
    noise = "anoisesrc=amplitude=0.02:seed=1:sample_rate=16000"
    command = [find_ffmpeg(), "-nostdin", "-loglevel", "error", "-y", "-i", f"file:{path}"]
    command += ["-f", "lavfi", "-i", noise, "-map", "0:v:0", "-map", "1:a", "-c:v", "copy"]
    command += ["-c:a", "pcm_s16le", "-shortest", f"file:{copy}"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return copy if done.returncode == 0 else path


def _list_clips(folder: Path, out: Path, names: dict[str, str]) -> list[RealClip]:
    readers: dict[str, ShardReader] = {}
    found = []
    for row in read_table(out, "clips").itertuples():
        reader = readers.setdefault(row.shard, ShardReader(out / row.shard))
        name = names[str((out / row.source).resolve())]
        found.append(RealClip(name, folder / name, reader, row.index))
    return sorted(found, key=lambda clip: (clip.name, clip.reader.clips[clip.index].start_frame))
