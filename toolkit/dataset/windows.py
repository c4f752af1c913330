"""Training windows: the same number of frames from any clip, copied into a batch.

Axes: W windows, B windows of a batch, T frames of a window.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from toolkit.dataset.shard import ShardClip, ShardReader
from toolkit.errors import ShardError
from toolkit.schema import ARRAYS

Batch = dict[str, npt.NDArray[Any]]
Places = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Span:
    """Where a clip's frames lie: rows [first, first + num_frames) of the arrays of one source."""

    source: int
    first: int
    num_frames: int


@dataclass(frozen=True)
class Context:
    """Frames that a window holds of an array beside its own; zeros beyond the clip's ends."""

    before: int = 0
    after: int = 0


class Windows:
    """All windows of T frames that lie within one clip.

    Clips shorter than T have none or, where they are asked for, one, with zeros behind their end.

    Windows are numbered 0 to `len() - 1`, in the order of clips and frames. Batches are plain
    copies, so that the caller may keep or change them.

    Attributes:
        num_frames: T.
    """

    def __init__(
        self,
        columns: Mapping[str, Sequence[npt.NDArray[Any]]],
        clips: Sequence[Span],
        num_frames: int,
        *,
        stride: int = 1,
        context: Mapping[str, Context] | None = None,
        min_frames: int | None = None,
    ) -> None:
        """Place the windows: every `stride` frames of a clip, and its last.

        Args:
            columns: name -> an array with a frame axis for each source.
            clips: where they lie.
            num_frames: T.
            stride: frames between the starts of a clip's windows.
            context: name -> frames that are read beside the window's own.
            min_frames: clips of so many frames or more that are shorter than T have one window.
                None: they have none.

        Raises:
            ValueError: T or stride below 1.
        """
        if num_frames < 1 or stride < 1:
            raise ValueError(f"windows of {num_frames} frames every {stride}: at least 1")
        self.num_frames = num_frames
        self._columns = dict(columns)
        self._context = {name: Context() for name in columns} | dict(context or {})
        self._stride = stride
        self._source, self._first, self._length = (
            np.array([getattr(clip, name) for clip in clips], np.int64)
            for name in ("source", "first", "num_frames")
        )
        counts = count_windows(self._length, num_frames, stride, min_frames)
        self._has_short = bool((counts[self._length < num_frames] > 0).any())
        self._end = np.cumsum(counts)

    def __len__(self) -> int:
        return int(self._end[-1]) if len(self._end) else 0

    def place(self, windows: Places) -> tuple[Places, Places]:
        """(B,) number of the clip and (B,) first frame in it, of (B,) windows."""
        if len(windows) and not 0 <= windows.min() <= windows.max() < len(self):
            raise ValueError(f"windows are numbered 0 to {len(self) - 1}")
        clip = np.searchsorted(self._end, windows, side="right")
        before = np.concatenate([[0], self._end])[clip]
        last = np.maximum(self._length[clip] - self.num_frames, 0)
        return clip, np.minimum((windows - before) * self._stride, last)

    def count_frames(self, windows: Places) -> Places:
        """(B,) frames of (B,) windows that are their clip's: T, or all that a shorter clip has."""
        clip, _ = self.place(windows)
        return np.minimum(self._length[clip], self.num_frames)

    def locate(self, windows: Places) -> tuple[Places, Places]:
        """(B,) number of the source and (B,) first row of its arrays, of (B,) windows."""
        clip, start = self.place(windows)
        return self._source[clip], self._first[clip] + start

    def read(self, windows: Places, out: Batch | None = None) -> Batch:
        """Name -> (B, T and its context, ...) array in the columns' dtype, of (B,) windows.

        Args:
            windows: numbers of windows, any order, repeated or not.
            out: arrays of a former call with as many windows, to be written over.
        """
        sources, starts = self.locate(windows)
        batch = self._allocate(len(windows)) if out is None else out
        places = list(zip(sources.tolist(), starts.tolist(), strict=True))
        for name, columns in self._columns.items():
            if self._context[name] == Context() and not self._has_short:
                rows, length = batch[name], self.num_frames
                for row, (source, start) in enumerate(places):
                    rows[row] = columns[source][start : start + length]
            else:
                self._read_context(name, windows, places, batch[name])
        return batch

    def _read_context(
        self, name: str, windows: Places, places: list[tuple[int, int]], rows: npt.NDArray[Any]
    ) -> None:
        """Windows with their context; zeros where it lies beyond the clip."""
        columns, context = self._columns[name], self._context[name]
        clip, _ = self.place(windows)
        low = self._first[clip]
        high = (low + self._length[clip]).tolist()
        length = context.before + self.num_frames + context.after
        for row, ((source, start), first, last) in enumerate(
            zip(places, low.tolist(), high, strict=True)
        ):
            begin = start - context.before
            inside = slice(max(begin, first), min(begin + length, last))
            if inside.stop - inside.start < length:
                rows[row] = 0
            rows[row, inside.start - begin : inside.stop - begin] = columns[source][inside]

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
            name: np.empty(
                (
                    num_windows,
                    self._context[name].before + self.num_frames + self._context[name].after,
                    *columns[0].shape[1:],
                ),
                columns[0].dtype,
            )
            for name, columns in self._columns.items()
        }


def count_windows(
    lengths: Places, window: int, stride: int = 1, min_frames: int | None = None
) -> Places:
    """(C,) windows of clips of so many frames: from 0, stride, … on, and the last that fits.

    Where `min_frames` is given, a shorter clip of at least so many has one.
    """
    last = lengths - window
    short = 0 if min_frames is None else lengths >= min_frames
    return np.where(last < 0, short, -(-last // stride) + 1)


class WindowReader(Windows):
    """The windows of shards, in the order of shards, clips and frames, as they are stored.

    Args:
        readers: shards to read.
        names: per-frame arrays of `ARRAYS`, as `audio/deepspeech`.
        num_frames: T.
        stride: frames between the starts of a clip's windows; its last window is always there.
        context: array -> frames that are read beside the window's own.
        min_frames: see `Windows`.
        clips: ids of the clips to read, as those of one part of the split; all by default.
        mix_backends: read shards although other backends or weights made their arrays.

    Attributes:
        clips: the clips that are read, as `place` numbers them.

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
        stride: int = 1,
        context: Mapping[str, Context] | None = None,
        min_frames: int | None = None,
        clips: Collection[str] | None = None,
        mix_backends: bool = False,
    ) -> None:
        if num_frames < 1 or not readers:
            raise ValueError("a window needs at least one frame and one shard")
        self._arguments = (
            readers, names, num_frames, stride, context, min_frames, clips, mix_backends,
        )  # fmt: skip
        columns = {name: [_find_column(reader, name) for reader in readers] for name in names}
        if not mix_backends:
            _check_backends(readers, names)
        found = _find_clips(readers, None if clips is None else set(clips))
        self.clips = tuple(clip for _, clip in found)
        spans = [Span(shard, clip.first_frame, clip.num_frames) for shard, clip in found]
        super().__init__(
            columns, spans, num_frames, stride=stride, context=context, min_frames=min_frames
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return _open_again, (type(self), *self._arguments)


def _find_clips(
    readers: Sequence[ShardReader], ids: set[str] | None
) -> list[tuple[int, ShardClip]]:
    """Place of the shard, and the clip, of all or of these ids."""
    found = [
        (shard, clip)
        for shard, reader in enumerate(readers)
        for clip in reader.clips
        if ids is None or clip.id in ids
    ]
    missing = sorted((ids or set()) - {clip.id for _, clip in found})
    if missing:
        raise ValueError(f"{len(missing)} clips are in none of the shards, as {missing[0]}")
    return found


def _find_column(reader: ShardReader, name: str) -> npt.NDArray[Any]:
    column = reader.column(name)
    if len(column) != reader.num_frames or name.startswith("clips/"):
        raise ValueError(f"{name} has no frame axis")
    return column


def _open_again(kind: type[WindowReader], *arguments: Any) -> WindowReader:
    readers, names, num_frames, stride, context, min_frames, clips, mix_backends = arguments
    return kind(
        readers,
        names,
        num_frames,
        stride=stride,
        context=context,
        min_frames=min_frames,
        clips=clips,
        mix_backends=mix_backends,
    )


def _check_backends(readers: Sequence[ShardReader], names: Sequence[str]) -> None:
    first = readers[0]
    for feature in {ARRAYS[name].feature for name in names}:
        for reader in readers[1:]:
            made, expected = reader.provenance.get(feature), first.provenance.get(feature)
            if made != expected:
                raise ShardError(
                    f"{reader.path}: its {feature} comes from {made}, that of {first.path} from "
                    f"{expected}: train on one kind, or give mix_backends=True"
                )
