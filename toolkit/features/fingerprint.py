"""A fingerprint of a clip's sound and picture, by which copies of one recording are found.

Every tenth of a second has a number of 59 bits. Its lower 24 are of the sound: differences of
neighbouring bands' energies, and how these change (Haitsma & Kalker, "A highly robust audio
fingerprinting system", ISMIR 2002, eq. 1). The others are of the picture: the same of the
brightness of neighbouring blocks (Oostveen, Kalker & Haitsma, "Feature extraction and a database
strategy for video fingerprinting", VISUAL 2002), here of the face, upright and of one size, so that
scale, borders and where a clip is cut do not matter. Beside the differences' signs stand which one
is the greatest and which one the least: winner-take-all hashes (Yagnik et al., "The power of
comparative reasoning", ICCV 2011) change less than signs do and are what copies are looked up by.

What stands still leaves no trace, so that one person in one room is no copy: a perceptual hash of
single pictures, as of `cv2.img_hash`, takes them for one (docs/accuracy.md).
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from toolkit.clock import SAMPLE_RATE
from toolkit.mesh import EYE_CORNERS

STEP = 0.1
"""Seconds from one number of a fingerprint to the next."""

LAG = 3
"""Steps over which a change is measured."""

SMALL_SIZE = 64
"""Side (px) of the grey crops that pictures are hashed from."""

SOUND_SIGNS, PICTURE_SIGNS = 16, 25
"""Signs of a number: bits from 0 and from `PICTURE_SHIFT` on."""

SOUND_WIDTH, PICTURE_WIDTH = 4, 5
"""Bits of each of the greatest's and the least's index, behind the signs."""

PICTURE_SHIFT = SOUND_SIGNS + 2 * SOUND_WIDTH

_HOP, _WINDOW = round(STEP * SAMPLE_RATE), 8192
_BAND_EDGES = np.round(np.geomspace(300, 2000, SOUND_SIGNS + 2) * _WINDOW / SAMPLE_RATE).astype(int)
_FLOOR = 1e-7
"""Of a band's mean square, full scale 1: what is quieter is all alike."""

_ROWS, _COLUMNS = 5, 6
"""Blocks of the face; one difference less than blocks in a row."""

_BLOCK = 4
"""Pixels along a block's side."""

_ACROSS, _ABOVE, _BELOW = 2.2, 0.8, 1.8
"""Width of the face looked at, and its reach above and below the eyes, in distances of the eyes."""

_SMOOTH = 5
"""Frames over which the eyes' places are averaged: the mesh trembles."""


def fingerprint_clip(
    pcm: npt.NDArray[np.int16],
    small: npt.NDArray[np.uint8],
    landmarks: npt.NDArray[np.floating[Any]],
    fps: int,
) -> npt.NDArray[np.int64]:
    """The fingerprint of a clip of n frames: (m,) int64, m about n / fps / 0.1 s.

    Args:
        pcm: (S,) samples at 16 kHz.
        small: (n, 64, 64) grey crops: `make_small`.
        landmarks: (n, 478, 2 or more) px of these.
        fps: clock rate.

    Returns:
        Numbers of 59 bits, one for each 0.1 s from the clip's start; 24 or 35 bits are 0 where
        there is no sound, or no picture that moves.
    """
    sound, picture = hash_sound(pcm), hash_pictures(small, landmarks, fps)
    numbers = np.zeros(max(len(sound), len(picture)), np.int64)
    numbers[: len(sound)] |= sound
    numbers[: len(picture)] |= picture << PICTURE_SHIFT
    return numbers


def make_small(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """A square RGB crop in grey at 64 px: (64, 64) uint8."""
    import cv2

    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)  # first: one channel is scaled, not three
    small = cv2.resize(grey, (SMALL_SIZE, SMALL_SIZE), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


def hash_sound(pcm: npt.NDArray[np.int16]) -> npt.NDArray[np.int64]:
    """(m,) int64 of 24 bits for each 0.1 s of (S,) samples at 16 kHz; 0 where all is silent."""
    count = (len(pcm) - _WINDOW) // _HOP + 1
    if count <= LAG:
        return np.zeros(0, np.int64)
    frames = np.lib.stride_tricks.sliding_window_view(pcm, _WINDOW)[::_HOP]
    window = np.hanning(_WINDOW).astype(np.float32) / 32768
    power = np.empty((count, SOUND_SIGNS + 1))
    for index, frame in enumerate(frames):  # one at a time: of a minute, all would be 40 MB
        spectrum = np.abs(np.fft.rfft(frame * window)[: _BAND_EDGES[-1]]) ** 2
        power[index] = np.add.reduceat(spectrum, _BAND_EDGES[:-1]) / _WINDOW**2
    levels = np.log(power + _FLOOR)
    return _pack(levels[:, 1:] - levels[:, :-1], SOUND_WIDTH)


def hash_pictures(
    small: npt.NDArray[np.uint8], landmarks: npt.NDArray[np.floating[Any]], fps: int
) -> npt.NDArray[np.int64]:
    """(m,) int64 of 35 bits for each 0.1 s of n grey crops (n, 64, 64) and their landmarks, px."""
    places = np.round(np.arange(len(small)) * (fps * STEP)).astype(int)
    places = places[places < len(small)]
    if len(places) <= LAG:
        return np.zeros(0, np.int64)
    blocks = _average_blocks(small, landmarks)
    means = np.add.reduceat(blocks, places) / np.diff(places, append=len(small))[:, None, None]
    differences = (means[:, :, 1:] - means[:, :, :-1]).reshape(len(places), -1)
    return _pack(differences, PICTURE_WIDTH)


def _average_blocks(
    small: npt.NDArray[np.uint8], landmarks: npt.NDArray[np.floating[Any]]
) -> npt.NDArray[np.float64]:
    """(n, 5, 6) mean brightness of the blocks of every picture's face, eyes level."""
    import cv2

    eyes = np.stack([landmarks[:, pair, :2].mean(axis=1) for pair in EYE_CORNERS], axis=1)
    kernel = np.ones(_SMOOTH) / _SMOOTH
    padded = np.pad(eyes.reshape(-1, 4), ((_SMOOTH // 2, _SMOOTH // 2), (0, 0)), "edge")
    right, left = (
        np.stack([np.convolve(padded[:, k], kernel, "valid") for k in columns], axis=1)
        for columns in ((0, 1), (2, 3))
    )
    across = (left - right) * (_ACROSS / (_COLUMNS * _BLOCK))
    down = across[:, ::-1] * (-1, 1)
    down *= (_ABOVE + _BELOW) * _COLUMNS / (_ACROSS * _ROWS)
    corner = (right + left) / 2 - across * (_COLUMNS * _BLOCK / 2)
    corner -= down * (_ROWS * _BLOCK * _ABOVE / (_ABOVE + _BELOW))
    size = (_COLUMNS * _BLOCK, _ROWS * _BLOCK)
    means = np.empty((len(small), _ROWS, _COLUMNS))
    for index, picture in enumerate(small):
        matrix = np.stack([across[index], down[index], corner[index]], axis=1)
        face = cv2.warpAffine(
            picture,
            matrix,
            size,
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        means[index] = face.reshape(_ROWS, _BLOCK, _COLUMNS, _BLOCK).mean(axis=(1, 3))
    return means


def _pack(values: npt.NDArray[np.float64], width: int) -> npt.NDArray[np.int64]:
    """How (m, d) differences change over `LAG` steps: signs, then the greatest and the least."""
    change = values[LAG:] - values[:-LAG]
    number = change.shape[1]
    signs = (change > 0) @ (np.int64(1) << np.arange(number, dtype=np.int64))
    greatest, least = change.argmax(axis=1), change.argmin(axis=1)
    return np.asarray(signs | greatest << number | least << (number + width), np.int64)
