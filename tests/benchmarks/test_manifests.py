"""Commands that need the manifest alone, on made-up datasets of many clips."""

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.manifests import CLIPS_OF_JOB, write_manifest
from toolkit.dataset.manifest import FOLDER, compact_tables, read_table

CLIPS = [int(n) for n in os.environ.get("TTK_BENCH_CLIPS", "20000,100000").split(",")]
"""Sizes to measure; TTK_BENCH_CLIPS=1000000 takes ten minutes to half an hour and 2 GB of disk."""

COMMANDS = ("split --reassign", "stats", "validate --manifest-only")
MAX_BYTES = 2e9


@pytest.mark.timeout(3600)
def test_time_grows_no_faster_than_the_clips_and_memory_is_bounded(
    benchmark: Any, tmp_path: Path
) -> None:
    """From the command line, start-up included, once ingest has left its copy of the tables."""
    took: dict[str, list[float]] = {command: [] for command in COMMANDS}

    def run() -> None:
        for number in CLIPS:
            dataset = tmp_path / str(number)
            make = [
                "-m",
                "tests.benchmarks.manifests",
                str(dataset),
                str(-(-number // CLIPS_OF_JOB)),
            ]
            subprocess.run([sys.executable, *make], check=True)
            for command in COMMANDS:
                seconds, wall, peak = measure([*command.split(), "--data", str(dataset)])
                took[command].append(seconds)
                figures = f"{seconds:.1f} s of CPU, {wall:.1f} s, {peak / 1e9:.2f} GB"
                print(f"\n{number} clips, ttk {command}: {figures}", flush=True)
                assert peak < MAX_BYTES

    benchmark.pedantic(run, rounds=1)
    benchmark.extra_info["seconds"] = took
    if len(CLIPS) > 1:
        for times in took.values():
            assert times[-1] / times[0] < CLIPS[-1] / CLIPS[0]


def measure(arguments: list[str]) -> tuple[float, float, float]:
    """CPU and wall seconds of a command, and its largest resident memory (bytes).

    Linux counts the memory of the process that starts it as well: this one must stay small.
    """
    start = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-c", "from toolkit.cli import main; main()", *arguments],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, arguments
    return usage.ru_utime + usage.ru_stime, time.monotonic() - start, usage.ru_maxrss * 1024


def test_the_copy_is_read_in_a_fraction_of_the_time_of_its_parts(
    benchmark: Any, tmp_path: Path
) -> None:
    """Clips of 120 jobs, read in turns."""
    write_manifest(tmp_path, 120)
    folder, aside = tmp_path / FOLDER / "compacted", tmp_path / "aside"
    compact_tables(tmp_path)
    times: dict[bool, list[float]] = {True: [], False: []}

    def run() -> None:
        for with_copy in (True, False):
            if not with_copy:
                folder.rename(aside)
            start = time.process_time()
            assert len(read_table(tmp_path, "clips")) == 120 * CLIPS_OF_JOB
            times[with_copy].append(time.process_time() - start)
        aside.rename(folder)

    benchmark.pedantic(run, rounds=5)
    ratio = min(times[True]) / min(times[False])
    benchmark.extra_info["ratio"] = ratio
    print(f"\nread from the copy in {ratio:.2f} of the time", flush=True)
    assert ratio < 0.3
