"""THEval's metrics that need a face mesh and a voice detector (CVPR 2026, arXiv 2511.04520).

By the definitions of its text, not by its released program, which swaps the colour channels before
the mesh sees them and carries the mesh's state from one video into the next. What the text leaves
open is decided here and said at each function. A generated video's score in a metric is
`1 − |m − GT| / |GT|`, GT being the real videos' value.

Legend: n frames. Meshes are (n, 478, 2 or 3) px, NaN in frames without a face.
"""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from toolkit.clock import SAMPLE_RATE
from toolkit.mesh import (
    EYES68,
    INNER_LIP_CORNERS,
    INNER_LOWER_LIP,
    INNER_UPPER_LIP,
    MOUTH_CORNERS,
    OUTER_LOWER_LIP,
    OUTER_UPPER_LIP,
)
from zoo.landmarks.align import view68
from zoo.metrics.landmarks import measure_eye_distance
from zoo.metrics.series import list_runs, normalise_range

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

GROUND_TRUTH = {
    "theval.lip_dynamics": 1.7166,
    "theval.eyebrow_dynamics": 0.006777,
    "theval.silent_lips": 0.0263,
    "theval.lip_sync": 0.2528,
}
"""Its published values of real videos, as a check; its own 18.468 of head motion is of another
pose."""

LIPS = (*MOUTH_CORNERS, *OUTER_UPPER_LIP, *OUTER_LOWER_LIP,
        *INNER_LIP_CORNERS, *INNER_UPPER_LIP, *INNER_LOWER_LIP)  # fmt: skip
"""The mesh's 40 points of the lips."""

BROWS68 = (slice(17, 22), slice(22, 27))
"""Of the 68 points: the five of each brow, right first."""

SIDE = 256
"""Width and height that pictures count as, px."""

SILENT_SECONDS = 0.3
LOUDNESS_SECONDS = 0.05


def score(value: float, real: float) -> float:
    """A metric's score beside the real videos' value: 1 where they are equal."""
    return 1 - abs(value - real) / abs(real)


def measure_lip_dynamics(landmarks: npt.ArrayLike, picture_size: Sequence[float]) -> float:
    """Mean over all 780 pairs of the lips' points of their distance's deviation over time, px.

    Pictures count as 256 × 256 px, whatever their shape (`picture_size` is width and height). Open
    in the text: frames without a face are left out.
    """
    points = _scale(_list_known(landmarks)[:, LIPS], picture_size)
    if not len(points):
        return math.nan
    pairs = [
        np.linalg.norm(points[:, k + 1 :] - points[:, k : k + 1], axis=2).std(axis=0)
        for k in range(len(LIPS) - 1)
    ]
    return float(np.concatenate(pairs).mean())


def measure_eyebrow_dynamics(landmarks: npt.ArrayLike) -> float:
    """Mean absolute step, from frame to frame, of the height of the brows.

    The height is the distance of a brow's centre from its eye's, over the distance of the eyes'
    centres. Open in the text: brows and eyes are those of the 68-point view, and both sides' steps
    are averaged.
    """
    points = view68(landmarks)
    eyes = [points[:, part].mean(axis=1) for part in EYES68]
    brows = [points[:, part].mean(axis=1) for part in BROWS68]
    between = np.linalg.norm(eyes[0] - eyes[1], axis=1)
    heights = [np.linalg.norm(b - e, axis=1) / between for b, e in zip(brows, eyes, strict=True)]
    steps = np.abs(np.diff(heights, axis=1))
    return float(np.nanmean(steps)) if np.isfinite(steps).any() else math.nan


def measure_lip_gap(landmarks: npt.ArrayLike) -> Floats:
    """(n,) mean vertical gap of the inner lips over the distance of the outer eye corners."""
    points = np.asarray(landmarks)
    gap = points[:, INNER_LOWER_LIP, 1].astype(np.float64) - points[:, INNER_UPPER_LIP, 1]
    return np.asarray(np.abs(gap).mean(axis=1) / measure_eye_distance(points))


def measure_silent_lips(landmarks: npt.ArrayLike, speech: npt.ArrayLike, fps: int) -> float:
    """Median absolute deviation of the lips' gap from its mean, in silences of at least 0.3 s.

    Open in the text: the frames of all silences count together. NaN where there is no silence.

    Args:
        landmarks: meshes.
        speech: (n,) bool, whether there is speech in a frame.
        fps: frames a second.
    """
    gap, silent = measure_lip_gap(landmarks), ~np.asarray(speech, bool)
    runs = [gap[a:b] for a, b in list_runs(silent) if b - a >= SILENT_SECONDS * fps - 1e-6]
    values = np.concatenate([np.empty(0), *runs])
    values = values[np.isfinite(values)]
    return float(np.median(np.abs(values - values.mean()))) if len(values) else math.nan


def measure_lip_sync(
    landmarks: npt.ArrayLike, pcm: npt.NDArray[np.int16], speech: npt.ArrayLike, fps: int
) -> float:
    """Mean absolute difference of mouth opening and loudness in speech, each from 0 to 1.

    Open in the text: the opening is `measure_lip_gap`, loudness the root mean square over 50 ms
    around a frame's middle, and both reach from 0 to 1 over the speech frames that have a face.
    NaN where there are none.
    """
    gap = measure_lip_gap(landmarks)
    loudness = measure_loudness(pcm, len(gap), fps)
    part = np.asarray(speech, bool) & np.isfinite(gap)
    if not part.any():
        return math.nan
    return float(np.abs(normalise_range(gap[part]) - normalise_range(loudness[part])).mean())


def measure_loudness(pcm: npt.NDArray[np.int16], num_frames: int, fps: int) -> Floats:
    """(n,) root mean square, 0 to 1, of the samples within 25 ms of each frame's middle."""
    energy = np.concatenate([[0.0], np.cumsum(np.square(pcm / 32768.0))])
    middles = (np.arange(num_frames) + 0.5) / fps
    first, last = (
        np.clip(np.rint((middles + side) * SAMPLE_RATE), 0, len(pcm)).astype(np.int64)
        for side in (-LOUDNESS_SECONDS / 2, LOUDNESS_SECONDS / 2)
    )
    power = np.maximum(energy[last] - energy[first], 0) / np.maximum(last - first, 1)
    return np.asarray(np.sqrt(power))


def measure_head_motion(
    pose: npt.ArrayLike, landmarks: npt.ArrayLike, picture_size: Sequence[float]
) -> float:
    """THEval's head motion from our own pose, √(a · b + c).

    a is the mean deviation of pitch, yaw and roll in degrees, b the mean variance of their steps
    from frame to frame, c the mean variance of the two coordinates of the centre of the mesh's box,
    pictures counting as 256 × 256 px. NaN where there is no face.
    """
    angles = np.degrees(np.asarray(pose, np.float64)[:, :3])
    points = _scale(_list_known(landmarks)[..., :2], picture_size)
    steps = np.diff(angles, axis=0)
    angles, steps = (v[np.isfinite(v).all(axis=1)] for v in (angles, steps))
    if not len(points) or not len(steps):
        return math.nan
    centres = (points.min(axis=1) + points.max(axis=1)) / 2
    turned = angles.std(axis=0).mean() * steps.var(axis=0).mean()
    return math.sqrt(turned + centres.var(axis=0).mean())


def _list_known(landmarks: npt.ArrayLike) -> Floats:
    """Meshes of the frames that have a face."""
    points = np.asarray(landmarks, np.float64)
    return np.asarray(points[np.isfinite(points[:, 0, 0])])


def _scale(points: Floats, picture_size: Sequence[float]) -> Floats:
    """(n, k, 2) px of pictures of 256 × 256."""
    return np.asarray(points[..., :2] * (SIDE / np.asarray(picture_size, np.float64)))
