"""Changes to pictures and sound that leave their step as it is.

Legend: T pictures of a stretch, H their side, S samples.
"""

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from zoo.data.mfcc import compute_mfcc

Pictures = npt.NDArray[np.uint8]
Rng = np.random.Generator

SHIFT, TURN = 0.06, 0.09
"""Most that a square is moved, over its side, and turned, rad."""

ZOOM = (0.9, 1.12)
GAIN = (-15.0, 6.0)
"""Of sound, dB."""

NOISE = (3.0, 40.0)
"""Of sound over noise, dB."""

WARPS = tuple(np.linspace(0.88, 1.12, 13).round(2).tolist())
"""Of the frequencies of a voice."""

COLORING = 0.3
"""Deviation of what is added to a cepstrum, over its own."""

SHADE = 0.35
"""Most by which one side of a picture is darker than its middle."""


def jitter_places(places: npt.NDArray[np.float64], rng: Rng) -> npt.NDArray[np.float64]:
    """Places (T, 4) all moved, turned and scaled alike; half of the time mirrored."""
    side = places[:, 2].mean()
    moved = places + np.array([*rng.uniform(-SHIFT, SHIFT, 2) * side, 0, rng.uniform(-TURN, TURN)])
    moved[:, 2] *= rng.uniform(*ZOOM) * rng.choice([-1, 1])
    return np.asarray(moved)


def change_pictures(pictures: Pictures, rng: Rng) -> Pictures:
    """Pictures (T, H, H, C) uint8 in another light; some blurred, noisy, or as poor JPEGs.

    What is drawn is the same for all T, but for the noise.
    """
    brightness, contrast = rng.uniform(-25, 25), rng.uniform(0.7, 1.35)
    colors = contrast * rng.uniform(0.9, 1.1, pictures.shape[-1])
    curve = 255 * np.linspace(0, 1, 256) ** rng.uniform(0.75, 1.33)
    levels = (curve[:, None] - 128) * colors + 128 + brightness  # (256, C)
    table = levels.round().clip(0, 255).astype(np.uint8)
    changed = table[pictures, np.arange(pictures.shape[-1])]
    how = rng.uniform(size=4) < (0.25, 0.25, 0.25, 0.3)
    if how[3]:
        changed = _shade(changed, rng)
    if how[0]:
        width = rng.uniform(0.3, 1.3) * pictures.shape[1] / 64
        changed = _map(changed, lambda picture: cv2.GaussianBlur(picture, (0, 0), width))
    if how[1]:
        noise = rng.normal(0, rng.uniform(1, 8), changed.shape)
        changed = (changed + noise).round().clip(0, 255).astype(np.uint8)
    if how[2]:
        quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(15, 70))]
        changed = _map(changed, lambda picture: _recode(picture, quality))
    return np.asarray(changed, np.uint8)


def _shade(pictures: Pictures, rng: Rng) -> Pictures:
    """Light that falls from a side."""
    slopes = rng.uniform(-SHADE, SHADE, 2)
    y, x = (
        np.linspace(-1, 1, size) * slope
        for size, slope in zip(pictures.shape[1:3], slopes, strict=True)
    )
    light = 1 + y[:, None, None] + x[:, None]
    return np.asarray((pictures * light).round().clip(0, 255), np.uint8)


def _map(pictures: Pictures, change: Callable[[Pictures], Any]) -> Pictures:
    changed = np.stack([change(picture) for picture in pictures])
    return np.asarray(changed, np.uint8).reshape(pictures.shape)


def _recode(picture: Pictures, quality: list[int]) -> Pictures:
    _, data = cv2.imencode(".jpg", picture, quality)
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_UNCHANGED), np.uint8)


def change_sound(pcm: npt.NDArray[np.int16], rng: Rng) -> npt.NDArray[np.int16]:
    """Samples (S,) louder or softer, most of the time with noise, white or falling by 6 dB."""
    sound = pcm * 10 ** (rng.uniform(*GAIN) / 20)
    if rng.uniform() < 0.7:
        noise = rng.normal(size=len(sound))
        if rng.uniform() < 0.5:
            noise = np.fft.irfft(np.fft.rfft(noise) / _count_from_one(len(noise)), len(noise))
        power = np.sqrt(np.mean(sound**2) / max(np.mean(noise**2), 1e-20))
        sound = sound + noise * power / 10 ** (rng.uniform(*NOISE) / 20)
    return np.asarray(sound.round().clip(-32768, 32767), np.int16)


def change_voice(pcm: npt.NDArray[np.int16], rng: Rng) -> npt.NDArray[np.float32]:
    """Cepstra (R, 13) of samples (S,) as of a longer or shorter throat, by another microphone."""
    cepstra = compute_mfcc(pcm, float(rng.choice(WARPS)))
    coloring = COLORING * cepstra.std(axis=0) * rng.normal(size=cepstra.shape[1])
    return np.asarray(cepstra + coloring, np.float32)


def _count_from_one(length: int) -> npt.NDArray[np.float64]:
    """Number of each frequency of a spectrum, the lowest ten alike."""
    return np.maximum(np.arange(length // 2 + 1), 10)
