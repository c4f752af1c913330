"""Clips as what judges lip-sync sees them: faces and sound, 25 frames a second.

Legend: n stored frames of a clip, m ticks: frames at 25 a second, S samples.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from toolkit.clock import SAMPLE_RATE
from toolkit.dataset.shard import ShardReader
from toolkit.errors import ToolkitError
from zoo.data.source import ClipSlice, require_frames, select_clips

RATE = 25
"""Ticks a second, whatever the dataset's clock."""

TICK_SAMPLES = SAMPLE_RATE // RATE

MIN_TICKS = 36
"""Of a clip that can be judged: 31 shifts of a window of five frames."""


@dataclass(frozen=True, eq=False, kw_only=True)
class TalkingClip:
    """One clip's stored pictures, mesh and sound.

    Attributes:
        id: the clip's.
        identity: who is seen.
        shown: (m,) int64, stored frame at each tick, the nearest in time.
        pcm: (S,) int16, 16 kHz, a view of the shard; sample 0 belongs to tick 0.
        reader, index: where the rest lies.
    """

    id: str
    identity: str
    shown: npt.NDArray[np.int64]
    pcm: npt.NDArray[np.int16]
    reader: ShardReader
    index: int

    def __len__(self) -> int:
        """Its ticks, m."""
        return len(self.shown)

    def read_landmarks(self) -> npt.NDArray[np.float32]:
        """(m, 478, 3) px of the stored pictures."""
        rows = self.reader.column("face/landmarks")[self._first_row :]
        return np.asarray(rows[self.shown])

    def read_picture(self, tick: int) -> npt.NDArray[np.uint8]:
        """The stored picture of a tick, (side, side, 3) uint8 RGB."""
        return self.reader.frame(self.index, int(self.shown[tick]))

    def read_jpeg(self, tick: int) -> bytes:
        """The same as it is stored."""
        return self.reader.jpeg(self._first_row + int(self.shown[tick]))

    @property
    def _first_row(self) -> int:
        return self.reader.clips[self.index].first_frame


def place_ticks(num_frames: int, fps: int) -> npt.NDArray[np.int64]:
    """(m,) frame of a clock of `fps` that is nearest to each tick of `RATE` a second."""
    ticks = np.arange(num_frames * RATE // fps)
    return np.minimum((2 * ticks * fps + RATE) // (2 * RATE), num_frames - 1)


def load_talking_clips(
    shards: Path, *, split: str | None, where: str | None = None
) -> tuple[TalkingClip, ...]:
    """Clips that are long enough, sorted by id.

    Args:
        shards: as `split` and `where`, see `select_clips`; errors as there.
        split: see there.
        where: see there.

    Raises:
        ShardError: a shard lacks the pictures (names the option that makes them).
        ToolkitError: no clip has `MIN_TICKS`.
    """
    clips = [_load_clip(part) for part in select_clips(shards, split=split, where=where)]
    long = sorted((c for c in clips if len(c) >= MIN_TICKS), key=lambda clip: clip.id)
    if not long:
        seconds = MIN_TICKS / RATE
        raise ToolkitError(f"{shards}: no clip of {split or 'it'} is {seconds:.1f} s long or more")
    return tuple(long)


def _load_clip(part: ClipSlice) -> TalkingClip:
    reader = part.reader
    require_frames(reader)
    shown = place_ticks(part.last - part.first, reader.fps)
    return TalkingClip(
        id=part.clip.id,
        identity=part.clip.identity,
        shown=shown + part.first,
        pcm=part.read_sound(),
        reader=reader,
        index=part.index,
    )
