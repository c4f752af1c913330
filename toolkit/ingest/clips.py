"""Cut a source into clips: one face, one uninterrupted take, picture and sound both there.

Everything here counts frames of the dataset's clock, from the source's start.
"""

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from toolkit.clock import SAMPLE_RATE, frame_to_sample
from toolkit.ingest import rejected
from toolkit.ingest.options import CROP_MARGIN
from toolkit.ingest.rejected import Stretch
from toolkit.ingest.timeline import Timeline, lay_out
from toolkit.ingest.track import Track
from toolkit.schema import Reason

MAX_GAP = 5
"""Frames without a face (or with a second one) that are bridged; longer gaps end a clip."""

SECOND_FACE = 0.5
"""A second face counts when its box is higher than this share of the first's."""

CROP_RAISE = 0.1
"""Share of the side by which the crop's centre is raised, for the hair."""


def cut_clips(
    track: Track,
    *,
    fps: int,
    audio_span: tuple[int, int],
    min_frames: int,
    max_frames: int,
) -> list[Stretch]:
    """Divide a source's whole picture into stretches: clips, and what is turned down and why.

    Args:
        track: what pass 1 saw.
        fps: clock rate.
        audio_span: first and one past the last sample that the sound track covers.
        min_frames: shortest clip.
        max_frames: longest clip; longer takes are divided evenly, or, where that would leave only
            pieces that are too short, into longest clips and a rest that is turned down.

    Returns:
        Stretches that tile [first picture frame, end of the picture), in order.
    """
    timeline = lay_out(track, fps)
    first, end = timeline.first, len(timeline.shown)
    states = _label_frames(track, timeline)
    starts = _find_starts(track, timeline)
    low, high = _sound_range(audio_span, first, end, fps)
    stretches = [Stretch(first, low - first, Reason.NO_AUDIO, rejected.SOUND_STARTS_LATER)]
    for start, stop in _split_at(starts, low - first, high - first):
        for run_start, num, reason in _find_runs(_bridge(states[start:stop])):
            stretches.extend(
                _divide(first + start + run_start, num, reason, min_frames, max_frames)
            )
    stretches.append(Stretch(high, end - high, Reason.NO_AUDIO, rejected.SOUND_ENDS_EARLIER))
    return [stretch for stretch in stretches if stretch.num > 0]


_GOOD, _NO_FACE, _SEVERAL, _STILL, _DAMAGED = 0, 1, 2, 3, 4
_REASONS = {
    _NO_FACE: Reason.NO_FACE,
    _SEVERAL: Reason.SEVERAL_FACES,
    _STILL: Reason.STILL,
    _DAMAGED: Reason.DAMAGED,
}
_MESSAGES = {
    Reason.NO_FACE: rejected.NO_FACE,
    Reason.SEVERAL_FACES: rejected.SEVERAL_FACES,
    Reason.STILL: rejected.STILL,
    Reason.DAMAGED: rejected.DAMAGED,
}


def _label_frames(track: Track, timeline: Timeline) -> npt.NDArray[np.int8]:
    height = track.boxes[:, 3] - track.boxes[:, 1]
    several = track.has_face & (track.second_height > SECOND_FACE * np.nan_to_num(height))
    states = np.where(several, _SEVERAL, np.where(track.has_face, _GOOD, _NO_FACE))
    states = np.where(track.damaged, _DAMAGED, states)
    seen = states[timeline.shown[timeline.first :]]
    still = timeline.still[timeline.first :] & (seen == _GOOD)
    return np.where(still, _STILL, seen).astype(np.int8)


def _find_starts(track: Track, timeline: Timeline) -> npt.NDArray[np.int64]:
    """Clock frames on which another shot is first seen; slides of a slide show are none.

    One begins as well where pictures were left out because their times stand still.
    """
    shot = np.cumsum(track.starts | track.stuck)[timeline.shown[timeline.first :]]
    still = timeline.still[timeline.first :]
    return np.flatnonzero((np.diff(shot) != 0) & ~(still[1:] & still[:-1])) + 1


def _sound_range(audio_span: tuple[int, int], first: int, end: int, fps: int) -> tuple[int, int]:
    """Clock frames within [first, end) all of whose samples exist."""
    low = math.ceil(audio_span[0] * fps / SAMPLE_RATE)
    high = audio_span[1] * fps // SAMPLE_RATE
    while frame_to_sample(high + 1, fps) <= audio_span[1]:
        high += 1
    low = min(max(low, first), end)
    return low, max(low, min(high, end))


def _split_at(cuts: npt.NDArray[np.int64], low: int, high: int) -> Iterator[tuple[int, int]]:
    inner = [int(cut) for cut in cuts if low < cut < high]
    yield from zip([low, *inner], [*inner, high], strict=True)


def _bridge(states: npt.NDArray[np.int8]) -> npt.NDArray[np.int8]:
    """Short gaps inside a shot count as good: landmarks are filled in there."""
    bridged = states.copy()
    runs = list(_find_runs(np.minimum(states, _NO_FACE)))
    for start, num, reason in runs[1:-1]:
        if reason is not None and num <= MAX_GAP:
            bridged[start : start + num] = _GOOD
    return bridged


def _find_runs(states: npt.NDArray[np.int8]) -> Iterator[tuple[int, int, Reason | None]]:
    """(start, length, reason) of each run of equal states."""
    if not len(states):
        return
    starts = [0, *(np.flatnonzero(np.diff(states)) + 1).tolist()]
    for start, stop in zip(starts, [*starts[1:], len(states)], strict=True):
        yield start, stop - start, _REASONS.get(int(states[start]))


def _divide(
    start: int, num: int, reason: Reason | None, min_frames: int, max_frames: int
) -> Iterator[Stretch]:
    """One run as stretches: turned down, or clips of equal length (±1) that tile it."""
    if reason is not None:
        yield Stretch(start, num, reason, _MESSAGES[reason])
        return
    if num < min_frames:
        message = rejected.TOO_SHORT.format(num=num, min_frames=min_frames)
        yield Stretch(start, num, Reason.TOO_SHORT, message)
        return
    pieces = math.ceil(num / max_frames)
    if num // pieces < min_frames:  # equal pieces would all be too short: lose the rest alone
        pieces -= 1
        rest = num - pieces * max_frames
        yield from _divide(start, num - rest, None, min_frames, max_frames)
        yield from _divide(start + num - rest, rest, None, min_frames, max_frames)
        return
    for piece in range(pieces):
        low, high = piece * num // pieces, (piece + 1) * num // pieces
        yield Stretch(start + low, high - low)


def choose_crop(
    boxes: npt.NDArray[np.float32], size: tuple[int, int], margin: float = CROP_MARGIN
) -> tuple[int, int, int, int]:
    """The clip's fixed square crop, xyxy in even source pixels, within the picture if it can be.

    It leaves the picture only where the mesh does, or is larger than the picture. Even, because
    most video stores colour once per 2 × 2 pixels: such a crop needs no resampling before it is
    scaled.

    Args:
        boxes: (n, 4) xyxy of the mesh in the clip's frames; rows may be NaN.
        size: (width, height) of the picture.
        margin: on each side of the union of the boxes, over its longer side; less where the
            picture ends.
    """
    low, high = np.nanmin(boxes[:, :2], axis=0), np.nanmax(boxes[:, 2:], axis=0)
    longest = float((high - low).max())
    fit = min(size) // 2 * 2
    side = max(_round_side(longest + 2), min(_round_side((1 + 2 * margin) * longest), fit))
    x, y = (low + high) / 2
    x0 = _place(float(x) - side / 2, side, (low[0], high[0]), size[0])
    y0 = _place(float(y) - side / 2 - CROP_RAISE * side, side, (low[1], high[1]), size[1])
    return x0, y0, x0 + side, y0 + side


def choose_square(
    boxes: npt.NDArray[np.float32], every: npt.NDArray[np.float32], size: tuple[int, int]
) -> tuple[int, int, int, int]:
    """The picture's largest square, xyxy in even source pixels: one for all clips of a source.

    It lies about the middle of the source's faces, so that a background stands at one place in all
    of its clips. Where that leaves out some of a clip's own face, the square lies about this one,
    and is larger than the picture only where the face's range is.

    Args:
        boxes: (n, 4) xyxy of the mesh in the clip's frames; rows may be NaN.
        every: (F, 4) in all frames of the source.
        size: (width, height) of the picture.
    """
    side, ends = min(size) // 2 * 2, np.array(size)
    middle = np.nanmedian((every[:, :2] + every[:, 2:]) / 2, axis=0)
    start = (2 * np.rint((middle - side / 2) / 2)).clip(0, ends // 2 * 2 - side).astype(int)
    low = np.nanmin(boxes[:, :2], axis=0).clip(0, ends)
    high = np.nanmax(boxes[:, 2:], axis=0).clip(0, ends)
    if (low < start).any() or (high > start + side + ends % 2).any():
        return choose_crop(boxes, size, margin=float(max(size)))
    x0, y0 = map(int, start)
    return x0, y0, x0 + side, y0 + side


def _round_side(side: float) -> int:
    return 2 * max(4, math.ceil(side / 2 / 2) * 2)


def _place(start: float, side: int, face: tuple[float, float], end: int) -> int:
    """Where a crop begins on an axis: in the picture, [0, end), if the face's range lies there."""
    even = 2 * round(start / 2)
    last = end // 2 * 2 - side
    even = min(max(even, min(0, last)), max(0, last))
    return min(max(even, 2 * math.ceil((face[1] - side) / 2)), 2 * math.floor(face[0] / 2))
