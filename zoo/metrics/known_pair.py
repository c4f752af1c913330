"""A drawn and a real clip of 4 s with known differences: docs/metrics.md shows their metrics.

Both are made of numbers alone. The drawn one differs by:

- its picture, in which an edge of 160 levels is 4 px wide, and 2 px in the real one: two pixels of
  each row of 64 are off by 40 levels; every other pair of pictures is equal;
- its head, 5 px to the right, 30 mm behind, turned by 3°, −6° and 3°;
- five of its lip points, which are 4 px too low, and a mouth that moves 3 frames late;
- the distances of a judge of lip-sync, 1.2 but for 1.0 of the real one in place, and for 1.1 in
  place and 0.9 beside the sound of two frames before of the drawn one, whose lips are late;
- one coefficient of expression, off by 2 standard deviations;
- one blink where the real one has two;
- one word, as a judge reads its sound, of the six that are said;
- its face's features by three recognisers, which lie 0.6 to either side of 0.8 times the real
  ones', in turn; of two maps of four places one place of one map is at a right angle to the real
  one's;
- distances of its pictures at five depths of two networks, 0.1, 0.2, 0.3, 0.2 and 0.1 of every
  other pair, and half of that by the second network; the other pairs are equal;
- of its pictures' features, eight of each, the first, which is 1 larger, and the second, which is
  twice as far from 0; both sets are ±1 in turn in each alone.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from toolkit.clock import SAMPLE_RATE
from toolkit.facemodel.model import load_default
from toolkit.mesh import INNER_LOWER_LIP, LANDMARKS68, NUM_LANDMARKS, NUM_VERTICES

Floats = npt.NDArray[np.float64]

FPS, NUM_FRAMES, SPOKEN = 30, 120, 90
"""The last second is silent."""

SIDE = 64
LATE = 3
BLINKS = {"real": (20, 80), "drawn": (20,)}
EAR = (0.24, 0.15, 0.06, 0.06, 0.12, 0.18, 0.24)
"""A blink's eye aspect ratio; that of open eyes is 0.3."""


def make_known_pair() -> dict[str, Any]:
    """Every one of `zoo.metrics.rows.ARRAYS`, of the two clips."""
    real = {f"real_{name}": value for name, value in _make_clip("real").items()}
    return {
        **_make_clip("drawn"),
        **real,
        "squared_errors": np.tile([50.0, 0.0], NUM_FRAMES // 2),
        **_make_depths(),
        "picture_size": (256, 256),
        "pcm": _make_sound(),
        "speech": np.arange(NUM_FRAMES) < SPOKEN,
        "fps": FPS,
        "transcript": "the cat sat on the mat",
    }


def repeat_real(arrays: dict[str, Any]) -> dict[str, Any]:
    """The arrays of the real clip beside itself."""
    real = {name.removeprefix("real_"): v for name, v in arrays.items() if name.startswith("real_")}
    depths = {name: np.zeros_like(values) for name, values in _make_depths().items()}
    return {**arrays, **real, **depths, "squared_errors": np.zeros(NUM_FRAMES)}


def _make_clip(name: str) -> dict[str, Any]:
    is_drawn = name == "drawn"
    turn = np.radians(10 * np.sin(2 * np.pi * np.arange(NUM_FRAMES) / NUM_FRAMES))
    pose, expression = np.zeros((NUM_FRAMES, 6)), np.zeros((NUM_FRAMES, 64))
    pose[:, 1], pose[:, 5] = turn, 600
    if is_drawn:
        pose += [*np.radians([3, -6, 3]), 0, 0, 30]
        expression[:, 5] = 2
    au45, ear = np.zeros(NUM_FRAMES), np.full((NUM_FRAMES, 2), 0.3)
    for start in BLINKS[name]:
        ear[start : start + len(EAR)] = np.array(EAR)[:, None]
        au45[start : start + len(EAR)] = 5 * (1 - np.array(EAR) / 0.3)
    return {
        "frames": _make_picture(4 if is_drawn else 2),
        "landmarks": _make_landmarks(is_drawn),
        "pose": pose,
        "expression": expression,
        "au45": au45,
        "ear": ear,
        "identity_features": _make_features(is_drawn, 128),
        "arcface_features": _make_features(is_drawn, 512),
        "facenet_features": _make_features(is_drawn, 512),
        "inception_features": _make_set(is_drawn),
        "identity_maps": _make_maps(is_drawn),
        "sync_distances": _make_distances(is_drawn),
        "recognised": f"the cat sat on {'a' if is_drawn else 'the'} mat",
    }


def _make_distances(is_drawn: bool) -> Floats:
    distances = np.full((60, 31), 1.2)
    distances[:, 15] = 1.1 if is_drawn else 1.0
    if is_drawn:
        distances[:, 13] = 0.9
    return distances


def _make_picture(width: int) -> npt.NDArray[np.uint8]:
    """An edge from 40 to 200 levels around column 32, so many px wide; (64, 64, 3)."""
    row = 40 + 160 * np.clip((np.arange(SIDE) - 32) / width + 0.5, 0, 1)
    return np.tile(row.astype(np.uint8)[:, None], (SIDE, 1, 3))


def _make_features(is_drawn: bool, size: int) -> Floats:
    """(n, size) of length 1: the real face's are all the same."""
    features = np.zeros((NUM_FRAMES, size))
    features[:, 0] = 0.8 if is_drawn else 1
    if is_drawn:
        features[:, 1] = np.resize([0.6, -0.6], NUM_FRAMES)
    return features


def _make_depths() -> dict[str, Floats]:
    """(n, 5) of each network: every other pair of pictures is equal."""
    depths = np.tile([[0.1, 0.2, 0.3, 0.2, 0.1], [0.0] * 5], (NUM_FRAMES // 2, 1))
    return {"lpips_alex": depths, "lpips_vgg": depths / 2}


def _make_set(is_drawn: bool) -> Floats:
    """(n, 8): in turn one number of a row is 1 or −1, and all others are 0."""
    rows = np.arange(NUM_FRAMES)
    features = np.zeros((NUM_FRAMES, 8))
    features[rows, rows // 2 % 8] = np.resize([1, -1], NUM_FRAMES)
    if is_drawn:
        features[:, 1] *= 2
        features[:, 0] += 1
    return features


def _make_maps(is_drawn: bool) -> list[Floats]:
    """Two maps of 2 × 2 places, two channels each."""
    maps = [np.stack([np.ones((2, 2)), np.zeros((2, 2))]) for _ in range(2)]
    if is_drawn:
        maps[0][:, 0, 0] = 0, 1
    return maps


def _list_levels() -> Floats:
    """Loudness of each frame, 0 to 1: a syllable takes 7 to 11 frames; none in the last second."""
    frames = np.arange(NUM_FRAMES)
    levels = np.abs(np.sin(np.pi * frames / 7)) * np.abs(np.cos(np.pi * frames / 11))
    return np.asarray(np.where(frames < SPOKEN, levels, 0))


def _make_sound() -> npt.NDArray[np.int16]:
    frames = np.arange(NUM_FRAMES * SAMPLE_RATE // FPS) * FPS // SAMPLE_RATE
    levels = _list_levels()[frames]
    samples = 8000 * levels * np.resize([1, -1], len(levels))
    return np.asarray(samples, np.int16)


def _make_landmarks(is_drawn: bool) -> Floats:
    """The mean face at 1.2 px a mm in pictures of 256 px, its mouth up to 12 px open."""
    points = np.zeros((NUM_FRAMES, NUM_LANDMARKS, 3))
    points[:, :NUM_VERTICES] = 1.2 * load_default().mean_shape + 128
    late = LATE if is_drawn else 0
    opening = 12 * np.roll(_list_levels(), late)
    points[:, list(INNER_LOWER_LIP), 1] += opening[:, None]
    if is_drawn:
        points[..., 0] += 5
        points[:, list(LANDMARKS68[48:53]), 1] += 4
    return points
