"""What Ray costs beside local workers: two actors and two workers on the same sixteen videos.

In turn, and each engine before the other once, for what else the machine does changes with time.
Two videos of a second are taken in as well by each: their cost, the start, is taken off.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from toolkit.sample import SampleOptions, make_samples

pytest.importorskip("ray")

MAX_RATIO = 1.05

ORDER = ("local", "ray", "ray", "local")

NOTHING = np.zeros(2)
"""CPU seconds and seconds."""

_RUN = """
import ctypes, subprocess, sys, time

import psutil

ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # a subreaper: orphans, as Ray's are, become its children
began, wall, spent = time.perf_counter(), 0.0, {}
command = subprocess.Popen(sys.argv[1:])
while others := psutil.Process().children(recursive=True):
    for other in others:  # looked at, for the CPU time of what Ray has ended reaches no parent
        try:
            times = other.cpu_times()
            spent[other.pid, other.create_time()] = times.user + times.system
        except psutil.NoSuchProcess:
            pass
    if command.poll() is None:
        wall = time.perf_counter() - began
    elif all(other.status() == psutil.STATUS_ZOMBIE for other in others if other.is_running()):
        break
    time.sleep(0.1)
print(sum(spent.values()), wall)
"""


def test_ray_costs_at_most_5_percent_more_than_local_workers(
    benchmark: Any, tmp_path: Path
) -> None:
    long, short = tmp_path / "long", tmp_path / "short"
    make_samples(long, SampleOptions(identities=4, clips=4, seconds=30))
    make_samples(short, SampleOptions(identities=2, clips=1, seconds=2))
    started, taken_in = (dict.fromkeys(("local", "ray"), NOTHING) for _ in range(2))

    def run() -> None:
        for number, engine in enumerate(ORDER):
            for folder, costs in ((short, started), (long, taken_in)):
                out = tmp_path / f"{folder.name}-{number}"
                found = measure(folder, out, engine)
                print(f"\n{engine}, {folder.name}: {found[0]:.1f} s of CPU, {found[1]:.1f} s")
                costs[engine] = costs[engine] + found

    benchmark.pedantic(run, rounds=1)
    rounds = len(ORDER) // 2
    local, ray = ((taken_in[engine] - started[engine]) / rounds for engine in ("local", "ray"))
    start = (started["ray"] - started["local"]) / rounds
    benchmark.extra_info.update(local=local.tolist(), ray=ray.tolist(), start=start.tolist())
    ratio, ratio_wall = ray / local
    print(
        f"sixteen videos of 30 s behind the start: {local[0]:.1f} s of CPU and {local[1]:.1f} s by "
        f"two local workers, {ray[0]:.1f} and {ray[1]:.1f} by two actors: ratios {ratio:.3f} and "
        f"{ratio_wall:.3f} (at most {MAX_RATIO}); to start, {start[0]:.1f} s of CPU and "
        f"{start[1]:.1f} s more"
    )
    assert max(ratio, ratio_wall) <= MAX_RATIO


def measure(videos: Path, out: Path, engine: str) -> npt.NDArray[np.float64]:
    """CPU seconds of a command and of all that it starts, and seconds that it takes."""
    done = subprocess.run(
        [
            sys.executable, "-c", _RUN, Path(sys.executable).with_name("ttk"), "ingest", videos,
            "--out", out, "--engine", engine, "--workers", "2", "--shard-minutes", "0.25",
        ],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )  # fmt: skip
    return np.array(done.stdout.splitlines()[-1].split(), np.float64)
