"""`zoo personalize` on a real video, killed in each of its stages, beside a run that is left alone.

Legend: `out`, a person's folder in the making.
"""

import math
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from tests.results.people import LONGEST, VIDEOS, cut_media, find_real, train_real_base
from tests.results.runs import PRECISION
from tests.results.setup import Setup, Table
from tests.runs import kill_group, read_clips
from zoo.training.checkpoint import load_checkpoint
from zoo.training.log import LOG
from zoo.training.loop import LAST

SECONDS = 24.0
"""Of the longest video: hardly more than is needed."""

EPOCHS = ("--motion-epochs", "4", "--renderer-epochs", "2")

PART = 1.3
"""How far behind its last checkpoint a training is killed, in steps."""


def run_killed(setup: Setup) -> dict[str, Table]:
    """Kill with SIGKILL in the midst of ingest and of both trainings; compare what comes of it."""
    video = cut_media(replace(setup, most_seconds=SECONDS), find_real(VIDEOS[LONGEST]))
    runs = Runs(video, train_real_base(setup), setup.out / "video-killed")
    shutil.rmtree(runs.folder, ignore_errors=True)
    alone, killed = runs.folder / "alone", runs.folder / "killed"
    runs.finish(alone)
    rows = []
    for stage, (is_half_way, _) in STAGES.items():
        runs.kill(killed, is_half_way)
        rows.append({"killed in": stage} | read_progress(killed / stage))
    runs.finish(killed)
    for row in rows:
        _, read = STAGES[str(row["killed in"])]
        same = read(killed) == read(alone)
        row["in the end as if left alone"] = "yes" if same else "no"
    return {"personalize-killed": Table(rows)}


@dataclass(frozen=True)
class Runs:
    """Runs of the command.

    Attributes:
        video: of one person.
        base: motion model to begin with.
        folder: of all runs.
    """

    video: Path
    base: Path
    folder: Path

    def start(self, out: Path) -> "subprocess.Popen[str]":
        """A run as the leader of a process group of its own, on one thread."""
        words = ["personalize", self.video, "--base", self.base, "--out", out, *EPOCHS]
        words += ["--precision", PRECISION, "--device", "cpu"]
        return subprocess.Popen(
            [sys.executable, "-m", "zoo", *map(str, words)],
            env=os.environ | {"OMP_NUM_THREADS": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )

    def finish(self, out: Path) -> None:
        """Run to the end; CalledProcessError where it fails."""
        process = self.start(out)
        if process.wait():
            raise subprocess.CalledProcessError(process.returncode, "zoo personalize")

    def kill(self, out: Path, is_half_way: Callable[[Path], bool]) -> None:
        """Run until something is so; ValueError where the run ends before."""
        process = self.start(out)
        while not is_half_way(out):
            if process.poll() is not None:
                raise ValueError(f"ended with {process.returncode} before it could be killed")
            time.sleep(0.1)
        kill_group(process)


def is_ingesting(out: Path) -> bool:
    """Something of a shard is there, but no shard."""
    return any((out / "data" / "shards").glob(".*/*"))


def is_behind(run: Path) -> bool:
    """A training has a checkpoint, and has done a good part of an epoch since."""
    return (run / LAST).is_file() and read_step(run) >= PART * read_saved_step(run)


def read_progress(run: Path) -> dict[str, Any]:
    """Steps that a training has done, and that it can go on from; ingest has none."""
    if not (run / LAST).is_file():
        return {"steps done": math.nan, "went on after": math.nan}
    return {"steps done": read_step(run), "went on after": read_saved_step(run)}


def read_step(run: Path) -> int:
    """Of a log's last whole line."""
    last = (run / LOG).read_text().rpartition("\n")[0].rpartition("\n")[2]
    return int(last.split(",")[3])


def read_saved_step(run: Path) -> int:
    """Of the checkpoint that a run goes on from."""
    return int(load_checkpoint(run / LAST)["total_steps"])


def read_weights(run: Path) -> dict[str, list[float]]:
    """Every weight of a training's networks, by name."""
    state = load_checkpoint(run / LAST)["state"]
    return {
        f"{network} {name}": torch.as_tensor(value).flatten().tolist()
        for network in ("model", "generator", "discriminator")
        for name, value in state.get(network, {}).items()
    }


STAGES: dict[str, tuple[Callable[[Path], bool], Callable[[Path], object]]] = {
    "data": (is_ingesting, lambda out: read_clips(out / "data")),
    "motion": (lambda out: is_behind(out / "motion"), lambda out: read_weights(out / "motion")),
    "renderer": (
        lambda out: is_behind(out / "renderer"),
        lambda out: read_weights(out / "renderer"),
    ),
}
"""Folder of a stage -> that it is in the midst of it, and what comes of it."""
