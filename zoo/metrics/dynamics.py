"""How lively motion is at each rate of change: the velocity spectrum, and how far two are apart.

Motion that has collapsed to its mean has a low L2 error and no spectrum; motion that trembles has
too much of it at high frequencies. Definition:

1. Velocity is the first difference of each of the 71 numbers times the frame rate, in units/s.
2. It is cut into windows of 127 values (of 128 frames), one every 64 frames from each clip's start;
   windows with a frame that is not valid are left out, or, where no window of any clip would be
   left, those with more than one such frame in ten. A clip of 16 to 127 frames is one window. Each
   loses its mean, is weighted by a Hann window and padded with zeros: bins of fps / 128.
3. The power spectral density is the mean over the windows of all clips (Welch, 1967), one-sided,
   scaled so that its sum times the bin width is the variance of the velocity.
4. It is summed over the dimensions of a part, which have one unit, and over the bins of a band.
   Parts: expression (64), rotation (3), translation (3), AU45 (1). Bands are octaves of bins:
   1, 2–3, 4–7, 8–15, 16–31, 32–64; at 30 frames a second they begin at 0.23, 0.47, 0.94, 1.9, 3.75
   and 7.5 Hz.
5. The distance of two spectra of a part is the mean over its bands of |log10(pred / target)|,
   each band weighing as much as it holds of the power, in the mean of the two: 0.3 is a factor of
   two in power. So the bands count in which there is motion; where the real one is nothing but the
   trembling of a measurement, nothing is asked, while trembling that is made up counts.
6. The pose's distance is the mean of rotation's and translation's, and the overall distance the
   mean of expression's, pose's and AU45's.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from zoo.data import AU45, EXPRESSION, MIN_FRAMES, MOTION_SIZE, POSE, WINDOW

Floats = npt.NDArray[np.float64]

HOP = 64
BAND_STARTS = (1, 2, 4, 8, 16, 32)
"""First bin of each band; the last one ends at half the frame rate."""

PARTS = {
    "expression": EXPRESSION,
    "rotation": slice(POSE.start, POSE.start + 3),
    "translation": slice(POSE.start + 3, POSE.stop),
    "au45": AU45,
}
"""Dimensions of the motion that share a unit."""

FLOOR = 1e-6
"""Powers count as at least this share of the target part's mean power in a band, so that motion
that stands still is six powers of ten away and not infinitely many."""

_MOSTLY = 0.9
"""Share of valid frames that is enough where no window is wholly valid."""

_STILL = 1e-12
"""The least power of all, where the target part stands still itself."""


@dataclass(frozen=True, eq=False)
class VelocitySpectrum:
    """Power of the velocity of each part in each band.

    Attributes:
        power: part -> (6,), squared units of the part per squared second.
        fps: frames a second.
        num_windows: that the power is the mean of.
    """

    power: dict[str, Floats]
    fps: int
    num_windows: int

    @property
    def frequencies(self) -> Floats:
        """(6,) lowest frequency of each band, Hz."""
        return np.array(BAND_STARTS) * self.fps / WINDOW


def measure_spectrum(
    motions: Sequence[npt.ArrayLike],
    fps: int,
    valid: Sequence[npt.NDArray[np.bool_]] | None = None,
) -> VelocitySpectrum:
    """Velocity spectrum of clips: see the module's text.

    Args:
        motions: (n, 71) each.
        fps: frames a second.
        valid: (n,) each, False where the motion was not measured; all are by default.

    Raises:
        ValueError: no window is whole and valid enough, or a motion is not (n, 71).
    """
    for share in (1.0, _MOSTLY):
        total: dict[str, Floats] = {name: np.zeros(len(BAND_STARTS)) for name in PARTS}
        num_windows = 0
        for index, motion in enumerate(motions):
            for window in _cut(motion, None if valid is None else valid[index], share):
                density = measure_density(window, fps)
                for name, part in PARTS.items():
                    bins = np.sum(density[:, part], axis=1) * (fps / WINDOW)
                    total[name] += np.add.reduceat(bins, BAND_STARTS)
                num_windows += 1
        if num_windows:
            mean = {name: power / num_windows for name, power in total.items()}
            return VelocitySpectrum(mean, fps, num_windows)
    raise ValueError(
        f"no clip has {WINDOW} valid frames on end, nor nine in ten of so many, nor is one of "
        f"{MIN_FRAMES} frames or more valid to nine in ten"
    )


def measure_density(window: npt.ArrayLike, fps: int) -> Floats:
    """One-sided power spectral density (65, K) of the velocity of a window (128 or fewer, K).

    Bins are fps / 128 apart; unit: squared units of the motion per squared second and Hz.
    """
    velocity = np.diff(np.asarray(window, np.float64), axis=0) * fps
    taper = np.hanning(len(velocity) + 2)[1:-1]
    tapered = (velocity - velocity.mean(axis=0)) * taper[:, None]
    power = np.abs(np.fft.rfft(tapered, n=WINDOW, axis=0)) ** 2 / (fps * np.square(taper).sum())
    power[1:-1] *= 2
    return np.asarray(power, np.float64)


def compare_spectra(pred: VelocitySpectrum, target: VelocitySpectrum) -> dict[str, float]:
    """Distance of each of `PARTS`, of `pose`, and `mean` of expression, pose and AU45.

    Raises:
        ValueError: the frame rates differ.
    """
    if pred.fps != target.fps:
        raise ValueError(f"spectra of {pred.fps} and {target.fps} frames a second")
    distance = {name: _compare(pred.power[name], target.power[name]) for name in PARTS}
    distance["pose"] = (distance["rotation"] + distance["translation"]) / 2
    distance["mean"] = (distance["expression"] + distance["pose"] + distance["au45"]) / 3
    return distance


def _compare(pred: Floats, target: Floats) -> float:
    floor = max(FLOOR * float(target.mean()), _STILL)
    pred, target = np.maximum(pred, floor), np.maximum(target, floor)
    weight = (pred / pred.sum() + target / target.sum()) / 2
    return float((weight * np.abs(np.log10(pred / target))).sum())


def _cut(
    motion: npt.ArrayLike, valid: npt.NDArray[np.bool_] | None, share: float
) -> Iterator[Floats]:
    values = np.asarray(motion, np.float64)
    if values.ndim != 2 or values.shape[1] != MOTION_SIZE:
        raise ValueError(f"motion of shape {values.shape}, not (n, {MOTION_SIZE})")
    if len(values) < MIN_FRAMES:
        return
    for start in range(0, max(len(values) - WINDOW, 0) + 1, HOP):
        if valid is None or valid[start : start + WINDOW].mean() >= share:
            yield values[start : start + WINDOW]
