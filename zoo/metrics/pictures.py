"""How near drawn pictures are to real ones: PSNR and SSIM. All computed in float64.

Pictures are (height, width, 3) uint8 RGB. SSIM stands here with both windows of scikit-image's
`structural_similarity`, to whose values these are equal; values of the two are not comparable.
"""

import math

import cv2
import numpy as np
import numpy.typing as npt

from zoo.metrics.kernels import average_similarity

Picture = npt.NDArray[np.uint8]

PEAK = 255.0

WINDOW, SIGMA = 11, 1.5
"""Gaussian window of SSIM (Wang, Bovik, Sheikh and Simoncelli, 2004, section III.C)."""

UNIFORM = 7
"""Side of the uniform window, scikit-image's default."""

_C1, _C2 = (0.01 * PEAK) ** 2, (0.03 * PEAK) ** 2


def measure_psnr(frames: Picture, real_frames: Picture) -> float:
    """Peak signal-to-noise ratio, dB, over all channels; inf for equal pictures."""
    return _compute_psnr(measure_squared_error(frames, real_frames))


def pool_psnr(squared_errors: npt.ArrayLike) -> float:
    """PSNR, dB, of the mean of pictures' `measure_squared_error` (n,); NaN of no pictures.

    It is at most the mean of the pictures' own PSNRs, which bad frames weigh less in.
    """
    errors = np.asarray(squared_errors, np.float64)
    return _compute_psnr(float(errors.mean())) if len(errors) else math.nan


def measure_squared_error(frames: Picture, real_frames: Picture) -> float:
    """Mean squared difference of two pictures over all channels, squared levels."""
    _require_alike(frames, real_frames)
    difference = cv2.absdiff(frames, real_frames)
    return float(np.square(difference, dtype=np.uint16).mean(dtype=np.float64))


def _compute_psnr(squared_error: float) -> float:
    return 10 * math.log10(PEAK**2 / squared_error) if squared_error else math.inf


def measure_ssim(frames: Picture, real_frames: Picture) -> float:
    """Mean structural similarity, at most 1, over the channels and all windows that lie inside.

    Wang et al., 2004, eq. 13: 11 × 11 Gaussian windows, K1 = 0.01, K2 = 0.03; scikit-image's with
    `gaussian_weights=True, use_sample_covariance=False`.

    Raises:
        ValueError: pictures of different sizes, or smaller than a window.
    """
    _require_alike(frames, real_frames)
    weights = np.asarray(cv2.getGaussianKernel(WINDOW, SIGMA)[:, 0], np.float64)
    return _average_similarity(frames, real_frames, weights, 1.0)


def measure_ssim_uniform(frames: Picture, real_frames: Picture) -> float:
    """The same with uniform windows of 7 × 7 and sample covariances: scikit-image's default.

    Raises:
        ValueError: pictures of different sizes, or smaller than the Gaussian window.
    """
    _require_alike(frames, real_frames)
    weights = np.full(UNIFORM, 1 / UNIFORM)
    return _average_similarity(frames, real_frames, weights, UNIFORM**2 / (UNIFORM**2 - 1))


def _average_similarity(
    pred: Picture, target: Picture, weights: npt.NDArray[np.float64], sample: float
) -> float:
    x, y = (np.ascontiguousarray(picture).reshape(len(picture), -1) for picture in (pred, target))
    return average_similarity(x, y, pred.shape[2], weights, sample, _C1, _C2)


def _require_alike(pred: Picture, target: Picture) -> None:
    if pred.shape != target.shape or min(pred.shape[:2]) < WINDOW:
        raise ValueError(f"pictures {pred.shape} and {target.shape} cannot be compared")
