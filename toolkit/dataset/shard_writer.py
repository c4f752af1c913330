"""Writing shards: clips go in one by one, one HDF5 file of known size comes out.

With `toolkit.dataset.shard`, which offers everything here, the doorway to h5py.
"""

import contextlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import h5py
import numpy as np
import numpy.typing as npt

from toolkit import __version__
from toolkit.clock import count_samples
from toolkit.dataset.spool import ColumnSpool
from toolkit.schema import ARRAYS, DEEPSPEECH_SYMBOLS, SCHEMA_VERSION, ArraySpec, Provenance
from toolkit.storage import guard_storage, sync_file

Array = npt.NDArray[Any]

BLOCK = 1 << 22
"""Bytes copied at a time: memory does not grow with the shard."""

LIBVER = ("v110", "v110")
"""One file format, whatever version of HDF5 writes it."""

GIVEN = ("clips/identity_coefficients", "clips/texture_coefficients")
"""Per-clip arrays that extractors make; the rest of `clips/` comes from the clip itself."""

MAY_BE_NAN = ("face/confidence",)
"""Arrays in which NaN means that the backend has no such number."""


@dataclass(frozen=True, kw_only=True)
class ShardClip:
    """One clip of a shard: frames `[first_frame, first_frame + num_frames)` of its frame axis.

    `start_frame` counts on the source's clock; `crop` is xyxy and `intrinsics` fx, fy, cx, cy,
    both in source px; samples lie on the shard's sample axis.
    """

    id: str
    identity: str
    source: str
    start_frame: int
    num_frames: int
    first_frame: int
    first_sample: int
    num_samples: int
    crop: tuple[float, float, float, float]
    intrinsics: tuple[float, float, float, float]


def four_numbers(values: Sequence[float], name: str) -> tuple[float, float, float, float]:
    """A tuple of four floats; ValueError naming `name` where there are not four."""
    if len(values) != 4:
        raise ValueError(f"{name} needs four numbers, not {len(values)}")
    return float(values[0]), float(values[1]), float(values[2]), float(values[3])


class ShardWriter:
    """Writes one shard; use it in a `with` block and end with `finish()`.

    Columns are spooled to plain binary files, then copied block by block into datasets of known
    size: memory stays flat whatever the length. The same input gives the same bytes. Leaving the
    block without `finish()` removes everything.

    Args:
        path: file to write; pass a temporary name and `publish` it afterwards.
        fps: clock rate.
        frame_size: side of the stored crop, px; 0: no frames are stored.
        provenance: feature name -> what made it.
        options: the resolved options, for the record.
        spool: a folder for this writer alone; made if missing, removed if empty afterwards.
        scale: what `audio/deepspeech` holds, `log_prob` or `logit`.

    Raises:
        StorageError: in any method: the disk is full or not writable.
    """

    def __init__(
        self,
        path: Path,
        *,
        fps: int,
        frame_size: int,
        provenance: Mapping[str, Provenance],
        options: Mapping[str, object],
        spool: Path,
        scale: str = "log_prob",
    ) -> None:
        self.path = path
        self._attributes = {
            "schema_version": SCHEMA_VERSION,
            "fps": fps,
            "frame_size": frame_size,
            "tool_version": __version__,
            "provenance": _dump_provenance(provenance, options),
        }
        self._fps = fps
        self._scale = scale
        self._spool = ColumnSpool(spool)
        self._clips: list[ShardClip] = []
        self._jpeg_offsets: list[int] | None = [0] if frame_size else None
        self._finished = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._spool.remove()
        if not self._finished:
            with contextlib.suppress(OSError):
                self.path.unlink(missing_ok=True)

    def spool_frame(self, jpeg: bytes) -> None:
        """Store one JPEG of the clip whose `add_clip` comes next; one call per frame, in order."""
        if self._jpeg_offsets is None:
            raise ValueError("this shard has frame_size 0: it stores no frames")
        self._spool.append("video/jpeg", jpeg)
        self._jpeg_offsets.append(self._jpeg_offsets[-1] + len(jpeg))

    def add_clip(
        self,
        *,
        clip_id: str,
        identity: str,
        source: str,
        start_frame: int,
        num_frames: int,
        crop: Sequence[float],
        intrinsics: Sequence[float],
        arrays: Mapping[str, Array],
        pcm: npt.NDArray[np.int16],
        frames: Iterable[bytes] = (),
    ) -> None:
        """Append one clip of n frames.

        Args:
            clip_id: unique in the shard.
            identity: person.
            source: path from the dataset's folder.
            start_frame: first frame on the source's clock.
            num_frames: n, at least 1.
            crop: xyxy of the fixed crop, source px.
            intrinsics: fx, fy, cx, cy in source px.
            arrays: name in `ARRAYS` -> (n, ...) per-frame array or (80,) per-clip coefficients;
                the same names for every clip of the shard; converted to the stored dtype.
            pcm: (samples,) int16; as many as the clock gives these frames.
            frames: n JPEGs, where `spool_frame` has not been called for them.

        Raises:
            ValueError: an array has the wrong shape or is not finite, or names differ; the shard
                is as it was before, and other clips may follow.
        """
        try:
            columns = self._check_clip(clip_id, start_frame, num_frames, arrays, pcm)
            for jpeg in frames:
                self.spool_frame(jpeg)
            self._check_frames(clip_id, num_frames)
            last = self._clips[-1] if self._clips else None
            clip = ShardClip(
                id=clip_id,
                identity=identity,
                source=source,
                start_frame=start_frame,
                num_frames=num_frames,
                first_frame=last.first_frame + last.num_frames if last else 0,
                first_sample=last.first_sample + last.num_samples if last else 0,
                num_samples=len(pcm),
                crop=four_numbers(crop, "crop"),
                intrinsics=four_numbers(intrinsics, "intrinsics"),
            )
        except Exception:
            self.discard_frames()
            raise
        for name, column in columns.items():
            self._spool.append(name, column.tobytes())
        self._clips.append(clip)

    def discard_frames(self) -> None:
        """Forget the JPEGs spooled since the last clip; a refused `add_clip` has done so."""
        if self._jpeg_offsets is None:
            return
        del self._jpeg_offsets[self._num_frames + 1 :]
        self._spool.cut("video/jpeg", self._jpeg_offsets[-1])

    def finish(self) -> None:
        """Write the HDF5 file and wait until it is on the disk.

        Raises:
            ValueError: no clip was added.
        """
        if not self._clips:
            raise ValueError(f"{self.path}: a shard needs at least one clip")
        self._spool.close()
        with guard_storage(self.path):
            with h5py.File(
                self.path, "w", libver=LIBVER, alignment_threshold=64, alignment_interval=64
            ) as file:
                file.attrs.update(self._attributes)
                self._write_clips(file)
                self._write_columns(file)
                file.flush()
            sync_file(self.path)
        self._finished = True

    @property
    def _num_frames(self) -> int:
        return sum(clip.num_frames for clip in self._clips)

    def _check_clip(
        self,
        clip_id: str,
        start_frame: int,
        num_frames: int,
        arrays: Mapping[str, Array],
        pcm: npt.NDArray[np.int16],
    ) -> dict[str, Array]:
        """The columns of a clip as they are to be stored; ValueError if one does not fit."""
        if num_frames < 1 or any(clip.id == clip_id for clip in self._clips):
            raise ValueError(f"clip {clip_id}: no frames, or already in this shard")
        self._check_names(clip_id, frozenset(arrays))
        num_samples = count_samples(start_frame, num_frames, self._fps)
        columns = {"audio/pcm": _fit(ARRAYS["audio/pcm"], pcm, num_samples, clip_id)}
        for name in sorted(arrays):
            columns[name] = _fit(ARRAYS[name], arrays[name], num_frames, clip_id)
        return columns

    def _check_names(self, clip_id: str, names: frozenset[str]) -> None:
        unknown = [n for n in names if not (n in GIVEN or _is_given_per_frame(n))]
        if unknown:
            raise ValueError(f"clip {clip_id}: not arrays of the schema: {', '.join(unknown)}")
        first = frozenset(self._spool.names) - {"audio/pcm", "video/jpeg"}
        if self._clips and names != first:
            differ = ", ".join(sorted(names ^ first))
            raise ValueError(f"clip {clip_id}: arrays differ from the first clip's: {differ}")

    def _check_frames(self, clip_id: str, num_frames: int) -> None:
        if self._jpeg_offsets is None:
            return
        found = len(self._jpeg_offsets) - 1 - self._num_frames
        if found != num_frames:
            raise ValueError(f"clip {clip_id}: video/jpeg has {found} frames, not {num_frames}")

    def _write_clips(self, file: Any) -> None:
        clips, text = self._clips, h5py.string_dtype()
        for key in ("id", "identity", "source"):
            words = np.array([getattr(clip, key) for clip in clips], dtype=object)
            _create(file, f"clips/{key}", (len(clips),), text)[:] = words
        ends = [(clip.first_frame + clip.num_frames) for clip in clips]
        sample_ends = [(clip.first_sample + clip.num_samples) for clip in clips]
        rows: dict[str, Sequence[object]] = {
            "clips/start_frame": [clip.start_frame for clip in clips],
            "clips/frame_offset": [0, *ends],
            "clips/sample_offset": [0, *sample_ends],
            "clips/crop": [clip.crop for clip in clips],
            "clips/intrinsics": [clip.intrinsics for clip in clips],
        }
        if self._jpeg_offsets is not None:
            rows["video/jpeg_offset"] = self._jpeg_offsets
        for name, values in rows.items():
            column = np.array(values, dtype=ARRAYS[name].dtype)
            _create(file, name, column.shape, column.dtype)[:] = column

    def _write_columns(self, file: Any) -> None:
        for name in sorted(self._spool.names):
            spec, path = ARRAYS[name], self._spool.path(name)
            dtype = np.dtype(spec.dtype)
            row = dtype.itemsize * int(np.prod(spec.shape, dtype=np.int64))
            num_rows = path.stat().st_size // row
            dataset = _create(file, name, (num_rows, *spec.shape), dtype)
            step = max(1, BLOCK // row)
            with path.open("rb") as stream:
                for start in range(0, num_rows, step):
                    block = np.frombuffer(stream.read(step * row), dtype)
                    dataset[start : start + step] = block.reshape(-1, *spec.shape)
        if "audio/deepspeech" in file:
            file["audio/deepspeech"].attrs.update(symbols=DEEPSPEECH_SYMBOLS, scale=self._scale)


def _dump_provenance(provenance: Mapping[str, Provenance], options: Mapping[str, object]) -> str:
    features = {name: asdict(made) for name, made in provenance.items()}
    value = {"features": features, "options": dict(options)}
    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)


def _is_given_per_frame(name: str) -> bool:
    return name in ARRAYS and ARRAYS[name].axis == "N"


def _fit(spec: ArraySpec, array: Array, num_rows: int, clip_id: str) -> Array:
    """The array as stored, in the spec's dtype; ValueError if its shape or values are wrong."""
    shape = spec.shape if spec.axis == "C" else (num_rows, *spec.shape)
    if array.shape != shape:
        raise ValueError(f"clip {clip_id}: {spec.name} has shape {array.shape}, not {shape}")
    if not np.can_cast(array.dtype, spec.dtype, "same_kind"):
        raise ValueError(f"clip {clip_id}: {spec.name} is {array.dtype}, not {spec.dtype}")
    stored = np.ascontiguousarray(array, dtype=spec.dtype)
    if stored.dtype.kind == "f" and spec.name not in MAY_BE_NAN and not np.isfinite(stored).all():
        raise ValueError(f"clip {clip_id}: {spec.name} holds values that are not finite")
    return stored


def _create(file: Any, name: str, shape: tuple[int, ...], dtype: Any) -> Any:
    return file.create_dataset(name, shape, dtype, track_times=False)
