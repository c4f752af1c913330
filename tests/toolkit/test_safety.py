"""Ingest is killed, starved, refused; then the same command gives the undisturbed result."""

import contextlib
import gc
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.media import run_ffmpeg, vary
from tests.runs import (
    FLAGS,
    QUICK_FLAGS,
    error_lines,
    kill_group,
    read_dataset,
    read_rows,
    run_fresh,
    run_ttk,
    start_ttk,
    unwritable,
)
from toolkit import storage
from toolkit.dataset.validate import validate_dataset
from toolkit.errors import StorageError
from toolkit.ingest import ingest
from toolkit.ingest.options import IngestOptions

TINY = IngestOptions(
    min_frames=27, shard_minutes=0.01, frame_size=64, pose="none", au45="none", deepspeech="none",
    coefficients="none",
)  # fmt: skip
NONE = tuple(f"--{name}=none" for name in ("pose", "au45", "deepspeech", "coefficients"))
LIGHT = ("--min-frames", "27", "--shard-minutes", "0.01", "--frame-size", "0", *NONE)


@pytest.fixture(autouse=True)
def _tidy(dataset: Path) -> Iterator[None]:
    yield
    shutil.rmtree(dataset, ignore_errors=True)


@pytest.fixture
def three(tmp_path: Path, videos: Path) -> Path:
    """A folder with one good video under three names and contents."""
    content = (videos / "person00" / "clip00.mp4").read_bytes()
    folder = tmp_path / "three"
    folder.mkdir()
    for number, name in enumerate(("a.mp4", "b.mp4", "c.mp4")):
        (folder / name).write_bytes(vary(content, number))
    return folder


def wait_for(happened: Callable[[], object], process: "subprocess.Popen[str]") -> None:
    """Wait until something is so, or the process has ended."""
    while not happened() and process.poll() is None:
        time.sleep(0.005)


def has(dataset: Path, pattern: str, count: int = 1) -> Callable[[], bool]:
    return lambda: len(list(dataset.glob(pattern))) >= count


def freeze_at(
    happened: Callable[["subprocess.Popen[str]"], object], dataset: Path, *words: object
) -> "subprocess.Popen[str]":
    """`ttk` and all that it started, stopped once something is so and with a job still to do.

    A busy machine may let this process look too late: then the dataset is made anew.
    """
    while True:
        process = start_ttk(*words)
        wait_for(lambda process=process: happened(process), process)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGSTOP)
            if not _is_done(dataset):
                return process
            kill_group(process)
        else:
            _, text = process.communicate()
            assert process.returncode == 0, text
        shutil.rmtree(dataset)


def _is_done(dataset: Path) -> bool:
    jobs, done = (list(dataset.glob(f"manifests/{n}")) for n in ("jobs/*.json", "sources/*"))
    return 0 < len(jobs) <= len(done)


# --- kill -9 of the whole group -----------------------------------------------------------------

MOMENTS = {
    "recording": ("manifests/jobs/*.json", 1),
    "working": ("shards/.tmp-*/mesh.f32", 2),
    "published": ("shards/*.h5", 2),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_after_kill_9_of_everything_the_same_command_gives_the_undisturbed_result(
    moment: str, quick_reference: Path, dataset: Path, videos: Path, bad_files: dict[Path, str]
) -> None:
    """At random moments, and with everything measured: the next test."""
    words = ("ingest", videos, next(iter(bad_files)).parent, "--out", dataset, *QUICK_FLAGS)
    happened = has(dataset, *MOMENTS[moment])
    kill_group(freeze_at(lambda _: happened(), dataset, *words, "--workers", 2))
    done = run_ttk(*words, "--workers", 0)  # nothing to load anew
    assert done.returncode == 0, done.stderr
    assert read_dataset(dataset) == read_dataset(quick_reference)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(6))
def test_after_kill_9_at_random_moments_nothing_is_lost_or_left(
    seed: int, reference: Path, dataset: Path, videos: Path, bad_files: dict[Path, str]
) -> None:
    """Four kills and more in every run: over twenty in all, each in what the last one left."""
    moments = random.Random(seed)
    words = ("ingest", videos, next(iter(bad_files)).parent, "--out", dataset, *FLAGS)
    for workers in (2, 1, 2, 0, 2):
        begun = dataset / "manifests"
        process = start_ttk(*words, "--workers", workers)
        if not begun.exists():
            wait_for(begun.exists, process)
        time.sleep(moments.uniform(0, 9))
        with contextlib.suppress(ProcessLookupError):
            kill_group(process)
    done = run_ttk(*words, "--workers", 2)
    assert done.returncode == 0, done.stderr
    assert read_dataset(dataset) == read_dataset(reference)


class PowerCutError(BaseException):
    """Raised in place of a system call: nothing after it happens."""


class PowerCut:
    """Lets `number` steps of storage happen; from then on nothing is written, renamed, removed."""

    def __init__(self, number: int, patch: pytest.MonkeyPatch) -> None:
        self.left, self.is_off = number, False
        self._patch = patch
        self._wrap(Path, "replace")
        self._wrap(Path, "unlink")
        self._wrap(Path, "mkdir")
        self._wrap(shutil, "rmtree")
        self._wrap(storage, "sync_file")

    def _wrap(self, owner: Any, name: str) -> None:
        original = getattr(owner, name)

        def step(*args: Any, **kwargs: Any) -> Any:
            if self.is_off or self.left == 0:
                self.is_off = True
                raise PowerCutError
            self.left -= 1
            return original(*args, **kwargs)

        self._patch.setattr(owner, name, step)


def test_a_power_cut_at_any_step_of_storage_leaves_what_the_next_run_completes(
    dataset: Path, three: Path, videos: Path, bad_files: dict[Path, str]
) -> None:
    inputs = [three / "c.mp4", next(p for p, reason in bad_files.items() if reason == "no_audio")]
    run_ffmpeg("-i", three / "a.mp4", "-t", "0.2", inputs[0])
    options = replace(TINY, min_frames=5)
    whole = dataset.with_name(f"{dataset.name}-whole")
    ingest(inputs, options, out=whole)
    expected = read_dataset(whole)
    shutil.rmtree(whole)
    number, is_over = 0, False
    while not is_over:
        with pytest.MonkeyPatch.context() as patch:
            PowerCut(number, patch)
            try:
                ingest(inputs, options, out=dataset)
                is_over = True
            except PowerCutError:
                gc.collect()
        ingest(inputs, options, out=dataset)
        assert read_dataset(dataset) == expected, f"cut at step {number}"
        shutil.rmtree(dataset)
        number += 1
    assert number > 25


# --- one process of the group -------------------------------------------------------------------


def children(pid: int, word: str) -> list[psutil.Process]:
    """Children of a process with this word in their command line.

    Not their children: what a worker starts is for a moment a copy of the worker.
    """
    found = []
    with contextlib.suppress(psutil.Error):
        for child in psutil.Process(pid).children():
            with contextlib.suppress(psutil.Error):
                if word in " ".join(child.cmdline()):
                    found.append(child)
    return found


def test_a_worker_that_is_killed_is_replaced_and_nothing_shows(
    quick_reference: Path, dataset: Path, videos: Path, bad_files: dict[Path, str]
) -> None:
    words = ("ingest", videos, next(iter(bad_files)).parent, "--out", dataset, *QUICK_FLAGS)
    at_work = has(dataset, "shards/.tmp-*/mesh.f32")
    process = freeze_at(lambda _: at_work(), dataset, *words, "--workers", 2)
    victims = children(process.pid, "spawn_main")
    assert len(victims) == 2
    victims[0].kill()
    os.killpg(process.pid, signal.SIGCONT)
    _, text = process.communicate(timeout=500)
    assert process.returncode == 0, text
    assert read_dataset(dataset) == read_dataset(quick_reference)


# --- Ctrl-C -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("workers", "moment"), [(2, "working"), (0, "working"), (2, "starting")])
def test_ctrl_c_ends_in_one_clear_line_and_running_again_completes(
    workers: int, moment: str, dataset: Path, three: Path, tmp_path: Path
) -> None:
    words = ("ingest", three, "--out", dataset, *LIGHT, "--workers", workers)
    at_work = has(dataset, "shards/.tmp-*/mesh.f32")

    def happened(process: "subprocess.Popen[str]") -> bool:
        if moment == "working":
            return at_work()
        return bool(children(process.pid, "spawn_main")) and not time.sleep(0.2)

    process = freeze_at(happened, dataset, *words)
    os.killpg(process.pid, signal.SIGINT)
    os.killpg(process.pid, signal.SIGCONT)
    _, text = process.communicate(timeout=500)
    assert process.returncode == 1, text
    assert "Traceback" not in text
    (line,) = [line for line in text.splitlines() if "interrupted" in line]
    assert line.startswith("ttk: error: interrupted")
    assert "again" in line
    done = run_ttk(*words, "--workers", 0)  # nothing to load anew
    assert done.returncode == 0, done.stderr
    assert [row["num_frames"] for row in read_rows(dataset, "clips")] == [45] * 3
    assert not read_rows(dataset, "rejected")
    assert not validate_dataset(dataset)


# --- no room, no right, no memory ---------------------------------------------------------------


@pytest.fixture
def small_disk(dataset: Path) -> Iterator[Callable[[int], Path]]:
    """A function that mounts a disk of so many KiB and gives a dataset's folder on it."""

    def mount(size: int) -> Path:
        dataset.mkdir(exist_ok=True)
        unmount()
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}k", "none", str(dataset)]
        try:
            subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("not permitted to mount a small disk")
        return dataset / "data"

    def unmount() -> None:
        gc.collect()
        if dataset.is_mount():
            subprocess.run(["umount", "-l", str(dataset)], check=True)

    yield mount
    unmount()


def test_a_disk_that_is_full_at_any_point_is_one_clear_error_and_nothing_half_written(
    small_disk: Callable[[int], Path], three: Path
) -> None:
    num_full = 0
    for size in (4, 40, 200, 500, 700, 1000, 1300, 2000, 9000):
        data = small_disk(size)
        try:
            ingest(three, TINY, out=data)
        except StorageError as error:
            num_full += 1
            assert "full" in str(error)
            assert str(data) in str(error)
        gc.collect()
        if not (data / "manifests" / "sources").is_dir():
            continue
        assert not read_rows(data, "rejected")
        assert not list(data.rglob(".*"))
        for problem in validate_dataset(data):
            assert problem.is_note or "run ttk ingest again" in problem.message
    assert 5 <= num_full <= 8


def test_once_there_is_room_again_the_same_command_completes(
    small_disk: Callable[[int], Path], three: Path, dataset: Path
) -> None:
    data = small_disk(700)
    with pytest.raises(StorageError):
        ingest(three, TINY, out=data)
    gc.collect()
    subprocess.run(["mount", "-o", "remount,size=50m", str(dataset)], check=True)
    ingest(three, TINY, out=data)
    assert len(read_rows(data, "clips")) == 3
    assert not validate_dataset(data)


def limit(kind: int, value: int) -> Callable[[], None]:
    return lambda: resource.setrlimit(kind, (value, value))


@pytest.mark.parametrize("workers", [0, 1])
def test_a_file_that_may_not_grow_is_one_clear_error_and_no_row(
    workers: int, dataset: Path, three: Path
) -> None:
    words = ("ingest", three, "--out", dataset, *LIGHT)
    result = run_fresh(
        *words, "--workers", workers, preexec_fn=limit(resource.RLIMIT_FSIZE, 100_000)
    )
    assert result.returncode == 1
    (line,) = error_lines(result)
    assert str(dataset) in line
    assert "ulimit -f" in line
    assert "Traceback" not in result.stderr
    assert not list(dataset.glob("shards/*"))
    assert not list(dataset.glob("shards/.*"))
    assert not read_rows(dataset, "rejected")
    assert run_ttk(*words, "--workers", 0).returncode == 0
    assert len(read_rows(dataset, "clips")) == 3


@pytest.mark.parametrize(
    ("stage", "room"),
    [
        ("extract_sound", 300_000),
        ("track_faces", 300_000),
        ("track_faces", 20_000_000),
        ("prepare_clip", 300_000),
        ("encode_crops", 300_000),
    ],
)
def test_too_little_memory_is_one_clear_error_and_no_row(
    stage: str, room: int, dataset: Path, three: Path
) -> None:
    """Address space that lets the models load, and little more from one stage on."""
    code = (
        "import resource, sys\n"
        "from toolkit.ingest import shard_maker as module\n"
        "from toolkit.cli import main\n"
        f"stage = module.{stage}\n"
        "def starve(*args, **kwargs):\n"
        "    used = int(open('/proc/self/statm').read().split()[0]) * 4096\n"
        f"    resource.setrlimit(resource.RLIMIT_AS, (used + {room}, used + {room}))\n"
        "    return stage(*args, **kwargs)\n"
        f"module.{stage} = starve\n"
        "main(sys.argv[1:])\n"
    )
    words = ["ingest", str(three / "a.mp4"), "--out", str(dataset), *LIGHT, "--workers", "0"]
    result = subprocess.run(
        [sys.executable, "-c", code, *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )
    assert result.returncode == 1, result.stderr
    (line,) = error_lines(result)
    assert "memory" in line
    assert not read_rows(dataset, "rejected")
    assert run_ttk(*words).returncode == 0
    assert len(read_rows(dataset, "clips")) == 1


@pytest.mark.parametrize("depth", ["", "shards", "manifests/clips"])
def test_a_folder_that_may_not_be_written_is_one_clear_error(
    depth: str, dataset: Path, three: Path
) -> None:
    (dataset / depth).mkdir(parents=True)
    with unwritable(dataset / depth), pytest.raises(StorageError) as caught:
        ingest(three, TINY, out=dataset)
    assert str(dataset) in str(caught.value)
    assert "choose another" in str(caught.value)
    assert not list(dataset.glob("manifests/sources/*"))
    ingest(three, TINY, out=dataset)
    assert len(read_rows(dataset, "clips")) == 3
    assert not validate_dataset(dataset)


def test_a_dataset_folder_that_is_a_file_is_an_error_that_names_it(
    dataset: Path, three: Path
) -> None:
    dataset.mkdir()
    (dataset / "shards").touch()
    result = run_ttk("ingest", three, "--out", dataset, *LIGHT)
    assert result.returncode == 1
    (line,) = error_lines(result)
    assert str(dataset / "shards") in line


# --- size ---------------------------------------------------------------------------------------


def loop(video: Path, times: int, target: Path) -> Path:
    run_ffmpeg("-stream_loop", times - 1, "-i", video, "-c", "copy", target)
    return target


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_memory_of_a_worker_does_not_grow_with_length(
    dataset: Path, videos: Path, tmp_path: Path
) -> None:
    peaks = []
    for minutes in (1, 5):
        video = loop(next(videos.rglob("*.mp4")), minutes * 40, tmp_path / f"{minutes}.mp4")
        process = start_ttk(
            "ingest", video, "--out", dataset / str(minutes), "--workers", 1, "--coefficients",
            "none", stderr=subprocess.DEVNULL,
        )  # fmt: skip
        peak = 0
        while process.poll() is None:
            for child in children(process.pid, "spawn_main"):
                with contextlib.suppress(psutil.Error):
                    peak = max(peak, child.memory_info().rss)
            time.sleep(0.2)
        assert process.returncode == 0
        peaks.append(peak / 2**20)
    assert peaks[1] < 1500
    assert peaks[1] < peaks[0] + 150


@pytest.mark.slow
def test_an_8k_video_does_not_stop_the_batch(dataset: Path, videos: Path, tmp_path: Path) -> None:
    folder = tmp_path / "large"
    folder.mkdir()
    good = videos / "person00" / "clip00.mp4"
    run_ffmpeg("-i", good, "-vf", "scale=7680:4320", "-preset", "ultrafast", "-t", "1",
               folder / "a8k.mp4")  # fmt: skip
    shutil.copy(good, folder / "b.mp4")
    result = run_ttk("ingest", folder, "--out", dataset, *LIGHT, "--workers", 1)
    assert result.returncode == 0, result.stderr
    (row,) = [row for row in read_rows(dataset, "sources") if "b.mp4" in row["source"]]
    assert row["num_clips"] == 1
    assert len({r["source"] for t in ("clips", "rejected") for r in read_rows(dataset, t)}) == 2
