"""Shards: one immutable HDF5 file of whole clips, written once, read as slices (h5py's doorway).

All clips of a shard lie behind one another on one frame axis N and one sample axis S, in contiguous
uncompressed datasets. Names, shapes and dtypes: `toolkit.schema.ARRAYS`.
"""

import contextlib
import json
import mmap
import os
import weakref
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import h5py
import numpy as np
import numpy.typing as npt

from toolkit.clock import count_samples
from toolkit.dataset.shard_writer import (
    BLOCK,
    MAY_BE_NAN,
    Array,
    ShardClip,
    ShardWriter,
    four_numbers,
)
from toolkit.errors import ShardError
from toolkit.schema import ARRAYS, SCHEMA_VERSION, Provenance
from toolkit.storage import publish
from toolkit.store.cache import acquire

__all__ = ["ShardClip", "ShardReader", "ShardWriter", "publish", "verify_shard"]

# --- reading ------------------------------------------------------------------------------------


class ShardReader:
    """Reads one shard; numeric columns are views of the mapped file and cost no memory.

    It may be pickled (a data loader's worker opens the file again).

    Attributes:
        path: the file.
        fps: clock rate.
        frame_size: side of the stored crop, px; 0 where no frames are stored.
        tool_version: what wrote it.
        provenance: feature name -> what made it.
        options: the options it was made with.
        names: arrays it holds.
        scale: what `audio/deepspeech` holds, `log_prob` or `logit`; "" without it.
        clips: its clips, in order.

    Raises:
        ShardError: missing, damaged, of another schema version, or its parts contradict.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if (handle := acquire(path)) is not None:  # it stays in the cache while it is read
            weakref.finalize(self, os.close, handle)
        self._columns: dict[str, Array] = {}
        self._map: mmap.mmap | None = None
        with _reading(path), h5py.File(path, "r") as file:
            self._read_attributes(file)
            _check_own(file, path)
            self.names = _list_datasets(file, path)
            self._offsets = {
                name: file[name].id.get_offset() if file[name].chunks is None else None
                for name in self.names
            }
            self._shapes = {name: tuple(file[name].shape) for name in self.names}
            scored = "audio/deepspeech" in self.names
            self.scale = str(file["audio/deepspeech"].attrs["scale"]) if scored else ""
            _check_shapes(self._shapes, path)
            self.clips = _read_clips(file, path)
        _check_extents(self, self._shapes)

    def __repr__(self) -> str:
        return f"ShardReader({str(self.path)!r})"

    def __reduce__(self) -> tuple[type[Self], tuple[Path]]:
        return type(self), (self.path,)

    def _read_attributes(self, file: Any) -> None:
        version = file.attrs.get("schema_version")
        if version != SCHEMA_VERSION:
            raise ShardError(
                f"{self.path}: schema version {version}, not {SCHEMA_VERSION}: "
                "make it again with this version of ttk ingest"
            )
        self.fps = int(file.attrs["fps"])
        self.frame_size = int(file.attrs["frame_size"])
        self.tool_version = str(file.attrs["tool_version"])
        record = json.loads(file.attrs["provenance"])
        self.provenance = {n: Provenance(**made) for n, made in record["features"].items()}
        self.options: dict[str, object] = record["options"]

    @property
    def num_frames(self) -> int:
        """N: frames of all clips."""
        return self.clips[-1].first_frame + self.clips[-1].num_frames

    def column(self, name: str) -> Array:
        """A whole array over the shard's axis, read-only, as a view of the mapped file.

        A dataset that is not contiguous is read into memory instead.

        Raises:
            ShardError: the shard lacks it; says which option of `ttk ingest` makes it.
            ValueError: no numeric array of the schema has that name.
        """
        if name not in ARRAYS or ARRAYS[name].dtype == "utf-8":
            raise ValueError(f"{name!r} is no numeric array of a shard")
        self._require(name)
        if name not in self._columns:
            self._columns[name] = self._map_column(name)
        return self._columns[name]

    def _require(self, name: str) -> None:
        if name in self.names:
            return
        feature = ARRAYS[name].feature
        option = _OPTIONS.get(feature, f"--{feature} not none")
        raise ShardError(
            f"{self.path} has no {name}: run ttk ingest with {option} into a new folder"
        )

    def _map_column(self, name: str) -> Array:
        offset, shape = self._offsets[name], self._shapes[name]
        if offset is not None:
            if self._map is None:
                with self.path.open("rb") as stream:
                    self._map = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
            dtype, count = np.dtype(ARRAYS[name].dtype), int(np.prod(shape, dtype=np.int64))
            with _reading(self.path):
                return np.frombuffer(self._map, dtype, count, offset).reshape(shape)
        with _reading(self.path), h5py.File(self.path, "r") as file:
            column: Array = file[name][:]
        column.flags.writeable = False
        return column

    def read(self, name: str, clip: int) -> Array:
        """One clip's part of an array, copied: frame rows, samples, or its per-clip row.

        Raises:
            ShardError: the shard lacks it.
            ValueError: no such clip, or an array that is not cut by clips.
        """
        entry, axis = self._clip(clip), ARRAYS[name].axis if name in ARRAYS else ""
        column = self.column(name)
        if axis == "C":
            return np.array(column[clip])
        if axis == "N":
            return column[entry.first_frame : entry.first_frame + entry.num_frames].copy()
        if axis == "S":
            return column[entry.first_sample : entry.first_sample + entry.num_samples].copy()
        raise ValueError(f"{name} has no part for one clip; frames come from frame()")

    def frame(self, clip: int, t: int) -> npt.NDArray[np.uint8]:
        """Picture t of a clip: (frame_size, frame_size, 3) uint8 RGB.

        Raises:
            ShardError: no frames are stored, or this one is damaged.
            ValueError: no such clip or frame.
        """
        import simplejpeg

        entry = self._clip(clip)
        if not 0 <= t < entry.num_frames:
            raise ValueError(f"clip {entry.id} has {entry.num_frames} frames, no frame {t}")
        try:
            picture: npt.NDArray[np.uint8] = simplejpeg.decode_jpeg(
                self.jpeg(entry.first_frame + t), "RGB"
            )
        except ValueError as error:
            raise ShardError(
                f"{self.path}: frame {t} of clip {entry.id} is damaged: {error}"
            ) from error
        return picture

    def jpeg(self, row: int) -> bytes:
        """The JPEG of a row of the shard's frame axis, as stored."""
        first, last = self.column("video/jpeg_offset")[row : row + 2]
        return self.column("video/jpeg")[first:last].tobytes()

    def _clip(self, clip: int) -> ShardClip:
        if not 0 <= clip < len(self.clips):
            raise ValueError(f"{self.path} has {len(self.clips)} clips, no clip {clip}")
        return self.clips[clip]


_OPTIONS = {"frames": "--frame-size other than 0", "whisper": "--whisper tiny-en"}
"""Feature -> what makes its arrays, where `--FEATURE not none` does not say it."""


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise ShardError(f"{path}: missing; put it back or see what ttk validate says") from error
    except (OSError, LookupError, ValueError, TypeError, AttributeError, RuntimeError) as error:
        raise ShardError(
            f"{path}: not a whole shard ({error}); put back a copy or delete it and ingest again"
        ) from error


def _check_own(file: Any, path: Path) -> None:
    """Refuse what HDF5 would read out of another file: links, external storage, virtual parts."""
    for name in ARRAYS:
        group, _, _ = name.rpartition("/")
        for part in (group, name):
            if (link := file.get(part, getlink=True)) is None:
                break
            if not isinstance(link, h5py.HardLink):
                raise ShardError(f"{path}: {part} is a link: a shard holds its arrays itself")
        else:
            found = file[name]
            if isinstance(found, h5py.Dataset) and (found.external or found.is_virtual):
                raise ShardError(f"{path}: {name} lies elsewhere: a shard holds its arrays itself")


def _list_datasets(file: Any, path: Path) -> tuple[str, ...]:
    found = {n: spec for n, spec in ARRAYS.items() if isinstance(file.get(n), h5py.Dataset)}
    must = [n for n in ARRAYS if n.startswith("clips/") and not ARRAYS[n].feature] + ["audio/pcm"]
    lost = [name for name in must if name not in found]
    if lost:
        raise ShardError(f"{path}: not a whole shard: lacks {', '.join(lost)}; ingest again")
    for name, spec in found.items():
        if spec.dtype != "utf-8" and file[name].dtype != np.dtype(spec.dtype):
            raise ShardError(f"{path}: {name} is {file[name].dtype}, not {spec.dtype}")
    return tuple(sorted(found))


def _check_shapes(shapes: Mapping[str, tuple[int, ...]], path: Path) -> None:
    for name, shape in shapes.items():
        if shape[1:] != ARRAYS[name].shape or not shape:
            raise ShardError(f"{path}: {name} has shape {shape}, not (…, {ARRAYS[name].shape})")


def _read_clips(file: Any, path: Path) -> tuple[ShardClip, ...]:
    frames, samples = file["clips/frame_offset"][:], file["clips/sample_offset"][:]
    for name, offset in (("frame", frames), ("sample", samples)):
        if len(offset) < 2 or offset[0] != 0 or (np.diff(offset) <= 0).any():
            raise ShardError(f"{path}: clips/{name}_offset does not rise from 0: ingest again")
    keys = ("id", "identity", "source")
    text = [[str(value) for value in file[f"clips/{key}"].asstr()[:]] for key in keys]
    columns = (*text, *(file[f"clips/{k}"][:] for k in ("start_frame", "crop", "intrinsics")))
    if any(len(column) != len(frames) - 1 for column in (*columns, samples[1:])):
        raise ShardError(f"{path}: the columns of clips/ have different lengths: ingest again")
    return tuple(
        ShardClip(
            id=row[0],
            identity=row[1],
            source=row[2],
            start_frame=int(row[3]),
            num_frames=int(frames[c + 1] - frames[c]),
            first_frame=int(frames[c]),
            first_sample=int(samples[c]),
            num_samples=int(samples[c + 1] - samples[c]),
            crop=four_numbers(row[4], "crop"),
            intrinsics=four_numbers(row[5], "intrinsics"),
        )
        for c, row in enumerate(zip(*columns, strict=True))
    )


def _check_extents(reader: ShardReader, shapes: Mapping[str, tuple[int, ...]]) -> None:
    last = reader.clips[-1]
    extents = {
        "C": len(reader.clips),
        "C+1": len(reader.clips) + 1,
        "N": reader.num_frames,
        "N+1": reader.num_frames + 1,
        "S": last.first_sample + last.num_samples,
    }
    for name, shape in shapes.items():
        rows = extents.get(ARRAYS[name].axis, shape[0])
        if shape[0] != rows:
            raise ShardError(f"{reader.path}: {name} has {shape[0]} rows, not {rows}: ingest again")
    for clip in reader.clips:
        if clip.num_samples != count_samples(clip.start_frame, clip.num_frames, reader.fps):
            raise ShardError(f"{reader.path}: clip {clip.id}: its audio is not as long as it is")


# --- verification -------------------------------------------------------------------------------


def verify_shard(path: Path) -> None:
    """Read a whole shard and check that it is sound: structure, finite numbers, whole JPEGs.

    A flipped bit in a number passes here; the manifest's digest of the file finds it.

    Raises:
        ShardError: it is not; names the file and the array.
    """
    reader = ShardReader(path)
    if len({clip.id for clip in reader.clips}) < len(reader.clips):
        raise ShardError(f"{path}: the same clip stands in it twice: delete it and ingest again")
    for name in reader.names:
        spec = ARRAYS[name]
        if spec.dtype.startswith("float") and name not in MAY_BE_NAN:
            _check_finite(reader, name)
    if ("video/jpeg" in reader.names) != bool(reader.frame_size):
        raise ShardError(f"{path}: frame_size {reader.frame_size} contradicts video/jpeg")
    if reader.frame_size:
        _check_jpegs(reader)


def _check_finite(reader: ShardReader, name: str) -> None:
    column = reader.column(name)
    step = max(1, BLOCK // column[:1].nbytes)
    for start in range(0, len(column), step):
        if not np.isfinite(column[start : start + step]).all():
            raise ShardError(f"{reader.path}: {name} holds values that are not finite")


def _check_jpegs(reader: ShardReader) -> None:
    offset, data = reader.column("video/jpeg_offset"), reader.column("video/jpeg")
    if offset[0] != 0 or offset[-1] != len(data) or (np.diff(offset) < 4).any():
        raise ShardError(f"{reader.path}: video/jpeg_offset does not fit video/jpeg")
    first, last = offset[:-1], offset[1:]
    marks = np.stack([data[first], data[first + 1], data[last - 2], data[last - 1]], axis=1)
    damaged = np.flatnonzero((marks != (0xFF, 0xD8, 0xFF, 0xD9)).any(axis=1))
    if len(damaged):
        raise ShardError(f"{reader.path}: row {damaged[0]} of video/jpeg is no whole JPEG")
