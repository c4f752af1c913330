"""Every reason for turning down a source or a stretch of one: rules, and messages for `rejected`.

Only what keeps a file from being decoded is said elsewhere, where it is noticed: `toolkit.media`
raises it as a `SourceError`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from toolkit.clock import find_runs, frame_to_sample
from toolkit.dataset.find import SCRAP
from toolkit.dataset.writer import Rejection
from toolkit.errors import SourceError, ToolkitError
from toolkit.features.small_faces import least_height
from toolkit.ingest.timeline import Timeline
from toolkit.ingest.track import Track
from toolkit.media.audio import SILENCE_DBFS, measure_peak
from toolkit.media.video import count_anew, fit_size
from toolkit.schema import Reason, Source, VideoInfo

NO_FACE = "no face is found"
TOO_SMALL = "the face is about {height:.0f} px high, the least is {least:.0f} px"
TURNED = "the picture {lies}: ffmpeg -i it -vf {filters} upright.mp4 sets it upright"
SEVERAL_FACES = "a second face is over half as high"
DAMAGED = "decoding fails: the picture may be damaged up to the next key frame"
SOUND_STARTS_LATER = "the sound starts later"
SOUND_ENDS_EARLIER = "the sound ends earlier"
STILL = "no new picture for more than 5 frames on end"
STUCK = "{num} pictures stand at one time: only the last of them can be shown: {advice}"
TOO_SHORT = "{num} frames, of {min_frames} needed"
"""Messages of the stretches that `cut_clips` and `judge_faces` turn down."""

_LIES = {
    1: ("lies on its side", "transpose=cclock"),
    2: ("is upside down", "hflip,vflip"),
    3: ("lies on its side", "transpose=clock"),
}
"""Quarter turns anticlockwise that set a picture upright -> how it lies, ffmpeg's filters."""

_MISSING = 0.5
"""Seconds by which picture and sound may both end before the file says: containers round."""

_ROUNDING = 1e-6

_NO_MEMORY = (
    "alloc_cpu",
    "can't allocate memory",
    "cannot allocate memory",
    "insufficient memory",
    "can't start new thread",
)
"""How libraries and ffmpeg say, by other errors than MemoryError, that memory is short."""


@dataclass(frozen=True)
class Stretch:
    """Clock frames [start, start + num) of a source, and why they are no clip, if they are not."""

    start: int
    num: int
    reason: Reason | None = None
    message: str = ""

    def to_rejection(self, fps: int) -> Rejection:
        """The same in seconds."""
        reason = self.reason or Reason.FAILED
        return Rejection(self.start / fps, self.num / fps, reason, self.message)


def explain_failure(error: Exception, name: str) -> tuple[Reason, str]:
    """Reason and message for a row in `rejected`; raises again what is not the video's fault."""
    if isinstance(error, SourceError):
        return error.reason, str(error)
    if isinstance(error, (ToolkitError, MemoryError, OSError)):
        raise error
    text = " ".join(str(error).split()) or "no message"
    if any(words in text.lower() for words in _NO_MEMORY):
        raise MemoryError(f"{name}: {text}") from error
    return Reason.FAILED, f"{type(error).__name__}: {text}"


def check_source(source: Source, crash: str | None) -> None:
    """SourceError for a source that is not looked into: a duplicate, or one that kills workers."""
    if source.duplicate_of is not None:
        raise SourceError(Reason.DUPLICATE, f"the same content as {source.duplicate_of}")
    if crash is not None:
        raise SourceError(Reason.FAILED, crash)


def check_silence(sound: Path) -> None:
    """SourceError `silent` where the whole track stays under −60 dBFS."""
    peak = measure_peak(sound)
    if peak < SILENCE_DBFS:
        raise SourceError(Reason.SILENT, f"the peak is {peak:.0f} dBFS, under {SILENCE_DBFS:.0f}")


def reject_silence(stretches: Iterable[Stretch], sound: Path, fps: int) -> Iterator[Stretch]:
    """The stretches, those that would be clips but are silent turned down."""
    for stretch in stretches:
        first = frame_to_sample(stretch.start, fps)
        last = frame_to_sample(stretch.start + stretch.num, fps)
        if stretch.reason is None and measure_peak(sound, first, last) < SILENCE_DBFS:
            message = f"the peak is under {SILENCE_DBFS:.0f} dBFS"
            yield Stretch(stretch.start, stretch.num, Reason.SILENT, message)
        else:
            yield stretch


def judge_faces(
    stretches: Iterable[Stretch], track: Track, timeline: Timeline, info: VideoInfo
) -> Iterator[Stretch]:
    """The stretches, those in which faces are not upright turned down, and too small ones told.

    A stretch is turned where over half of its frames that were looked at say so.
    """
    for stretch in stretches:
        if stretch.reason not in (None, Reason.NO_FACE):
            yield stretch
            continue
        shown = timeline.shown[stretch.start : stretch.start + stretch.num]
        first, last = max(0, int(shown[0])), int(shown[-1])
        turn = _find_turn(track.turns, first, last)
        frame = first + int(track.too_small[first : last + 1].argmax())
        height = track.too_small[frame]
        if turn:
            lies, filters = _LIES[turn]
            message = TURNED.format(lies=lies, filters=filters)
            yield replace(stretch, reason=Reason.TURNED, message=message)
        elif stretch.reason and height:
            part = track.info_at(frame, info)
            size = fit_size(part)
            least = least_height(*size) * part.width / size[0]
            yield replace(stretch, message=TOO_SMALL.format(height=height, least=least))
        else:
            yield stretch


def _find_turn(turns: npt.NDArray[np.int8], first: int, last: int) -> int:
    """What most frames in [first, last] say, or the last one before that says anything; else 0."""
    looked = np.flatnonzero(turns[: last + 1] >= 0)
    within = looked[looked >= first]
    votes = turns[within if len(within) else looked[-1:]]
    turned = votes[votes > 0]
    return int(np.bincount(turned).argmax()) if 2 * len(turned) > len(votes) else 0


def reject_missing(info: VideoInfo, end: float) -> Iterator[Rejection]:
    """What a truncated file claims and does not hold, behind `end` s; nothing if it is whole."""
    missing = (info.duration or 0.0) - end
    if missing >= _MISSING:
        message = f"the file claims {info.duration:.1f} s and ends after {end:.1f}: is it whole?"
        yield Rejection(end, missing, Reason.UNREADABLE, message)


def reject_stuck(track: Track) -> Iterator[Rejection]:
    """Pictures that no clock can show because their times stand still: each run of them."""
    for first, stop in find_runs(track.stuck):
        message = STUCK.format(num=stop - first + 1, advice=count_anew())
        seconds = (stop - first) * track.frame_seconds
        yield Rejection(float(track.times[first]), seconds, Reason.UNREADABLE, message)


def merge_scraps(rejections: Iterable[Rejection]) -> list[Rejection]:
    """In order of their start, scraps that follow one another joined: the longest's reason."""
    groups: list[list[Rejection]] = []
    for rejection in sorted(rejections, key=lambda rejection: rejection.start):
        last = groups[-1][-1] if groups else rejection
        is_near = abs(last.start + last.duration - rejection.start) < _ROUNDING
        if groups and is_near and max(last.duration, rejection.duration) < SCRAP:
            groups[-1].append(rejection)
        else:
            groups.append([rejection])
    return [group[0] if len(group) == 1 else _join(group) for group in groups]


def _join(scraps: list[Rejection]) -> Rejection:
    words = "; ".join(dict.fromkeys(scrap.message for scrap in scraps))
    return Rejection(
        scraps[0].start,
        sum(scrap.duration for scrap in scraps),
        max(scraps, key=lambda scrap: scrap.duration).reason,
        f"{len(scraps)} scraps under {SCRAP} s: {words}",
    )
