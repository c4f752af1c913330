"""Clips that hold runs of measured frames, long enough for a window."""

from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from toolkit.clock import find_runs
from toolkit.errors import ToolkitError
from zoo.data.source import ClipSlice

Stretches = tuple[tuple[int, int], ...]
"""First frame of each run of measured frames, and the one behind its last."""


class HasStretches(Protocol):
    """A clip that knows its runs of measured frames."""

    @property
    def stretches(self) -> Stretches:
        """In order."""


_Clip = TypeVar("_Clip", bound=HasStretches)


def find_stretches(valid: npt.NDArray[np.bool_], num_frames: int) -> Stretches:
    """Runs of at least so many measured frames, of flags (n,)."""
    return tuple((first, last) for first, last in find_runs(valid) if last - first >= num_frames)


def load_measured(
    slices: Iterable[ClipSlice],
    load: Callable[[ClipSlice, int], _Clip],
    num_frames: int,
    where: str,
) -> tuple[_Clip, ...]:
    """Clips with at least one such run, sorted by id.

    Args:
        slices: what is loaded.
        load: a clip of a slice, with its runs of at least so many frames.
        num_frames: of a run.
        where: the shards and the part of the split, for the error.

    Raises:
        ToolkitError: no clip has such a run; and what `load` raises.
    """
    parts = sorted(slices, key=lambda part: part.clip.id)
    clips = tuple(clip for part in parts if (clip := load(part, num_frames)).stretches)
    if not clips:
        raise ToolkitError(f"{where} has {num_frames} measured frames in a row")
    return clips
