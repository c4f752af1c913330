"""Run commands as a user does, kill trainings, and compare what datasets hold."""

import contextlib
import fcntl
import gc
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import ROOT
from tests.warm import run_warm
from toolkit.dataset.manifest import read_table
from toolkit.dataset.shard import ShardReader
from toolkit.ingest.options import IngestOptions

FLAGS = ("--min-frames", "27", "--coefficients", "none", "--shard-minutes", "0.01")
"""Short clips, one source in a job, and no feature that takes long."""

OPTIONS = IngestOptions(min_frames=27, coefficients="none", shard_minutes=0.01)
"""The same for the library."""

QUICK_FLAGS = (
    "--min-frames=27", "--shard-minutes=0.01",
    *(f"--{name}=none" for name in ("pose", "au45", "deepspeech", "coefficients")),
)  # fmt: skip
"""As FLAGS, with landmarks and crops alone: for what kills and races do to storage."""

QUICK_OPTIONS = IngestOptions(
    min_frames=27, shard_minutes=0.01, pose="none", au45="none", deepspeech="none",
    coefficients="none",
)  # fmt: skip
"""The same for the library."""

Result = subprocess.CompletedProcess[str]


def make_once(folder: Path, make: Callable[[Path], object]) -> Path:
    """A folder that the first process of a session that needs it makes, whole or not at all."""
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            making = folder.with_name(f"{folder.name}-making")
            shutil.rmtree(making, ignore_errors=True)  # of a try that failed
            make(making)
            making.rename(folder)
    return folder


class KilledError(Exception):
    """Ends a training at any moment."""


def train_killed(
    train: Callable[..., object], recipe: object, out: Path, *, epoch: int, step: int
) -> None:
    """Train, with an error behind a step of an epoch; then go on with the run to its end."""

    def kill(done: Any) -> None:
        if (done.epoch, done.step) == (epoch, step):
            raise KilledError

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KilledError):
        patch.setattr("zoo.training.loop.SAVE_SECONDS", 0)
        train(recipe, out, on_step=kill)
    train(recipe, out, resume=True)


def run_ttk(*arguments: object, cwd: Path | None = None) -> Result:
    """Run `ttk` to its end in another process: a copy of one that has loaded all it needs."""
    return run_warm(make_words(*arguments), cwd=cwd)


def run_fresh(*arguments: object, **more: Any) -> Result:
    """Run `ttk` to its end in a new process."""
    return subprocess.run(
        command(*arguments), capture_output=True, text=True, errors="surrogateescape",
        timeout=500, check=False, **more,
    )  # fmt: skip


def _command_torch(model: str, *words: object) -> list[str]:
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    command += ["-m", "zoo", "train", model, "--preset", "small", "--device", "cpu"]
    return [*command, *map(str, words)]


def stop_torch(last: Path, model: str, *words: object) -> int:
    """The same, which gets SIGTERM once there is `last`; its exit status."""
    with subprocess.Popen(
        _command_torch(model, *words),
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        while process.poll() is None and not last.exists():
            time.sleep(0.05)
        process.terminate()
        return process.wait(timeout=600)


def run_torch(model: str, *words: object) -> Result:
    """`torchrun --nproc-per-node 2 -m zoo train …`, as in the help: preset small, on the CPU."""
    return subprocess.run(
        _command_torch(model, *words),
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=1500,
        check=False,
    )


def start_ttk(*arguments: object, **more: Any) -> "subprocess.Popen[str]":
    """Start `ttk` as the leader of a process group of its own."""
    return subprocess.Popen(
        command(*arguments), stdout=subprocess.PIPE, text=True, start_new_session=True,
        **{"stderr": subprocess.PIPE} | more,
    )  # fmt: skip


_PROGRAM = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from toolkit.cli import main
main()
"""
"""What a terminal starts; in the background of a script it would ignore SIGINT."""


def command(*arguments: object) -> list[str]:
    """The argument list of a new process."""
    return [sys.executable, "-c", _PROGRAM, *make_words(*arguments)]


def make_words(*arguments: object) -> list[str]:
    """Arguments as a shell would hand them over."""
    return [os.fspath(word) if isinstance(word, Path) else str(word) for word in arguments]


def kill_group(process: "subprocess.Popen[str]", number: int = signal.SIGKILL) -> None:
    """Signal the whole process group and wait for its leader."""
    os.killpg(process.pid, number)
    process.communicate(timeout=500)


def error_lines(result: Result) -> list[str]:
    """The lines of stderr that tell of an error."""
    return [line for line in result.stderr.splitlines() if line.startswith("ttk: error:")]


def read_dataset(dataset: Path) -> dict[str, Any]:
    """Everything a dataset holds but times: names of files, bytes of shards, rows of tables."""
    files = sorted(p for p in dataset.rglob("*") if p.is_file() or p.name.startswith("."))
    return {
        "files": [p.relative_to(dataset).as_posix() for p in files],
        "shards": {p.name: p.read_bytes() for p in files if p.suffix == ".h5"},
        "jobs": {p.name: p.read_bytes() for p in files if p.suffix == ".json"},
        **{name: read_rows(dataset, name) for name in ("clips", "rejected", "sources")},
    }


def read_rows(dataset: Path, table: str) -> list[dict[str, Any]]:
    """A table's rows without the time they were made at, in one order."""
    frame = read_table(dataset, table).drop(columns="ingested_at")
    rows = [
        {key: as_plain(value) for key, value in row.items()} for row in frame.to_dict("records")
    ]
    return sorted(rows, key=lambda row: (row["source"], repr(sorted(row.items()))))


def as_plain(value: Any) -> Any:
    """Arrays as lists and NaN as None, so that == compares."""
    if isinstance(value, np.ndarray):
        return value.tolist()
    return None if isinstance(value, float) and np.isnan(value) else value


def read_clips(dataset: Path) -> dict[str, dict[str, Any]]:
    """Clip id -> its row and its arrays, wherever in which shard it lies."""
    clips: dict[str, dict[str, Any]] = {}
    for row in read_rows(dataset, "clips"):
        reader, index = ShardReader(dataset / row["shard"]), row["index"]
        arrays = {
            name: reader.read(name, index).tobytes()
            for name in reader.names
            if not name.startswith(("clips/", "video/jpeg"))
        }
        shown = reader.clips[index]
        jpegs = [
            reader.jpeg(t) for t in range(shown.first_frame, shown.first_frame + shown.num_frames)
        ]
        where = {"job", "shard", "shard_sha256", "index"}
        clips[row["clip_id"]] = {
            "row": {key: value for key, value in row.items() if key not in where},
            "arrays": arrays,
            "jpegs": jpegs,
            "crop": shown.crop,
        }
    return clips


@contextlib.contextmanager
def unwritable(folder: Path) -> Iterator[None]:
    """Make a folder refuse: by its mode, or as root by mounting it read-only."""
    if os.geteuid():
        folder.chmod(0o555)
        yield
        folder.chmod(0o755)
        return
    try:
        subprocess.run(["mount", "--bind", folder, folder], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("root may write everywhere, and may not mount here")
    try:
        subprocess.run(["mount", "-o", "remount,ro,bind", folder], check=True)
        yield
    finally:
        gc.collect()
        subprocess.run(["umount", "-l", folder], check=True)
