"""One small dataset that all exports are made of."""

from pathlib import Path

import numpy as np
import pytest

from tests.datasets import FakeClip, write_dataset
from toolkit.dataset.manifest import write_split

SIDE = 64
"""Of the stored frames, px."""


def make_pose(num_frames: int, seed: int) -> np.ndarray:
    """(n, 6) float32 of heads before the camera."""
    spread, middle = np.array([0.2, 0.3, 0.1, 40, 30, 50]), np.array([0, 0, 0, 0, 0, 700])
    values = np.random.default_rng(seed).normal(size=(num_frames, 6))
    return (values * spread + middle).astype(np.float32)


def make_clips() -> list[FakeClip]:
    """Two clips of one source, one of a source whose name is full of dots."""
    places = (
        ("ann", "videos/ann.mp4", 12),
        ("ann", "videos/ann.mp4", 20),
        ("bob", "b.o.b.mp4", 15),
    )
    clips = []
    for number, (identity, source, num_frames) in enumerate(places):
        arrays = {
            "face/pose": make_pose(num_frames, number),
            "face/model_pose": make_pose(num_frames, 9 + number),
            "face/au45": np.linspace(0, 5, num_frames, dtype=np.float32),
            "face/valid": np.arange(num_frames) != 3,
        }
        clips.append(
            FakeClip(
                identity=identity,
                source=source,
                start_frame=100 * number,
                num_frames=num_frames,
                arrays=arrays,
            )
        )
    return clips


@pytest.fixture(scope="package")
def clips() -> list[FakeClip]:
    return make_clips()


@pytest.fixture(scope="package")
def dataset(tmp_path_factory: pytest.TempPathFactory, clips: list[FakeClip]) -> Path:
    """Two shards, with frames; ann is in train, bob in test."""
    folder = tmp_path_factory.mktemp("export") / "set"
    write_dataset(folder, {"j": clips[:2], "k": clips[2:]}, frame_size=SIDE)
    parts = {"ann": "train", "bob": "test"}
    write_split(
        folder,
        [
            {
                "clip_id": c.id,
                "split": parts[c.identity],
                "by": "source",
                "ratio": "1-0-1",
                "seed": 0,
            }
            for c in clips
        ],
    )
    return folder
