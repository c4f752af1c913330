"""Training batches of audio and motion at the size of FACIAL's dataset: the loader alone."""

import time
from collections.abc import Iterator

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from tests.benchmarks.motion import make_clips
from zoo.data import MotionBatches, MotionWindows, Normalisation

BATCH, STEPS = 64, 200


@pytest.fixture(scope="module")
def windows() -> MotionWindows:
    """All windows of 128 frames every 5, from clips of noise."""
    clips = make_clips()
    return MotionWindows(clips, Normalisation.fit(clips))


def draw(windows: MotionWindows) -> Iterator[int]:
    """Windows of each of the first 200 batches of an epoch."""
    batches = MotionBatches(windows, batch_size=BATCH, seed=0)
    for _, batch in zip(range(STEPS), batches.load(), strict=False):
        yield len(batch)


@pytest.mark.benchmark(timer=time.process_time)
def test_motion_windows_per_second(benchmark: BenchmarkFixture, windows: MotionWindows) -> None:
    """200 shuffled batches of 64, in the training process itself, the order included; CPU time."""
    total = benchmark.pedantic(lambda: sum(draw(windows)), rounds=3, warmup_rounds=1)
    assert total == BATCH * STEPS
    if benchmark.stats is not None:
        rate = total / benchmark.stats["median"]
        print(f"\nmotion windows: {rate:,.0f} a second of CPU, of {len(windows):,}")
        assert rate > 5_000
