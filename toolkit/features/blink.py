"""Eyelids of the face mesh: eye aspect ratio, AU45 (0 to 5), and blinks.

AU45 is 5 × the share of the open eye that is covered: `5·(1 − aperture / level)`. The aperture is
the mean distance of three lid-point pairs over the eye's width, in the mesh's three dimensions,
which takes out most of pitch, yaw and roll. The level is what the aperture was before and after:
a running closing (dilation, then erosion) fills every dip shorter than `DIP_SECONDS`, so that
slow changes (a turning head, the lid that follows the gaze down, a smile) are level, not blink.
It stays within `MIN_LEVEL` of and all of the source's open eye, so that an eye that is kept shut
stays high and an eye opened wide is not the norm. The two eyes' shares are combined as a geometric
mean weighted by the squared width at which each is seen: a wink is low, a turned head's far eye is
nearly left out. The shares themselves are not smoothed, so that no blink is delayed or blunted.
"""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
from scipy.ndimage import grey_closing, median_filter
from scipy.signal import find_peaks

from toolkit.features.base import Arrays, Extractor
from toolkit.mesh import EAR_POINTS, LID_MIDDLES, MAX_AU45
from toolkit.schema import Blink, ClipInput, Provenance

Floats = npt.NDArray[np.float64]

DIP_SECONDS = 0.7
"""Dips of the aperture that are shorter than this are lid movement, longer ones the open level."""

NOISE_SECONDS = 0.15
"""The open level is that of the running median over this long, which noise does not raise."""

OPEN_PERCENTILE = 75
"""The source's open eye: this percentile of its apertures, high enough to leave blinks out."""

MIN_LEVEL = 0.75
"""Lowest open level, in open eyes: an eye that stays narrower for long, looking far down, resting
or laughing, shows as AU45, which lasts too long for a blink."""

ONE_EYE = 0.01
"""Added to each eye's share before their geometric mean, which noise of one eye would zero."""

ON_INTENSITY = 1.0
"""Lowest peak of a blink, AU45."""

OPEN_SHARE = 0.4
"""Between two blinks AU45 falls to this share of the lesser one's peak."""

APEX_SHARE = 0.8
"""The apex is the middle one of the frames at or over this share of the peak: a lid that stays
down for some frames has its highest AU45 at whichever of them noise puts it."""

MIN_SECONDS = 0.07
MAX_SECONDS = 0.5
"""Shortest and longest blink at half its intensity."""

_CORNERS = np.array([[points[0], points[3]] for points in EAR_POINTS])
_PAIRS = np.array(
    [
        [(p[1], p[5]), (p[2], p[4]), middle]
        for p, middle in zip(EAR_POINTS, LID_MIDDLES, strict=True)
    ]
)
_BINS = 2000


def compute_ear(landmarks: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Eye aspect ratio in the picture plane.

    Soukupova & Cech, Real-Time Eye Blink Detection using Facial Landmarks (CVWW 2016), eq. 1:
    (‖p2 − p6‖ + ‖p3 − p5‖) / (2·‖p1 − p4‖).

    Args:
        landmarks: (n, 478, 2 or 3) in any unit; z is not used.

    Returns:
        (n, 2) float32: the subject's left eye, right eye.
    """
    points = landmarks[..., :2]
    lids: Floats = _distance(points, _PAIRS[:, :2]).mean(axis=-1)
    return np.asarray(lids / _distance(points, _CORNERS), dtype=np.float32)


def measure_apertures(landmarks: npt.NDArray[np.float32]) -> tuple[Floats, Floats]:
    """How far each eye is open, and how well it is seen.

    Args:
        landmarks: (n, 478, 3) in pixels, z in the same unit.

    Returns:
        Aperture (n, 2): mean lid distance over eye width, in three dimensions; weight (n, 2) of
        the subject's left and right eye, from the squared width seen: each row adds up to 1.
    """
    aperture: Floats = _distance(landmarks, _PAIRS).mean(axis=-1) / _distance(landmarks, _CORNERS)
    seen = _distance(landmarks[..., :2], _CORNERS) ** 2
    return aperture, seen / seen.sum(axis=-1, keepdims=True)


def _distance(points: npt.NDArray[np.float32], pairs: npt.NDArray[np.intp]) -> Floats:
    """Distances (n, …) of pairs (…, 2) of vertices, not 0."""
    difference = points[:, pairs[..., 0]] - points[:, pairs[..., 1]]
    squared: Floats = np.square(difference).sum(axis=-1, dtype=np.float64)
    return np.maximum(np.sqrt(squared), 1e-6)


def compute_au45(
    landmarks: npt.NDArray[np.float32], fps: int, open_eyes: Floats
) -> npt.NDArray[np.float32]:
    """Blink intensity of both eyes together, 0 to 5.

    Args:
        landmarks: (n, 478, 3) in pixels, z in the same unit; successive frames of one clip.
        fps: frames a second.
        open_eyes: (2,) aperture of the source's open left and right eye.

    Returns:
        (n,) float32.
    """
    aperture, weight = measure_apertures(landmarks)
    level = np.clip(_fill_dips(aperture, fps), MIN_LEVEL * open_eyes, open_eyes)
    covered = np.clip(1 - aperture / level, 0, 1)
    both = np.exp((weight * np.log(covered + ONE_EYE)).sum(axis=-1)) - ONE_EYE
    return np.asarray(np.clip(MAX_AU45 * both, 0, MAX_AU45), dtype=np.float32)


def _fill_dips(aperture: Floats, fps: int) -> Floats:
    """The aperture (n, 2) as it would be without its dips shorter than `DIP_SECONDS`."""
    noise, dip = (2 * round(seconds * fps / 2) + 1 for seconds in (NOISE_SECONDS, DIP_SECONDS))
    steady = median_filter(aperture, size=(noise, 1), mode="nearest")
    return np.asarray(grey_closing(steady, size=(dip, 1), mode="nearest"))


class EyelidAU45(Extractor):
    """AU45 from the face mesh's eyelids, calibrated on all clips of a source."""

    arrays = ("face/au45",)
    constants = (
        *(EAR_POINTS, LID_MIDDLES, MAX_AU45, DIP_SECONDS, NOISE_SECONDS),
        *(OPEN_PERCENTILE, MIN_LEVEL, ONE_EYE, _BINS),
    )

    def __init__(self) -> None:
        self._open_eyes: Floats | None = None

    def provenance(self) -> Provenance:
        """This method's name and version; it has no weights."""
        return Provenance(backend="eyelids", version="1")

    def fit(self, clips: Iterable[ClipInput]) -> None:
        """Find the source's open eyes, one clip at a time; no clips forget the last source's."""
        counts = sum((_count_apertures(clip) for clip in clips), np.zeros((2, _BINS), np.int64))
        self._open_eyes = _find_percentile(counts) if counts.any() else None

    def extract(self, clip: ClipInput) -> Arrays:
        """`face/au45` (n,) float32, calibrated on this clip alone where `fit` saw none."""
        open_eyes = self._open_eyes
        if open_eyes is None:
            open_eyes = _find_percentile(_count_apertures(clip))
        return {"face/au45": compute_au45(clip.load_landmarks(), clip.fps, open_eyes)}


def _count_apertures(clip: ClipInput) -> npt.NDArray[np.int64]:
    """Histogram (2, bins) of a clip's measured apertures from 0 to 1: its size never grows."""
    landmarks = clip.load_landmarks()
    aperture, _ = measure_apertures(landmarks[clip.valid] if clip.valid.any() else landmarks)
    bins = np.clip(aperture * _BINS, 0, _BINS - 1).astype(np.intp)
    return np.stack([np.bincount(eye, minlength=_BINS) for eye in bins.T])


def _find_percentile(counts: npt.NDArray[np.int64]) -> Floats:
    """Aperture (2,) below which `OPEN_PERCENTILE` per cent of a histogram's frames lie."""
    share = counts.cumsum(axis=1) / counts.sum(axis=1, keepdims=True)
    return np.asarray(((share >= OPEN_PERCENTILE / 100).argmax(axis=1) + 0.5) / _BINS)


def find_blinks(au45: npt.ArrayLike, fps: int) -> list[Blink]:
    """Blinks of one clip, from any backend's AU45.

    A blink is a peak of at least `ON_INTENSITY`. The next one counts of its own once AU45 has
    fallen to `OPEN_SHARE` of the lesser of the two; lesser peaks before that belong to it. It
    reaches from the first to the last frame around its peak at or over half its intensity; a
    single frame that falls lower in between is bridged. Its apex is the middle one of its measured
    frames at or over `APEX_SHARE` of the peak. Its number of frames is one that
    something of `MIN_SECONDS` to `MAX_SECONDS` can have: 2 to 15 at 30 frames a second, 1 to 13
    at 25. Longer closures are no blinks. One that the clip's first or last frame cuts off counts
    however short the rest is, so that two clips cut within a blink both hold it.

    Args:
        au45: (n,) intensity 0 to 5, NaN where it was not measured: such frames are interpolated,
            which makes no peaks.
        fps: frames a second.

    Returns:
        In order, not overlapping; frames count from the array's start.

    Raises:
        ValueError: an array of another shape, or fps is not positive.
    """
    values = np.asarray(au45, dtype=np.float64)
    is_measured = np.isfinite(values)
    if values.ndim != 1 or fps <= 0:
        raise ValueError(f"AU45 of shape {values.shape} at {fps} frames a second")
    if not is_measured.any():
        return []
    frames = np.arange(len(values))
    values = np.interp(frames, frames[is_measured], values[is_measured])
    bridged = _bridge(values)
    measured = np.where(is_measured, values, 0)
    blinks = [_measure_blink(measured, bridged, peak) for peak in _find_peaks(bridged)]
    return [blink for blink in blinks if _fits_blink(blink, len(values), fps)]


def _bridge(values: Floats) -> Floats:
    """Raise single frames that are lower than both neighbours to the lower one of them."""
    bridged = values.copy()
    bridged[1:-1] = np.maximum(values[1:-1], np.minimum(values[:-2], values[2:]))
    return bridged


def _find_peaks(values: Floats) -> list[int]:
    """Highest frame of each movement of the lids, in order."""
    candidates, _ = find_peaks(np.pad(values, 1), height=ON_INTENSITY)
    peaks: list[int] = []
    for peak in (candidates - 1).tolist():
        if not peaks:
            peaks.append(peak)
            continue
        lesser, greater = sorted((peaks[-1], peak), key=lambda frame: float(values[frame]))
        if values[peaks[-1] : peak].min() <= OPEN_SHARE * values[lesser]:
            peaks.append(peak)
        else:
            peaks[-1] = greater
    return peaks


def _measure_blink(values: Floats, bridged: Floats, peak: int) -> Blink:
    low = np.flatnonzero(bridged < bridged[peak] / 2)
    after = int(np.searchsorted(low, peak))
    onset = int(low[after - 1]) + 1 if after else 0
    offset = int(low[after]) - 1 if after < len(low) else len(values) - 1
    inside = values[onset : offset + 1]
    deep = np.flatnonzero(inside >= APEX_SHARE * inside.max())
    return Blink(onset=onset, apex=onset + int(deep[(len(deep) - 1) // 2]), offset=offset)


def _fits_blink(blink: Blink, num_frames: int, fps: int) -> bool:
    length = blink.offset - blink.onset + 1
    cut = blink.onset == 0 or blink.offset == num_frames - 1
    longest = int(np.ceil(MAX_SECONDS * fps))
    return length <= longest and (cut or length >= int(MIN_SECONDS * fps))
