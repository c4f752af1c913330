"""Shot changes: cuts, jump cuts and dissolves, but not flashes.

A cut is where PySceneDetect's content detector (hue, saturation, value) sees one: the score is the
same number, and so is the threshold; a test compares the two. What is left out is the bookkeeping
of time codes, five times as dear as the score itself. Three rules go beyond it:

- a flash is no cut: within five frames the picture is what it was before;
- where both the picture and the face leap, each beside its own frames before and after, there is a
  cut between pictures framed alike, or a piece is missing of one take. Hands and heads that move
  fast do so for longer than one frame, and the pulse of a key frame leaves the face where it was;
- a stretch whose pictures are mixtures of its first and its last one is a dissolve.
"""

from array import array
from collections import deque
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from toolkit.facemodel.model import load_default

SHOT_THRESHOLD = 27.0
"""PySceneDetect's default for ContentDetector: mean HSV change of a pixel, 0 to 255."""

_SIDE = 96

MAX_FLASH = 5
"""Frames of a flash at most; pictures before and after it differ by under half a cut's score."""

_SMALL, _BLOCKS, _TINY = 48, 8, 24
"""Pictures are compared at 48 × 48 pixels, in 8 × 8 blocks; for dissolves, at 24 × 24."""

_MIN_LEAP = 10.0
"""What the picture's and the face's leap over their neighbours multiply to at a cut. On 95 real
files and nine with known cuts: 13.2 to 30 at 18 of 19 cuts, at most 6.7 elsewhere; at most 7.5
where generated mouths open at once."""

_MAX_PICTURE_LEAP, _MAX_FACE_LEAP = 5.0, 6.0
"""What counts of either at most: one alone is no cut, a mouth may open within a frame."""
_NEIGHBOURS = 3
_STILL_PICTURE, _STILL_FACE = 3.0, 0.01
"""Changes (levels; share of the face's height) under which there is only noise."""

_SPANS = 8, 16
"""Frames over which dissolves are looked for."""

_MIN_BLEND, _MAX_BLEND_ERROR = 12.0, 0.13
"""Levels by which a dissolve's ends differ, brightness and contrast aside; how far, over the
distance of the ends, its pictures are from mixtures of them. Measured: 0.02 to 0.10 in dissolves,
at least 0.15 in what moves."""

_EDGE = 0.08
"""Share of the other picture up to which one counts as pure."""

_STEADY = 3
"""Every third of the vertices that move with the skull: lips and lids may open at once."""

Picture = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Shots:
    """Where shots begin, of F frames.

    Attributes:
        starts: (F,) bool, True on the first frame of a shot, and of a dissolve.
        blends: (F,) bool, frames that show two pictures over one another.
        flashes: (F,) bool, frames of a flash.
        largest: (F,) float32 levels by which the picture, thinned, differs from the one before
            where it does most; infinite for the first.
    """

    starts: npt.NDArray[np.bool_]
    blends: npt.NDArray[np.bool_]
    flashes: npt.NDArray[np.bool_]
    largest: npt.NDArray[np.float32]


class ShotDetector:
    """Sees each picture and its face, in order; knows the cuts at once, the rest at the end."""

    def __init__(self) -> None:
        self._size: tuple[int, int] | None = None
        self._last: Picture | None = None
        self._thin: Picture
        self._last_thin: Picture | None = None
        self._largest = array("f")
        self._last_small: Picture | None = None
        self._last_face: npt.NDArray[np.float32] | None = None
        self._before: Picture | None = None
        self._event = 0
        self._changes, self._leaps = array("f"), array("f")
        self._starts, self._blends, self._flashes = bytearray(), bytearray(), bytearray()
        self._vertices = np.flatnonzero(load_default().rigidity)[::_STEADY]
        self._recent: deque[npt.NDArray[np.float32]] = deque(maxlen=max(_SPANS) + 1)

    def is_cut(self, picture: Picture, size: tuple[int, int] | None = None) -> bool:
        """Whether a shot, or a flash, begins or ends with this RGB picture (height, width, 3).

        A picture of another size of its source begins one.
        """
        import cv2

        is_resized = bool(self._starts) and size != self._size
        if is_resized:
            self._last = self._last_thin = self._last_small = self._before = None
            self._recent.clear()
        self._size, before = size, self._last
        is_cut = self.score(picture) >= SHOT_THRESHOLD or is_resized
        small = cv2.resize(self._thin, (_SMALL, _SMALL), interpolation=cv2.INTER_AREA)
        self._compare(np.asarray(small))
        self._starts.append(is_cut)
        self._blends.append(False)
        self._flashes.append(False)
        self._watch_flash(before, is_cut)
        return is_cut

    def score(self, picture: Picture) -> float:
        """Mean absolute change of hue, saturation and value of a pixel; 0 for the first picture."""
        import cv2

        step = max(1, max(picture.shape) // _SIDE)
        thin = np.ascontiguousarray(picture[::step, ::step])
        last_thin, self._last_thin, self._thin = self._last_thin, thin, thin
        self._largest.append(
            np.inf if last_thin is None else cv2.norm(thin, last_thin, cv2.NORM_INF)
        )
        hsv = np.asarray(cv2.cvtColor(thin, cv2.COLOR_RGB2HSV), np.uint8)
        last, self._last = self._last, hsv
        return _measure(hsv, last)

    def add_face(self, points: npt.NDArray[np.float32]) -> None:
        """The face of the picture seen last but for those that faces were added to.

        Args:
            points: (478, 3) mesh in pixels; NaN without a face.
        """
        face, last = points[self._vertices, :2], self._last_face
        height = float(np.ptp(points[:, 1]))
        leap = 0.0 if last is None else float(np.linalg.norm(face - last, axis=1).mean()) / height
        self._leaps.append(leap)
        self._last_face = face

    def finish(self) -> Shots:
        """What was found in all pictures seen."""
        changes = np.frombuffer(self._changes, np.float32)
        leaps = np.nan_to_num(np.frombuffer(self._leaps, np.float32))
        faces = np.minimum(_stand_out(leaps, _STILL_FACE), _MAX_FACE_LEAP)
        starts = np.frombuffer(self._starts, np.bool_).copy()
        pictures = np.minimum(_stand_out(changes, _STILL_PICTURE), _MAX_PICTURE_LEAP)
        starts |= pictures * faces >= _MIN_LEAP
        blends = np.frombuffer(self._blends, np.bool_)
        starts[blends] = False
        starts |= np.diff(blends, prepend=False)
        flashes = np.frombuffer(self._flashes, np.bool_)
        return Shots(starts, blends, flashes, np.frombuffer(self._largest, np.float32))

    def _watch_flash(self, before: Picture | None, is_cut: bool) -> None:
        """Take back the cuts since the picture last changed if it is again what it was then."""
        frame = len(self._starts) - 1
        if self._before is not None and frame - self._event > MAX_FLASH:
            self._before = None
        if self._before is None:
            if is_cut:
                self._before, self._event = before, frame
        elif _measure(self._last, self._before) < SHOT_THRESHOLD / 2:
            self._starts[self._event : frame + 1] = bytes(frame + 1 - self._event)
            self._flashes[self._event : frame] = b"\1" * (frame - self._event)
            self._before = None

    def _compare(self, small: Picture) -> None:
        import cv2

        last, self._last_small = self._last_small, small
        change = 0.0
        if last is not None:
            blocks = cv2.resize(
                cv2.absdiff(small, last), (_BLOCKS, _BLOCKS), interpolation=cv2.INTER_AREA
            )
            change = float(np.asarray(blocks).mean(2).max())
        self._changes.append(change)
        tiny = cv2.resize(small, (_TINY, _TINY), interpolation=cv2.INTER_AREA)
        self._recent.append(tiny.reshape(-1).astype(np.float32))
        for span in _SPANS:
            if len(self._recent) > span:
                self._watch_blend(span)

    def _watch_blend(self, span: int) -> None:
        first, last = self._recent[-1 - span], self._recent[-1]
        way = last - first
        square = float(way @ way)
        if square < _MIN_BLEND**2 * len(way) or _contrast(first, last) < _MIN_BLEND:
            return
        steps = [span // 4, span // 2, 3 * span // 4]
        shares = [float((self._recent[k - 1 - span] - first) @ way) / square for k in steps]
        if not any(_EDGE < share < 1 - _EDGE for share in shares) or sorted(shares) != shares:
            return
        for k, share in zip(steps, shares, strict=True):
            error = self._recent[k - 1 - span] - first - share * way
            if float(error @ error) > _MAX_BLEND_ERROR**2 * square:
                return
        for k in range(1, span):
            share = float((self._recent[k - 1 - span] - first) @ way) / square
            if _EDGE < share < 1 - _EDGE:
                self._blends[len(self._changes) - 1 - span + k] = True


def _measure(hsv: Picture | None, last: Picture | None) -> float:
    import cv2

    if hsv is None or last is None or hsv.shape != last.shape:
        return 0.0
    return cv2.norm(hsv, last, cv2.NORM_L1) / hsv.size


def _contrast(first: npt.NDArray[np.float32], last: npt.NDArray[np.float32]) -> float:
    """Levels by which one picture differs from the other as bright and rich in contrast as can be.

    Fades and changes of light alone leave nothing.
    """
    a, b = first - first.mean(), last - last.mean()
    squares = float(a @ a), float(b @ b)
    if not all(squares):
        return 0.0
    likeness = float(a @ b) / np.sqrt(squares[0] * squares[1])
    return float(np.sqrt(min(squares) / len(a) * max(0.0, 1 - likeness**2)))


def _stand_out(values: npt.NDArray[np.float32], least: float) -> npt.NDArray[np.float32]:
    """Each value over the largest of the three before and the three after it, or over `least`.

    Frames that repeat the one before do not count: a picture may come several times. The first and
    the last change have nothing on one side to stand out from.
    """
    is_new = values > 0
    kept = values[is_new]
    padded = np.pad(kept, _NEIGHBOURS)
    shifts = [k for k in range(-_NEIGHBOURS, _NEIGHBOURS + 1) if k]
    around = [padded[_NEIGHBOURS + k : _NEIGHBOURS + k + len(kept)] for k in shifts]
    ratios = np.zeros_like(values)
    ratios[is_new] = kept / np.maximum(np.max(around, axis=0, initial=0), least)
    for end in np.flatnonzero(is_new)[[0, -1]] if len(kept) else ():
        ratios[end] = 0
    return ratios
