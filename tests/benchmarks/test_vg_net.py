"""Frames of 128 × 128 px that VG-net draws on one core, by CPU time."""

import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tests.benchmarks.test_facial_training import report
from tests.zoo.models.t_gan.people import place_points
from zoo.landmarks.aligned import average_aligned
from zoo.models.vg_net.framing import MARGIN
from zoo.models.vg_net.model import open_vg_net
from zoo.models.vg_net.networks import create_vg_net
from zoo.training.checkpoint import save_checkpoint

NUM_FRAMES, ROUNDS = 64, 3


def save_random(path: Path, preset: str) -> Path:
    """A checkpoint of random weights."""
    content = {
        "preset": preset,
        "ablate": "",
        "generator": create_vg_net(preset).state_dict(),
        "mean_face": torch.from_numpy(average_aligned([place_points(0.3)[None]])),
        "margin": MARGIN,
        "landmarks": "drawn",
        "trained_on": [],
    }
    save_checkpoint(path, {"kind": "vg-net", "recipe": {}, "model": content})
    return path


def test_small_draws_well_faster_than_real_time(benchmark: Any, tmp_path: Path) -> None:
    """40 a second leave time for the sound, the landmarks and the film at 25."""
    rows = list[dict[str, Any]]()

    def measure() -> None:
        rows.append(time_drawing(save_random(tmp_path / "small.pt", "small"), NUM_FRAMES))
        rows.append(time_drawing(save_random(tmp_path / "paper.pt", "paper"), 8))

    benchmark.pedantic(measure, rounds=1)
    report(benchmark, "VG-net", rows)
    assert rows[0]["frames a second of one core"] > 40


def time_drawing(path: Path, num_frames: int) -> dict[str, Any]:
    """A row: the middle one of some rounds."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        model = open_vg_net(path)
        points = np.stack([place_points(k % 5 / 5) for k in range(num_frames)])
        picture = np.full((128, 128, 3), 120, np.uint8)
        times = list[float]()
        for _ in range(1 + ROUNDS):
            began = time.process_time()
            assert sum(1 for _ in model.draw(picture, points[0], points)) == num_frames
            times.append(time.process_time() - began)
    finally:
        torch.set_num_threads(threads)
    middle = float(np.median(times[1:]))
    return {"preset": path.stem, "frames a second of one core": num_frames / middle}
