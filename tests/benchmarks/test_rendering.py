"""Frames of 256 × 256 px that one core draws, by CPU time, which other work hardly changes."""

import time

import numpy as np
import pytest
import torch
from pytest_benchmark.fixture import BenchmarkFixture

from tests.surfaces import FRONT, make_large_model
from toolkit.facemodel.model import FaceModel, load_default
from zoo.rendering import CropCamera, FaceRenderer
from zoo.rendering.surface import Surface

CAMERA = CropCamera(intrinsics=(500.0, 500.0, 128.0, 128.0), size=256)


def make_renderer(model: FaceModel) -> FaceRenderer:
    """A drawn person in a crop like ingest's."""
    rng = np.random.default_rng(0)
    surface = Surface.of_model(
        model,
        identity=rng.normal(0, 1, 80),
        texture=rng.normal(0, 1, 80),
        illumination=rng.normal(0, 0.1, 27),
    )
    return FaceRenderer(surface, CAMERA)


@pytest.mark.parametrize(("size", "num_frames", "least"), [("embedded", 300, 500), ("bfm", 16, 50)])
@pytest.mark.benchmark(timer=time.process_time)
def test_rendered_frames_per_second(
    benchmark: BenchmarkFixture, size: str, num_frames: int, least: float
) -> None:
    """Half of what two cores are to reach: 1,000 for 468 vertices, 100 for 35,709."""
    renderer = make_renderer(load_default() if size == "embedded" else make_large_model())
    rng = np.random.default_rng(1)
    expression = rng.normal(0, 1, (num_frames, 64))
    pose = rng.normal(0, 1, (num_frames, 6)) * [0.1, 0.2, 0.1, 20, 10, 20] + FRONT
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        pictures = benchmark.pedantic(
            renderer.render, args=(expression, pose), rounds=3, warmup_rounds=1
        )
    finally:
        torch.set_num_threads(threads)
    assert len(pictures) == num_frames
    if benchmark.stats is not None:
        rate = num_frames / benchmark.stats["median"]
        share = (pictures[..., :3].sum(-1) > 0).float().mean()
        print(f"\nrendered, {size}: {rate:,.0f} frames a second of CPU, face on {share:.0%}")
        assert rate > least
