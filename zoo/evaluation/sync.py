"""Whether lips and sound of clips are in step, by a judge; and how good the judge is.

Legend: n ticks (25 a second) of a clip, D numbers of an embedding.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from toolkit.errors import ToolkitError
from zoo.data.talking import TalkingClip
from zoo.metrics.sync import SHIFTS, measure_distances, measure_moved

Picture = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]
Floats32 = npt.NDArray[np.float32]


class Judge(Protocol):
    """What turns pictures and sound into embeddings; see `zoo.models.syncnet.model.SyncJudge`."""

    name: str
    sha256: str
    is_published: bool

    def place(self, meshes: npt.ArrayLike) -> Floats:
        """Where to look."""

    def embed_pictures(self, pictures: Iterator[Picture], places: Floats) -> Floats32:
        """(n − 4, D)."""

    def embed_sound(self, pcm: npt.NDArray[np.int16]) -> Floats32:
        """(m, D)."""


# --- clips of a dataset -------------------------------------------------------------------------


def embed_clip(clip: TalkingClip, judge: Judge) -> Floats32:
    """(n − 4, D) of a stored clip's pictures."""
    pictures = (clip.read_picture(tick) for tick in range(len(clip)))
    return judge.embed_pictures(pictures, judge.place(clip.read_landmarks()))


def judge_clip(clip: TalkingClip, judge: Judge) -> Floats:
    """Distances (n − 4, 31) of a stored clip, for `measure_sync`."""
    return measure_distances(embed_clip(clip, judge), judge.embed_sound(clip.pcm))


# --- how good a judge is ------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class ShiftReport:
    """What a judge makes of clips whose sound was moved.

    Attributes:
        num_clips: how many.
        found: share of clips and shifts whose offset is found to a frame.
        exact: share of those found exactly.
        by_shift: shift -> share found to a frame.
        confidence: shift -> mean confidence.
        by_identity: identity -> share found to a frame.
        offsets: identity -> median offset of its clips as they are: one that is not 0 at a good
            confidence shows recordings that are out of step.
    """

    num_clips: int
    found: float
    exact: float
    by_shift: dict[int, float]
    confidence: dict[int, float]
    by_identity: dict[str, float]
    offsets: dict[str, float]


def find_shifts(
    clips: Sequence[TalkingClip], judge: Judge, shifts: Sequence[int] = SHIFTS
) -> ShiftReport:
    """Move the sound of clips, and see whether the judge finds by how much.

    Args:
        clips: that the judge was not trained on; those too short for a shift do not count in it.
        judge: which.
        shifts: frames of 25 a second; positive: the sound is made late.

    Raises:
        ToolkitError: no clip is long enough.
    """
    trials = [trial for clip in clips for trial in _try_shifts(clip, judge, shifts)]
    if {trial.shift for trial in trials} != set(shifts):
        raise ToolkitError("no clip is long enough to move its sound")
    by_shift, by_identity = _group(trials, "shift"), _group(trials, "identity")
    return ShiftReport(
        num_clips=len(clips),
        found=_share_found(trials),
        exact=float(np.mean([trial.away == 0 for trial in trials])),
        by_shift={shift: _share_found(of) for shift, of in by_shift.items()},
        confidence={k: float(np.mean([t.confidence for t in of])) for k, of in by_shift.items()},
        by_identity={name: _share_found(of) for name, of in by_identity.items()},
        offsets={k: float(np.median([t.away for t in of])) for k, of in by_identity.items()},
    )


@dataclass(frozen=True, kw_only=True)
class _Trial:
    """A clip whose sound was moved: `away` is the offset that is found, less the shift's own."""

    identity: str
    shift: int
    away: int
    confidence: float


def _try_shifts(clip: TalkingClip, judge: Judge, shifts: Sequence[int]) -> Iterator[_Trial]:
    faces, sound = embed_clip(clip, judge), judge.embed_sound(clip.pcm)
    for shift in shifts:
        try:
            score = measure_moved(faces, sound, shift)
        except ValueError:
            continue  # too short
        yield _Trial(
            identity=clip.identity,
            shift=shift,
            away=score.offset + shift,
            confidence=score.confidence,
        )


def _group(trials: Sequence[_Trial], by: str) -> dict[Any, list[_Trial]]:
    groups = dict[Any, list[_Trial]]()
    for trial in sorted(trials, key=attrgetter(by)):
        groups.setdefault(getattr(trial, by), []).append(trial)
    return groups


def _share_found(trials: Sequence[_Trial]) -> float:
    return float(np.mean([abs(trial.away) <= 1 for trial in trials]))
