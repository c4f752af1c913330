"""Random training windows from the page cache: target 50,000 a second per core."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from toolkit.clock import count_samples
from toolkit.dataset.shard import ShardReader, ShardWriter
from toolkit.dataset.windows import WindowReader

NUM_CLIPS, NUM_FRAMES, CLIPS_PER_SHARD = 10_000, 150, 120
NAMES = {"audio/deepspeech": 29, "face/expression": 64, "face/pose": 6, "face/au45": 0}
BATCH = 256


def write_shard(path: Path, num_clips: int, generator: np.random.Generator) -> None:
    """A numeric shard of the four arrays, about ten minutes long."""
    with ShardWriter(
        path, fps=30, frame_size=0, provenance={}, options={}, spool=path.parent / "spool"
    ) as writer:
        for clip in range(num_clips):
            start = clip * NUM_FRAMES
            writer.add_clip(
                clip_id=str(clip),
                identity="a",
                source="a.mp4",
                start_frame=start,
                num_frames=NUM_FRAMES,
                crop=(0, 0, 1, 1),
                intrinsics=(1, 1, 0, 0),
                arrays={
                    name: generator.random((NUM_FRAMES, width)[: 1 + bool(width)], np.float32)
                    for name, width in NAMES.items()
                },
                pcm=np.zeros(count_samples(start, NUM_FRAMES, 30), np.int16),
            )
        writer.finish()


@pytest.fixture(scope="module")
def windows(tmp_path_factory: pytest.TempPathFactory) -> WindowReader:
    """10,000 clips of 150 frames in shards of ten minutes, read once so that they are cached."""
    folder = tmp_path_factory.mktemp("shards")
    generator = np.random.default_rng(0)
    for number, first in enumerate(range(0, NUM_CLIPS, CLIPS_PER_SHARD)):
        num_clips = min(CLIPS_PER_SHARD, NUM_CLIPS - first)
        write_shard(folder / f"{number:03}.h5", num_clips, generator)
    readers = [ShardReader(path) for path in sorted(folder.glob("*.h5"))]
    for reader in readers:
        for name in NAMES:
            reader.column(name).sum()
    return WindowReader(readers, list(NAMES), 128)


@pytest.fixture
def one_core() -> Iterator[None]:
    """This process on a single core for the time of a test, where the system can do that."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    yield
    os.sched_setaffinity(0, cores)


@pytest.mark.usefixtures("one_core")
def test_random_windows_per_second_and_core(
    benchmark: BenchmarkFixture, windows: WindowReader
) -> None:
    """All four arrays of 256 windows of 128 frames, copied into a batch."""
    generator = np.random.default_rng(1)
    batch = windows.sample(generator, BATCH)
    benchmark(windows.sample, generator, BATCH, batch)
    if benchmark.stats is not None:
        rate = BATCH / benchmark.stats["median"]
        print(f"\nrandom windows: {rate:,.0f} a second on one core (target 50,000)")
    assert batch["audio/deepspeech"].shape == (BATCH, 128, 29)
