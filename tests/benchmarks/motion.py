"""Clips of noise at the size of FACIAL's dataset, and training steps on them, for benchmarks."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from toolkit.features.deepspeech import DeepSpeech
from zoo.data import ClipSet, MotionClip, describe_backend
from zoo.models.facial.options import FacialRecipe
from zoo.models.facial.recipe import FacialTask
from zoo.training.distributed import Distributed
from zoo.training.loop import Task

NUM_CLIPS, NUM_FRAMES = 450, 1190
"""535,500 frames, as the paper's 450 clips have (535,400)."""


def make_clips(num_clips: int = NUM_CLIPS, num_frames: int = NUM_FRAMES) -> ClipSet:
    """Noise for audio and motion of five identities, as if the toolkit's own had made it."""
    rng = np.random.default_rng(0)
    clips = tuple(
        MotionClip(
            id=f"{k:04d}",
            identity=str(k % 5),
            source=str(k),
            start_frame=0,
            fps=30,
            audio=rng.random((num_frames, 29), np.float32),
            motion=rng.random((num_frames, 71), np.float32),
            valid=np.ones(num_frames, bool),
        )
        for k in range(num_clips)
    )
    backends = {"deepspeech": describe_backend(DeepSpeech().provenance())}
    return ClipSet(clips=clips, fps=30, scale="log_prob", backends=backends)


def make_task(clips: ClipSet, distributed: Distributed, **changes: Any) -> FacialTask:
    """FACIAL-GAN under training on these clips, the paper's recipe but for `changes`."""
    recipe = FacialRecipe(shards=Path("shards"), **changes)
    few = ClipSet(clips=clips.clips[:1], fps=clips.fps, scale=clips.scale, backends=clips.backends)
    return FacialTask(recipe, clips, few, distributed=distributed)


@dataclass
class StepTimes:
    """Seconds that steps have taken.

    Attributes:
        windows: looked at, over all processes.
        loading: waiting for batches.
        stepping: in the model, its losses and optimisers.
    """

    windows: int = 0
    loading: float = 0.0
    stepping: float = 0.0

    @property
    def rate(self) -> float:
        """Windows a second, loading included."""
        return self.windows / (self.loading + self.stepping)

    @property
    def share(self) -> float:
        """Of the time, in the model."""
        return self.stepping / (self.loading + self.stepping)


def time_steps(task: Task, steps: int, device: torch.device, warmup: int = 2) -> StepTimes:
    """Train some steps after a few that do not count; the device has finished each."""
    times = StepTimes()
    for number, (loading, batch) in enumerate(_load(task, warmup + steps)):
        began = time.perf_counter()
        items = task.step(batch)["items"]
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        if number >= warmup:
            times.windows += int(items)
            times.loading += loading
            times.stepping += time.perf_counter() - began
    return times


def _load(task: Task, steps: int) -> Iterator[tuple[float, Any]]:
    """Seconds that a batch took, and the batch."""
    batches = task.draw_batches(0, 0)
    for _ in range(steps):
        began = time.perf_counter()
        batch = next(batches)
        yield time.perf_counter() - began, batch
