"""Drawn faces whose eyes close for a known time, known times a second."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from tests.datasets import FakeClip, write_dataset
from toolkit.facemodel.model import load_default
from toolkit.mesh import LANDMARKS68, NUM_LANDMARKS, NUM_VERTICES, UPPER_LIDS
from zoo.data.landmarks import LandmarkClip, LandmarkClips

Floats = npt.NDArray[np.float64]

UPPER = (37, 38, 43, 44)
"""Of the 68 points: the upper lids'."""

CLOSING = 0.06
"""How far they come down, canonical units: of eyes as high."""


def make_face() -> Floats:
    """(68, 2): eyes of aspect ratio 0.3 about (±0.4, −0.3), brows above, the rest on a circle."""
    turn = np.linspace(0, 2 * np.pi, 68, endpoint=False)
    face = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    x = np.array([-0.1, -0.03, 0.03, 0.1, 0.03, -0.03])
    y = np.array([0, -0.03, -0.03, 0, 0.03, 0.03])
    for side, first in ((-1, 36), (1, 42)):
        face[first : first + 6] = np.stack([0.4 * side + x, y - 0.3], axis=1)
    face[17:27] = np.stack([np.linspace(-0.6, 0.6, 10), np.full(10, -0.5)], axis=1)
    return np.asarray(face)


def close(num_frames: int, fps: int, middles: npt.ArrayLike, seconds: float) -> Floats:
    """(n,) how far the eyes are closed, 0 to 1: half a cosine down and up about each middle, s."""
    away = np.arange(num_frames)[:, None] / fps - np.asarray(middles)
    share = np.minimum(np.abs(away) / (seconds / 2), 1)
    return np.asarray((0.5 + 0.5 * np.cos(np.pi * share)).max(axis=1, initial=0))


def draw_middles(seconds: float, rate: float, rng: np.random.Generator) -> Floats:
    """Moments of blinks, s: at random, but not within 1 s of one another."""
    gaps = 1 + rng.exponential(1 / rate - 1, int(3 * rate * seconds) + 5)
    moments = np.cumsum(gaps) - rng.uniform(0, 1 / rate)
    return np.asarray(moments[moments < seconds])


def make_clip(
    closed: npt.ArrayLike, fps: int = 25, name: str = "a", noise: float = 0.0, seed: int = 0
) -> LandmarkClip:
    """A clip of `make_face` whose eyes are closed so far (n,)."""
    shut = np.asarray(closed, np.float64)
    canonical = np.repeat(make_face()[None], len(shut), axis=0)
    canonical[:, UPPER, 1] += CLOSING * shut[:, None]
    canonical += noise * np.random.default_rng(seed).normal(size=canonical.shape)
    return LandmarkClip(
        id=name,
        identity="ann",
        source=f"{name}.mp4",
        fps=fps,
        scores=np.zeros((len(shut), 0, 29), np.float32),
        canonical=canonical.astype(np.float32),
        neutral=make_face(),
        valid=np.ones(len(shut), bool),
        ear=np.full((len(shut), 2), 0.3, np.float32),
    )


def gather_clips(*clips: LandmarkClip) -> LandmarkClips:
    """As they are loaded."""
    return LandmarkClips(
        clips=clips, canonical_neutral=make_face(), fps=clips[0].fps, scale="log_prob", backends={}
    )


def make_blinking(
    *, clips: int = 12, seconds: float = 20, rate: float = 0.4, duration: float = 0.4, seed: int = 0
) -> LandmarkClips:
    """Clips whose eyes close so many times a second, for `duration` s each."""
    rng = np.random.default_rng(seed)
    made = []
    for k in range(clips):
        shut = close(round(25 * seconds), 25, draw_middles(seconds, rate, rng), duration)
        made.append(make_clip(shut, name=f"{seed}-{k}", noise=5e-4, seed=1000 * seed + k))
    return gather_clips(*made)


def write_blinking(dataset: Path, *, people: int = 3, num_frames: int = 300) -> Path:
    """A dataset at 30 frames a second, a clip of each person; the folder `shards`.

    Meshes are the mean face with upper lids that come down, half a turn off the middle.
    """
    clips = []
    for k in range(people):
        rng = np.random.default_rng(k)
        shut = close(num_frames, 30, draw_middles(num_frames / 30, 0.7, rng), 0.4)
        clips.append(
            FakeClip(
                identity=f"person-{k}",
                source=f"videos/{k}.mp4",
                num_frames=num_frames,
                arrays={
                    "face/landmarks": _make_meshes(shut, rng),
                    "face/valid": np.ones(num_frames, bool),
                    "face/ear": np.repeat(0.3 * (1 - shut[:, None]), 2, axis=1).astype(np.float32),
                },
            )
        )
    write_dataset(dataset, {"j": clips})
    return dataset / "shards"


def _make_meshes(shut: Floats, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    rest = np.zeros((NUM_LANDMARKS, 3))
    rest[:NUM_VERTICES] = load_default().mean_shape
    meshes = np.repeat(rest[None], len(shut), axis=0)
    lids = [point for row in UPPER_LIDS for point in row if point in LANDMARKS68]
    meshes[:, lids, 1] += 6.0 * shut[:, None]
    meshes += rng.normal(0, 0.05, meshes.shape)
    return np.asarray(meshes, np.float32)
