"""Training windows: the same number of frames from any clip of many shards, copied into a batch.

Axes: B windows of a batch, T frames of a window.
"""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from toolkit.dataset.shard import ShardReader
from toolkit.errors import ShardError
from toolkit.schema import ARRAYS

Batch = dict[str, npt.NDArray[Any]]


class WindowReader:
    """All windows of T frames that lie within one clip; clips shorter than T have none.

    Windows are numbered 0 to `len() - 1`, in the order of shards, clips and frames. Batches are
    plain copies, so that the caller may keep or change them.

    Args:
        readers: shards to read.
        names: per-frame arrays of `ARRAYS`, as `audio/deepspeech`.
        num_frames: T.
        clips: ids of the clips to read, as those of one part of the split; all by default.
        mix_backends: read shards although other backends or weights made their arrays.

    Raises:
        ShardError: a shard lacks one of the arrays (names it and the option that makes it), or
            the shards' backends differ.
        ValueError: an array without a frame axis, T below 1, no shard, or no clip of that id.
    """

    def __init__(
        self,
        readers: Sequence[ShardReader],
        names: Sequence[str],
        num_frames: int,
        *,
        clips: Collection[str] | None = None,
        mix_backends: bool = False,
    ) -> None:
        if num_frames < 1 or not readers:
            raise ValueError("a window needs at least one frame and one shard")
        self._arguments = (readers, names, num_frames, clips, mix_backends)
        self.num_frames = num_frames
        self._columns = {name: [_find_column(r, name) for r in readers] for name in names}
        if not mix_backends:
            _check_backends(readers, names)
        self._place(readers, None if clips is None else set(clips))

    def __reduce__(self) -> tuple[Any, ...]:
        readers, names, num_frames, clips, mix_backends = self._arguments
        return _open_again, (type(self), readers, names, num_frames, clips, mix_backends)

    def _place(self, readers: Sequence[ShardReader], chosen: set[str] | None) -> None:
        clips = [
            (shard, clip)
            for shard, reader in enumerate(readers)
            for clip in reader.clips
            if chosen is None or clip.id in chosen
        ]
        missing = sorted((chosen or set()) - {clip.id for _, clip in clips})
        if missing:
            raise ValueError(f"{len(missing)} clips are in none of the shards, as {missing[0]}")
        num_frames = self.num_frames
        room = [max(0, clip.num_frames - num_frames + 1) for _, clip in clips]
        self._shard = np.array([shard for shard, _ in clips], np.int64)
        self._last = np.cumsum(np.array(room, np.int64))
        first = np.array([clip.first_frame for _, clip in clips], np.int64)
        self._shift = first - self._last + np.array(room, np.int64)

    def __len__(self) -> int:
        return int(self._last[-1]) if len(self._last) else 0

    def locate(
        self, windows: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """(B,) number of the shard and (B,) first row on its frame axis, of (B,) windows."""
        if len(windows) and not 0 <= windows.min() <= windows.max() < len(self):
            raise ValueError(f"windows are numbered 0 to {len(self) - 1}")
        clip = np.searchsorted(self._last, windows, side="right")
        return self._shard[clip], windows + self._shift[clip]

    def read(self, windows: npt.NDArray[np.int64], out: Batch | None = None) -> Batch:
        """Name -> (B, T, ...) array in the stored dtype, of (B,) windows.

        Args:
            windows: numbers of windows, any order, repeated or not.
            out: arrays of a former call with as many windows, to be written over.
        """
        shards, starts = self.locate(windows)
        batch = self._allocate(len(windows)) if out is None else out
        places = list(zip(shards.tolist(), starts.tolist(), strict=True))
        for name, columns in self._columns.items():
            rows, length = batch[name], self.num_frames
            for row, (shard, start) in enumerate(places):
                rows[row] = columns[shard][start : start + length]
        return batch

    def sample(
        self, generator: np.random.Generator, num_windows: int, out: Batch | None = None
    ) -> Batch:
        """As `read`, for windows drawn evenly from all, with repetition.

        Raises:
            ValueError: every clip is shorter than T.
        """
        if not len(self):
            raise ValueError(f"every clip is shorter than {self.num_frames} frames")
        return self.read(generator.integers(len(self), size=num_windows), out)

    def _allocate(self, num_windows: int) -> Batch:
        return {
            name: np.empty((num_windows, self.num_frames, *columns[0].shape[1:]), columns[0].dtype)
            for name, columns in self._columns.items()
        }


def _find_column(reader: ShardReader, name: str) -> npt.NDArray[Any]:
    column = reader.column(name)
    if len(column) != reader.num_frames or name.startswith("clips/"):
        raise ValueError(f"{name} has no frame axis")
    return column


def _open_again(kind: type[WindowReader], *arguments: Any) -> WindowReader:
    readers, names, num_frames, clips, mix_backends = arguments
    return kind(readers, names, num_frames, clips=clips, mix_backends=mix_backends)


def _check_backends(readers: Sequence[ShardReader], names: Sequence[str]) -> None:
    first = readers[0]
    for feature in {ARRAYS[name].feature for name in names}:
        for reader in readers[1:]:
            other, expected = reader.provenance.get(feature), first.provenance.get(feature)
            if other != expected:
                raise ShardError(
                    f"{reader.path}: its {feature} comes from {other}, that of {first.path} from "
                    f"{expected}: train on one kind, or give mix_backends=True"
                )
