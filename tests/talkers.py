"""A dataset of drawn faces whose mouths open as their sound is loud."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import simplejpeg

from tests.datasets import CROP, INTRINSICS
from toolkit.clock import count_samples
from toolkit.dataset.split import SplitOptions, split_dataset
from toolkit.dataset.writer import ClipRow, DatasetWriter
from toolkit.mesh import NOSE_BASE, NUM_LANDMARKS, OUTER_EYE_CORNERS

SIDE = 64
EYE, NOSE = 50.0, (32.0, 26.0)
"""Distance of the eyes' outer corners and place of the nose's base, px."""


def draw_opening(
    num_frames: int, rng: np.random.Generator, fps: int = 25
) -> npt.NDArray[np.float64]:
    """(n,) 0 to 1: changes about six times a second."""
    knots = rng.uniform(size=num_frames * 6 // fps + 2)
    return np.interp(np.arange(num_frames) * 6 / fps, np.arange(len(knots)), knots)


def play_opening(
    opening: npt.NDArray[np.float64], num_samples: int, rng: np.random.Generator
) -> npt.NDArray[np.int16]:
    """Noise whose level follows the opening."""
    loud = np.interp(np.linspace(0, len(opening), num_samples), np.arange(len(opening)), opening)
    return np.asarray(rng.normal(size=num_samples) * 3000 * 10 ** (2 * loud - 2), np.int16)


def draw_face(opening: float, skin: int) -> npt.NDArray[np.uint8]:
    """(64, 64, 3): a dark mouth below the nose, as high as it is open."""
    picture = np.full((SIDE, SIDE, 3), skin, np.uint8)
    y, x = np.mgrid[:SIDE, :SIDE] - np.array([46, 32])[:, None, None]
    picture[(x / 13) ** 2 + (y / (1 + 11 * opening)) ** 2 < 1] = 30
    return picture


def make_mesh(num_frames: int) -> npt.NDArray[np.float32]:
    """(n, 478, 3): eyes and nose of these faces, the rest at the nose."""
    mesh = np.zeros((num_frames, NUM_LANDMARKS, 3), np.float32)
    mesh[..., :2] = NOSE
    for corner, side in zip(OUTER_EYE_CORNERS, (-0.5, 0.5), strict=True):
        mesh[:, corner, :2] = NOSE[0] + side * EYE, 10
    mesh[:, NOSE_BASE, :2] = NOSE
    return mesh


def make_talker(identity: str, number: int, seed: int, num_frames: int, fps: int) -> ClipRow:
    """A clip of one person, whose mouth is in step."""
    rng = np.random.default_rng(seed)
    opening = draw_opening(num_frames, rng, fps)
    skin = int(rng.integers(110, 220))
    faces = (draw_face(value, skin) for value in opening)
    return ClipRow(
        clip_id=f"{identity}-{number}",
        identity=identity,
        source=f"videos/{identity}{number}.mp4",
        source_sha256=f"{identity}{number}",
        start_frame=0,
        num_frames=num_frames,
        crop=CROP,
        intrinsics=INTRINSICS,
        arrays={"face/landmarks": make_mesh(num_frames)},
        pcm=play_opening(opening, count_samples(0, num_frames, fps), rng),
        frames=[simplejpeg.encode_jpeg(face, quality=95) for face in faces],
    )


def write_talkers(
    folder: Path, *, people: int = 6, clips: int = 3, num_frames: int = 100, fps: int = 25
) -> Path:
    """The dataset's folder `shards`, split by identity."""
    with DatasetWriter(
        folder, "j", options={"fps": fps}, fps=fps, frame_size=SIDE, provenance={}
    ) as writer:
        for person in range(people):
            for number in range(clips):
                row = make_talker(f"person{person}", number, person * 100 + number, num_frames, fps)
                writer.add_clip(row)
    split_dataset(folder, SplitOptions(by="identity", ratio="4-1-1"))
    return folder / "shards"
