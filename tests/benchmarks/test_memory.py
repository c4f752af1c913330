"""Memory of a worker against the length of a video: it must stay flat."""

import contextlib
import os
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from toolkit.ingest import ingest
from toolkit.media.ffmpeg_process import find_ffmpeg
from toolkit.sample import SampleOptions, make_samples

MINUTES = [int(m) for m in os.environ.get("TTK_BENCH_MINUTES", "1,10").split(",")]
"""Lengths to measure; TTK_BENCH_MINUTES=1,10,60 takes a quarter of an hour more."""

MAX_BYTES = 1.5e9


@pytest.mark.timeout(3600)
def test_memory_of_a_worker_is_flat_in_the_length_of_the_video(
    benchmark: Any, tmp_path: Path
) -> None:
    make_samples(tmp_path / "one", SampleOptions(identities=1, clips=1, seconds=60, size=512))
    minute = next((tmp_path / "one").rglob("*.mp4"))
    peaks: dict[int, float] = {}

    def run() -> None:
        for minutes in MINUTES:
            video = loop_video(minute, tmp_path / f"{minutes}.mp4", minutes)
            peaks[minutes] = measure_peak(video, tmp_path / f"data{minutes}")
            print(f"\n{minutes} min: peak {peaks[minutes] / 1e6:.0f} MB", flush=True)

    benchmark.pedantic(run, rounds=1)
    benchmark.extra_info["peaks"] = peaks
    assert max(peaks.values()) < MAX_BYTES
    assert max(peaks.values()) < 1.15 * peaks[MINUTES[0]]


def loop_video(minute: Path, target: Path, minutes: int) -> Path:
    """The same minute over and over, streams copied."""
    command = [find_ffmpeg(), "-nostdin", "-loglevel", "error", "-stream_loop", str(minutes - 1)]
    command += ["-i", str(minute), "-c", "copy", str(target)]
    subprocess.run(command, check=True)
    return target


def measure_peak(video: Path, out: Path) -> float:
    """Largest resident memory (bytes) of the worker and its ffmpeg together."""
    peak, stop = 0.0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not stop.is_set():
            with contextlib.suppress(psutil.NoSuchProcess):
                peak = max(peak, sum(map(_read_memory, _list_processes())))
            time.sleep(0.05)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        ingest([video], out=out, workers=1)
    finally:
        stop.set()
        thread.join()
    return peak


def _list_processes() -> list[psutil.Process]:
    """The workers, and what they run once it is ffmpeg: a fork about to be is the worker again."""
    workers = psutil.Process().children()
    return workers + [c for w in workers for c in w.children() if c.name().startswith("ffmpeg")]


def _read_memory(process: psutil.Process) -> float:
    try:
        return float(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0.0
