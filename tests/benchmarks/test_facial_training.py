"""FACIAL-GAN's training at the paper's full size, against a network written frame by frame.

Times are wall times: nothing else should run. `make results` puts the rows that are printed here
on docs/results.md.
"""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from torch import nn

from tests import ROOT
from tests.benchmarks.motion import make_clips, make_task, time_steps
from zoo.data import ClipSet
from zoo.evaluation.tables import Rows, write_table
from zoo.models.facial.networks import LOCAL_FRAMES, Generator
from zoo.training.distributed import Distributed, find_device
from zoo.training.loop import Step, train

STEPS, CPU_STEPS = 200, 10
"""Of a measurement. On a CPU 200 steps of 64 windows would take most of an hour: there are fewer,
and the table says how many."""

BATCH, NUM_FRAMES = 64, 128
MIN_SHARE = 0.95
NETWORK_ROUNDS = 3
PROCESS_STEPS = 10

MEMORY_STEPS = int(os.environ.get("TTK_BENCH_STEPS", "10000"))
MEMORY_WARMUP = MEMORY_STEPS // 10
MAX_GROWTH = 0.02


@pytest.fixture(scope="module")
def device() -> torch.device:
    """A GPU where there is one."""
    return find_device("auto")


@pytest.fixture(scope="module")
def clips() -> ClipSet:
    """As many frames as the paper's dataset has."""
    return make_clips()


def report(benchmark: Any, key: str, rows: Rows) -> None:
    """Print rows, and leave them in the benchmark's report."""
    benchmark.extra_info[key] = rows
    print(f"\n{write_table(rows)}")


def describe(device: torch.device) -> str:
    """What computes."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"CPU, {torch.get_num_threads()} threads"


@pytest.mark.timeout(3600)
def test_at_least_95_percent_of_the_time_is_spent_in_the_model(
    benchmark: Any, clips: ClipSet, device: torch.device
) -> None:
    steps = STEPS if device.type == "cuda" else CPU_STEPS
    distributed, rows, shares = Distributed(device=device), [], {}
    for preset in ("paper", "small"):
        task = make_task(clips, distributed, preset=preset, batch_size=BATCH)
        run = lambda task=task: time_steps(task, steps, device)  # noqa: E731
        times = benchmark.pedantic(run, rounds=1) if preset == "paper" else run()
        shares[preset] = times.share
        rows.append(
            {
                "preset": preset,
                "on": describe(device),
                "steps": steps,
                "seconds a step": (times.loading + times.stepping) / steps,
                "windows a second": times.rate,
                "of the loader alone": times.windows / times.loading,
                "time in the model": f"{times.share:.2%}",
            }
        )
    report(benchmark, "training", rows)
    assert min(shares.values()) >= MIN_SHARE


# --- frame by frame -----------------------------------------------------------------------------


class FrameByFrame(nn.Module):
    """The same generator with G_loc called once for each frame, and FC too."""

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.whole = generator

    def forward(self, audio: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
        assert self.whole.temporal is not None
        assert self.whole.local is not None
        z = self.whole.temporal(audio[:, 8 : 8 + NUM_FRAMES], state)
        frames = []
        for t in range(NUM_FRAMES):
            c = self.whole.local(audio[:, t : t + LOCAL_FRAMES])
            frames.append(self.whole.head(torch.cat([z[:, t], c[:, 0]], dim=1)))
        return torch.stack(frames, dim=1)


def test_the_paper_preset_is_faster_than_its_network_written_frame_by_frame(
    benchmark: Any, device: torch.device
) -> None:
    torch.manual_seed(0)
    generator = Generator().to(device)
    audio = torch.randn(BATCH, NUM_FRAMES + LOCAL_FRAMES - 1, 29, device=device)
    state = torch.randn(BATCH, 71, device=device)
    frames = FrameByFrame(generator)
    generator.eval()
    with torch.inference_mode():
        torch.testing.assert_close(frames(audio, state), generator(audio, state))
    generator.train()
    slow = min(time_pass(frames, audio, state) for _ in range(NETWORK_ROUNDS))
    fast = benchmark.pedantic(
        lambda: min(time_pass(generator, audio, state) for _ in range(NETWORK_ROUNDS)), rounds=1
    )
    rows = [
        {"generator": name, "on": describe(device), "seconds, forward and backward": seconds,
         "times as fast": slow / seconds}
        for name, seconds in (("frame by frame", slow), ("paper", fast))
    ]  # fmt: skip
    report(benchmark, "networks", rows)
    assert fast < slow


def time_pass(network: nn.Module, audio: torch.Tensor, state: torch.Tensor) -> float:
    """Seconds of one forward and backward pass."""
    network.zero_grad()
    began = time.perf_counter()
    network(audio, state).square().mean().backward()
    if audio.is_cuda:
        torch.cuda.synchronize()
    return time.perf_counter() - began


# --- processes ----------------------------------------------------------------------------------


@pytest.mark.timeout(3600)
def test_two_processes_are_faster_than_one_of_a_single_thread(benchmark: Any) -> None:
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("needs two cores")
    rates = {
        "one process of one thread": run_processes(1, 1),
        "one process of two threads": run_processes(1, 2),
    }
    two = benchmark.pedantic(lambda: run_processes(2, 1), rounds=1)
    rates["two processes of one thread"] = two
    one = rates["one process of one thread"]
    rows = [
        {"on a CPU": name, "windows a second": rate, "over one process of one thread": rate / one}
        for name, rate in rates.items()
    ]
    report(benchmark, "processes", rows)
    assert two > one


def run_processes(number: int, threads: int) -> float:
    """Windows a second of the preset `small`, 64 windows over all processes."""
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(number)]
    command += ["-m", "tests.benchmarks.processes", "small", str(BATCH), str(PROCESS_STEPS)]
    done = subprocess.run(
        command,
        env=os.environ | {"OMP_NUM_THREADS": str(threads)},
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return float(done.stdout.split("rate ")[1])


# --- memory -------------------------------------------------------------------------------------


@pytest.mark.timeout(3600)
def test_memory_is_flat_over_10_000_steps(benchmark: Any, tmp_path: Path) -> None:
    """The whole loop with its logs and checkpoints; two windows a step, so that it ends soon."""
    task = make_task(make_clips(10, 400), Distributed(), preset="small", batch_size=2, device="cpu")
    memory: dict[int, float] = {}
    done = 0

    def watch(step: Step) -> None:
        nonlocal done
        done += not step.validation
        if done in (MEMORY_WARMUP, MEMORY_STEPS // 2, MEMORY_STEPS) and not step.validation:
            memory[done] = psutil.Process().memory_info().rss / 2**20

    epochs = -(-MEMORY_STEPS // task.count_steps(0))
    benchmark.pedantic(lambda: train(task, tmp_path, epochs=epochs, on_step=watch), rounds=1)
    rows = [{"after steps": steps, "resident memory, MiB": used} for steps, used in memory.items()]
    report(benchmark, "memory", rows)
    assert memory[MEMORY_STEPS] <= (1 + MAX_GROWTH) * memory[MEMORY_WARMUP]
