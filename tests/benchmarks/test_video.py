"""Training of a renderer, and from speech to a written video: frames a second, part by part.

Times are wall times: nothing else should run. `make results` puts the rows that are printed here
on docs/results.md. The networks have random weights: how long they take is the same.
"""

import collections
import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.benchmarks.motion import time_steps
from tests.benchmarks.test_facial_training import describe, report
from tests.numbered import make_tone, write_wav
from toolkit.ingest import ingest
from toolkit.ingest.options import IngestOptions
from toolkit.media.encode import write_video
from toolkit.sample import SampleOptions, make_samples
from zoo.data import load_clips
from zoo.data.frames import RenderClip, load_render_clips
from zoo.models.facial.options import FacialRecipe
from zoo.models.facial.recipe import FacialTask
from zoo.models.renderer.model import TrainedRenderer, open_renderer
from zoo.models.renderer.options import RendererRecipe
from zoo.models.renderer.recipe import RendererTask, choose_clips, open_judge
from zoo.speaking.options import SynthesisSettings
from zoo.speaking.synthesize import synthesize
from zoo.training.checkpoint import save_checkpoint
from zoo.training.distributed import Distributed, find_device
from zoo.training.loop import Task

SECONDS = 10
"""Of the generated video; so many frames are learnt from, rendered, drawn and encoded."""

STEPS = {"cpu": 40, "cuda": 200}
"""Of training, timed."""

HOLDOUT = 0.2
MAX_WAITING = 5.0
"""Per cent of the time that a training may wait for data."""

MIN_RATE = 20
"""Frames a second in all, on two cores, that are asked for."""

PRECISIONS = ("fp32", "bf16")


@pytest.fixture(scope="module")
def device() -> torch.device:
    """A GPU where there is one."""
    return find_device("auto")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One generated person, as ingest stores them: frames of 256 px."""
    folder = tmp_path_factory.mktemp("video")
    make_samples(folder / "videos", SampleOptions(identities=1, clips=1, seconds=SECONDS))
    ingest(folder / "videos", IngestOptions(identity="stem"), out=folder / "data", workers=1)
    return folder / "data"


def find_clip(dataset: Path) -> RenderClip:
    """The only one."""
    (clip,) = load_render_clips(dataset, identity=load_clips(dataset, split=None).identities[0])
    return clip


@contextlib.contextmanager
def use_threads(number: int) -> Iterator[None]:
    """So many threads of torch and of the rasteriser."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def list_threads(device: torch.device) -> list[int]:
    """One and two, where there are cores for it; a GPU is fed by one."""
    return (
        [1] if device.type == "cuda" else list(range(1, min(2, len(os.sched_getaffinity(0))) + 1))
    )


def list_presets(device: torch.device) -> tuple[str, ...]:
    """The paper's network is for GPUs."""
    return ("small", "paper") if device.type == "cuda" else ("small",)


# --- training -----------------------------------------------------------------------------------


def make_task(dataset: Path, device: torch.device, **changes: Any) -> RendererTask:
    """A renderer under training."""
    recipe = RendererRecipe(
        shards=dataset / "shards",
        identity=find_clip(dataset).identity,
        holdout=HOLDOUT,
        device=str(device),
        **changes,
    )
    distributed = Distributed(device=device)
    return RendererTask(
        recipe, *choose_clips(recipe), judge=open_judge(recipe), distributed=distributed
    )


@pytest.mark.timeout(3600)
def test_little_of_the_training_time_is_spent_waiting_for_data(
    benchmark: Any, dataset: Path, device: torch.device
) -> None:
    steps, rows = STEPS[device.type], []

    def measure() -> None:
        for preset in list_presets(device):
            for precision in PRECISIONS:
                for threads in list_threads(device):
                    with use_threads(threads):
                        rows.append(time_training(dataset, device, steps, preset, precision))

    benchmark.pedantic(measure, rounds=1)
    report(benchmark, "renderer training", rows)
    assert max(row["waiting for data, %"] for row in rows) <= MAX_WAITING


def time_training(
    dataset: Path, device: torch.device, steps: int, preset: str, precision: str
) -> dict[str, Any]:
    """A row: steps of one frame."""
    task: Task = make_task(dataset, device, preset=preset, precision=precision)
    times = time_steps(task, steps, device)
    return {
        "preset": preset,
        "precision": precision,
        "on": describe(device),
        "steps": steps,
        "steps a second": times.rate,
        "seconds a step": 1 / times.rate,
        "waiting for data, %": 100 * (1 - times.share),
    }


# --- from speech to video -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def models(dataset: Path, device: torch.device) -> dict[str, Path]:
    """Preset -> checkpoint of a renderer; `motion` -> of a motion model. Nothing is trained."""
    clips = load_clips(dataset, split=None)
    motion = FacialTask(
        FacialRecipe(shards=dataset, preset="small"), clips, clips, distributed=Distributed()
    )
    tasks = {preset: make_task(dataset, device, preset=preset) for preset in list_presets(device)}
    paths = {}
    for name, task in (tasks | {"motion": motion}).items():
        paths[name] = dataset.parent / f"{name}.pt"
        content = {"kind": task.kind, "recipe": task.recipe(), "model": task.export()}
        save_checkpoint(paths[name], content)
    return paths


@pytest.mark.timeout(3600)
def test_videos_are_made_as_fast_as_was_asked(
    benchmark: Any, dataset: Path, models: dict[str, Path], device: torch.device
) -> None:
    """On a CPU 20 frames a second in all, on a GPU as many as are played in one."""
    rows = list[dict[str, Any]]()

    def measure() -> None:
        for preset in list_presets(device):
            renderer = open_renderer(models[preset], device)
            for threads in list_threads(device):
                with use_threads(threads):
                    row = {"preset": preset, "on": describe(device)}
                    rows.append(row | time_parts(dataset, models, renderer))

    benchmark.pedantic(measure, rounds=1)
    report(benchmark, "video", rows)
    least = find_clip(dataset).fps if device.type == "cuda" else MIN_RATE
    for preset in list_presets(device):
        assert max(row["in all"] for row in rows if row["preset"] == preset) >= least


def time_parts(
    dataset: Path, models: dict[str, Path], renderer: TrainedRenderer
) -> dict[str, float]:
    """Frames a second of each part alone, and of `zoo synthesize` with nothing around the head.

    Drawing renders, too.
    """
    clip, device, out = find_clip(dataset), renderer.device, dataset.parent / "out.mp4"
    motion: dict[str, Any] = {
        "expression": clip.expression, "pose": clip.model_pose, "au45": clip.au45
    }  # fmt: skip
    pictures = [clip.read_frame(t) for t in range(clip.num_frames)]
    audio = write_wav(dataset.parent / "speech.wav", make_tone(SECONDS, 16_000), 16_000)
    settings = SynthesisSettings(
        audio=audio,
        identity=clip.identity,
        shards=dataset / "shards",
        motion_model=models["motion"],
        renderer=renderer.path,
        background="crop",
        device=str(device),
    )

    def exhaust(frames: Iterator[object]) -> None:
        collections.deque(frames, maxlen=0)

    num = clip.num_frames
    parts: dict[str, tuple[int, Callable[[], object]]] = {
        "rendering": (num, lambda: exhaust(renderer.rendered(clip.camera, **motion))),
        "drawing": (num, lambda: exhaust(renderer.draw(clip.camera, **motion))),
        "encoding": (len(pictures), lambda: write_video(out, pictures, fps=clip.fps)),
        "in all": (SECONDS * clip.fps, lambda: synthesize(settings, out)),
    }
    with torch.inference_mode():
        return {name: count / time_best(work, device) for name, (count, work) in parts.items()}


def time_best(work: Callable[[], object], device: torch.device) -> float:
    """Seconds of the better of two runs: the first one may have to prepare."""
    times = []
    for _ in range(2):
        began = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(time.perf_counter() - began)
    return min(times)
