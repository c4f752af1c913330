"""The clips of an export, one at a time: manifest row, arrays, sound and pictures."""

import io
import wave
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt
import pandas as pd

from toolkit.dataset.find import choose_clips
from toolkit.dataset.shard import ShardReader
from toolkit.dataset.table_file import LARGE
from toolkit.errors import ManifestError
from toolkit.export.options import ExportOptions
from toolkit.facemodel.camera import crop_intrinsics
from toolkit.media.encode import write_video
from toolkit.schema import ARRAYS, CLIP_COLUMNS, NOMINAL_SIZE

Array = npt.NDArray[np.generic]

SAMPLE_RATE = 16_000

UNSPLIT = "unsplit"
"""Part of a clip that `ttk split` gave none."""

_LEFT_OUT = {"source", "shard", "shard_sha256", "index", "job", "options_digest", *LARGE}
"""Columns that say where a file lies on this machine, or in this dataset."""

_READERS = 4
"""Shards that are open at a time."""


def list_clips(dataset: Path, options: ExportOptions) -> pd.DataFrame:
    """Rows of the clips to export, see `choose_clips`; `split` is `UNSPLIT` where there is none."""
    clips = choose_clips(dataset, part=options.split or None, where=options.where)
    return clips.assign(split=clips["split"].replace("", UNSPLIT))


def open_clips(dataset: Path, rows: pd.DataFrame) -> "Iterator[ExportClip]":
    """Each of these clips, in this order, with its shard open.

    Raises:
        ManifestError: a shard holds another clip than the manifest says.
        ShardError: a shard is missing or damaged.
    """
    open_shard = lru_cache(maxsize=_READERS)(ShardReader)
    for row in rows.to_dict("records"):
        reader, index = open_shard(dataset / str(row["shard"])), int(row["index"])
        if index >= len(reader.clips) or reader.clips[index].id != row["clip_id"]:
            raise ManifestError(
                f"{reader.path}: clip {row['clip_id']} is not where it should be: run ttk validate"
            )
        yield ExportClip(row={str(name): value for name, value in row.items()}, reader=reader)


@dataclass(frozen=True, kw_only=True)
class ExportClip:
    """One clip; `row` is its row of the clips table, with `split`."""

    row: Mapping[str, object]
    reader: ShardReader

    @property
    def index(self) -> int:
        """Its place in the shard."""
        return int(str(self.row["index"]))

    @property
    def id(self) -> str:
        """`clip_id`: letters, digits, `_` and `-` alone, so it may be a file's name."""
        return self.reader.clips[self.index].id

    @property
    def num_frames(self) -> int:
        """Frames, n."""
        return self.reader.clips[self.index].num_frames

    @property
    def seconds(self) -> float:
        """Length."""
        return self.num_frames / self.reader.fps

    @property
    def arrays(self) -> dict[str, str]:
        """Short name -> name in the shard, of all arrays but sound and pictures."""
        return {
            name.rpartition("/")[2]: name
            for name in ARRAYS
            if name in self.reader.names and is_exported(name)
        }

    def read(self, name: str) -> Array:
        """An array's part of this clip, by its name in the shard; ShardError if there is none."""
        return self.reader.read(name, self.index)

    def crop_intrinsics(self, side: int) -> tuple[float, float, float, float]:
        """Fx, fy, cx, cy in px of the clip's crop, scaled to `side` px."""
        clip = self.reader.clips[self.index]
        return crop_intrinsics(clip.intrinsics, clip.crop, side)

    def landmarks(self, side: int | None = None) -> npt.NDArray[np.float64]:
        """The mesh (n, 478, 2) in px of the crop scaled to `side`, or of the source's picture."""
        x0, y0, x1, y1 = self.reader.clips[self.index].crop
        size = self.reader.frame_size or NOMINAL_SIZE
        points = self.read("face/landmarks")[..., :2].astype(np.float64) / size
        if side is not None:
            return points * side
        return np.asarray(points * (x1 - x0, y1 - y0) + (x0, y0))

    def make_wav(self) -> bytes:
        """The sound as a WAV file: 16 kHz, mono, 16 bit."""
        stream = io.BytesIO()
        with wave.open(stream, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(SAMPLE_RATE)
            file.writeframes(self.read("audio/pcm").astype("<i2").tobytes())
        return stream.getvalue()

    def make_mp4(self, folder: Path) -> bytes | None:
        """The crop as an MP4 file (H.264, and the sound as AAC), None where no frames are stored.

        Args:
            folder: where it lies while it is made.
        """
        if not self.reader.frame_size:
            return None
        path = folder / f"{self.id}.mp4"
        frames = (self.reader.frame(self.index, t) for t in range(self.num_frames))
        write_video(path, frames, fps=self.reader.fps, pcm=self.read("audio/pcm").astype(np.int16))
        content = path.read_bytes()
        path.unlink()
        return content

    def describe(self) -> dict[str, object]:
        """The manifest row without places on this machine; of the source its name alone."""
        row = {
            column.name: _to_plain(self.row[column.name], column.type)
            for column in CLIP_COLUMNS
            if column.name not in _LEFT_OUT
        }
        name = PurePosixPath(str(self.row["source"])).name
        return row | {"source": name, "split": str(self.row["split"])}


def is_exported(name: str) -> bool:
    """Whether an array goes into generic formats as such: those of frames, and of whole clips."""
    spec = ARRAYS[name]
    return spec.axis == "N" or (spec.axis == "C" and bool(spec.shape))


def _to_plain(value: object, kind: str) -> object:
    """Without NumPy and pandas; None for what is missing."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    if pd.isna(value):  # type: ignore[call-overload]
        return None
    if isinstance(value, pd.Timestamp):
        return value.to_pydatetime()
    if isinstance(value, np.generic):
        value = value.item()
    return int(value) if kind == "int64" and isinstance(value, float) else value
