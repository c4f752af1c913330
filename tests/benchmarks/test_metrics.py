"""Frames a second of one core in all metrics without weights, by CPU time; mesh and decoding apart.

Beside it scikit-image's `structural_similarity` alone, in the same run.
"""

import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import pytest

from tests.benchmarks.test_facial_training import report
from zoo.metrics.known_pair import NUM_FRAMES, make_known_pair
from zoo.metrics.pictures import Picture
from zoo.metrics.table import METRICS, Metric

SIDES = (256, 384)
ROUNDS = 5
MIN_RATE = 60


def test_frames_measured_per_second(benchmark: Any) -> None:
    """At least 60 of pictures of 384 px, and less time than scikit-image's SSIM takes alone."""
    rows = list[dict[str, Any]]()
    benchmark.pedantic(lambda: rows.extend(map(time_metrics, SIDES)), rounds=1)
    report(benchmark, "metrics", rows)
    for row in rows:
        assert row["frames a second of one core"] >= MIN_RATE
        assert row["over scikit-image's SSIM alone"] < 1


def time_metrics(side: int) -> dict[str, Any]:
    """A row: ms a frame of all metrics together, and of those that take most."""
    skimage = pytest.importorskip("skimage.metrics")
    frames, real_frames = draw_pair(side)
    arrays = make_known_pair() | {"frames": frames, "real_frames": real_frames}
    times = {name: time_metric(metric, arrays) for name, metric in METRICS.items()}
    floor = time_call(lambda: skimage.structural_similarity(frames, real_frames, channel_axis=2))
    total = sum(times.values())
    most = sorted(times, key=lambda name: -times[name])[:4]
    return {
        "px": side,
        "frames a second of one core": 1000 / total,
        "all, ms": total,
        **{f"{name}, ms": times[name] for name in most},
        "scikit-image's SSIM, ms": floor,
        "over scikit-image's SSIM alone": total / floor,
    }


def time_metric(metric: Metric, arrays: dict[str, Any]) -> float:
    """Milliseconds a frame."""
    num_frames = 1 if metric.per == "picture" else NUM_FRAMES
    return time_call(lambda: metric.measure(arrays)) / num_frames


def time_call(work: Callable[[], object]) -> float:
    """Milliseconds: the middle one of some rounds; the first one compiles."""
    threads, times = cv2.getNumThreads(), []
    cv2.setNumThreads(1)
    try:
        for _ in range(1 + ROUNDS):
            began = time.process_time()
            work()
            times.append(time.process_time() - began)
    finally:
        cv2.setNumThreads(threads)
    return 1000 * float(np.median(times[1:]))


def draw_pair(side: int) -> tuple[Picture, Picture]:
    """A picture as rich in edges as a face's, and the same less sharp and with noise."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (side // 16, side // 16, 3), np.uint8)
    real = cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)
    pred = cv2.GaussianBlur(real, (0, 0), 1.0) + rng.normal(0, 2, real.shape)
    return np.clip(pred, 0, 255).astype(np.uint8), np.asarray(real, np.uint8)
