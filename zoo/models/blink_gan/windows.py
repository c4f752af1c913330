"""Eyes of clips at 25 frames a second, in windows of 75, so drawn that many of them blink.

Legend: n frames of a clip, m ticks: frames at 25 a second, B windows, T = 75 ticks of a window,
44 = 22 points × (x, y).
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from toolkit.errors import ToolkitError
from zoo.data.landmarks import LandmarkClip, LandmarkClips
from zoo.data.order import Places
from zoo.landmarks.statistics import EYE_REGION68, take_eyes
from zoo.metrics.aspect_blinks import find_drops
from zoo.models.blink_gan.presets import RATE, WINDOW

Floats = npt.NDArray[np.float32]

NUM_POINTS = len(EYE_REGION68)
_EYES = ((6, 7, 8, 9, 10, 11), (0, 1, 2, 3, 4, 5))
"""Places of p1 … p6 of the eye aspect ratio among the 22 points, the left eye first."""


@dataclass(frozen=True, eq=False, kw_only=True)
class EyeClip:
    """How the eyes and brows of a clip move.

    Attributes:
        id: the clip's.
        displacements: (m, 44) float32 from the canonical face at rest.
        valid: (m,) bool, made of measured frames alone.
        ear: (m, 2) eye aspect ratio of the canonical eyes, left and right of the subject.
    """

    id: str
    displacements: Floats
    valid: npt.NDArray[np.bool_]
    ear: npt.NDArray[np.float64]


@dataclass(frozen=True)
class BlinkFigures:
    """Drops of the eye aspect ratio: `zoo.metrics.aspect_blinks`.

    Attributes:
        rate: a second.
        duration: the mean, s; NaN where there are none.
        durations: of each, s.
    """

    rate: float
    duration: float
    durations: tuple[float, ...]


def resample_clip(clip: LandmarkClip, canonical_neutral: npt.ArrayLike) -> EyeClip:
    """The eyes of a clip at 25 a second: linear between frames, the last one held to its end.

    Tick k lies k / 25 s after the first frame; there are as many as begin before the clip ends, so
    that 3 s at 30 a second, and 89 frames as well, are 75.
    """
    eyes = take_eyes(clip.canonical - np.asarray(canonical_neutral))
    position = np.arange(-(-clip.num_frames * RATE // clip.fps)) * clip.fps / RATE
    position = np.minimum(position, clip.num_frames - 1)
    before = np.floor(position).astype(np.int64)
    after = np.ceil(position).astype(np.int64)
    share = (position - before)[:, None]
    displacements = (eyes[before] * (1 - share) + eyes[after] * share).astype(np.float32)
    return EyeClip(
        id=clip.id,
        displacements=displacements,
        valid=clip.valid[before] & clip.valid[after],
        ear=measure_ear(displacements, canonical_neutral),
    )


def measure_ear(
    displacements: npt.ArrayLike, canonical_neutral: npt.ArrayLike
) -> npt.NDArray[np.float64]:
    """Eye aspect ratio (…, 2), left and right, of displacements (…, 44) from a face (68, 2)."""
    rest = np.asarray(canonical_neutral, np.float64)[[*EYE_REGION68]]
    moved = np.asarray(displacements, np.float64)
    points = rest + moved.reshape(*moved.shape[:-1], NUM_POINTS, 2)
    p = points[..., _EYES, :]  # (…, 2, 6, 2)
    height, other, width = (
        np.linalg.norm(p[..., a, :] - p[..., b, :], axis=-1) for a, b in ((1, 5), (2, 4), (0, 3))
    )
    return np.asarray((height + other) / (2 * np.maximum(width, 1e-9)))


def count_blinks(ears: Iterable[npt.NDArray[np.float64]], fps: int = RATE) -> BlinkFigures:
    """Blinks of stretches (m, 2) of eye aspect ratios, pooled; NaN was not measured."""
    lengths, num_known = list[int](), 0
    for ear in ears:
        num_known += int(np.isfinite(ear).all(axis=1).sum())
        lengths += [drop.offset - drop.onset + 1 for drop in find_drops(ear, fps)]
    seconds = tuple(length / fps for length in lengths)
    duration = float(np.mean(seconds)) if seconds else float("nan")
    return BlinkFigures(len(lengths) * fps / max(num_known, 1), duration, seconds)


class EyeWindows:
    """All windows of clips of which every frame is measured, and how they are drawn."""

    def __init__(self, clips: LandmarkClips, canonical_neutral: npt.ArrayLike) -> None:
        """Raises ToolkitError where no clip has a window."""
        self.clips = tuple(resample_clip(clip, canonical_neutral) for clip in clips)
        starts = [_find_starts(clip.valid) for clip in self.clips]
        self._clip = np.repeat(np.arange(len(starts)), [len(some) for some in starts])
        if not len(self._clip):
            longest = max(len(clip.valid) for clip in self.clips) / RATE
            raise ToolkitError(
                f"no clip has {WINDOW / RATE:g} s in which every frame is measured: the longest "
                f"clip is {longest:.1f} s long"
            )
        self._first = np.concatenate(starts)
        self.blinks = np.concatenate(
            [_have_blinks(clip, some) for clip, some in zip(self.clips, starts, strict=True)]
        )

    def __len__(self) -> int:
        return len(self._clip)

    @property
    def figures(self) -> BlinkFigures:
        """How often and how long the eyes of these clips close, over all their measured time."""
        return count_blinks(np.where(clip.valid[:, None], clip.ear, np.nan) for clip in self.clips)

    def draw(self, size: int, blink_share: float, rng: np.random.Generator) -> Places:
        """(size,) windows, drawn with replacement.

        So many more of those that have a whole blink that they are at least `blink_share` of what
        is drawn, where there are any.
        """
        have = self.blinks.mean()
        share = max(have, blink_share) if have else 0.0
        chances = np.where(
            self.blinks, share / max(have, 1e-12), (1 - share) / max(1 - have, 1e-12)
        )
        return rng.choice(len(self), size, p=chances / chances.sum())

    def gather(self, places: Places) -> Tensor:
        """Those at (B,) places: (B, T, 44) float32."""
        windows = [
            self.clips[self._clip[k]].displacements[self._first[k] : self._first[k] + WINDOW]
            for k in places.tolist()
        ]
        return torch.from_numpy(np.stack(windows))


def _find_starts(valid: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """First ticks of the windows within (m,) that are measured throughout."""
    total = np.concatenate([[0], np.cumsum(valid)])
    return np.flatnonzero(total[WINDOW:] - total[:-WINDOW] == WINDOW).astype(np.int64)


def _have_blinks(clip: EyeClip, starts: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Which windows from these ticks on have a whole blink."""
    drops = find_drops(clip.ear, RATE)
    onsets, offsets = (
        np.array([getattr(drop, end) for drop in drops], np.int64) for end in ("onset", "offset")
    )
    first = starts[:, None]
    return np.asarray(((onsets >= first) & (offsets < first + WINDOW)).any(axis=1))


def measure_range(windows: Tensor) -> tuple[Tensor, Tensor]:
    """Least and greatest displacement (44,) within a window, averaged over (B, T, 44)."""
    return windows.amin(dim=1).mean(dim=0), windows.amax(dim=1).mean(dim=0)
