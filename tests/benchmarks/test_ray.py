"""What Ray costs beside local workers: two actors and two workers on the same sixteen videos.

Of each engine four videos are taken in as well: the difference leaves its start out.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from toolkit.sample import SampleOptions, make_samples

pytest.importorskip("ray")

MAX_RATIO = 1.05

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
    videos = {count: tmp_path / f"videos{count}" for count in (4, 16)}
    for count, folder in videos.items():
        make_samples(folder, SampleOptions(identities=4, clips=count // 4, seconds=15))
    costs: dict[str, dict[int, tuple[float, float]]] = {"local": {}, "ray": {}}

    def run() -> None:
        for count, folder in videos.items():
            for engine, found in costs.items():
                found[count] = measure(folder, tmp_path / f"{engine}{count}", engine)

    benchmark.pedantic(run, rounds=1)
    cpu, wall = (
        [costs[engine][16][k] - costs[engine][4][k] for engine in ("local", "ray")] for k in (0, 1)
    )
    start = costs["ray"][4][0] - costs["local"][4][0]
    ratio, ratio_wall = cpu[1] / cpu[0], wall[1] / wall[0]
    benchmark.extra_info.update(costs=costs, ratio=ratio, ratio_wall=ratio_wall)
    print(
        f"\ntwelve videos of 15 s: {cpu[0]:.1f} s of CPU and {wall[0]:.1f} s by two local workers, "
        f"{cpu[1]:.1f} and {wall[1]:.1f} by two actors: ratios {ratio:.3f} and "
        f"{ratio_wall:.3f} (at most {MAX_RATIO}); four videos {start:.1f} s of CPU more"
    )
    assert max(ratio, ratio_wall) <= MAX_RATIO


def measure(videos: Path, out: Path, engine: str) -> tuple[float, float]:
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
    cpu, wall = map(float, done.stdout.splitlines()[-1].split())
    return cpu, wall
