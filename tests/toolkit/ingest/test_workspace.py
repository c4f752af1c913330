"""Temporary folders: owned by a live process, or swept away."""

import fcntl
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.watch import watch
from toolkit.errors import BusyError, ManifestError, StorageError
from toolkit.ingest.workspace import (
    describe_owner,
    hold_dataset,
    is_running,
    lock_dataset,
    open_workspace,
    sweep_workspaces,
)
from toolkit.storage import guard_storage, write_whole

HOLD = """
import sys, time
from pathlib import Path
from toolkit.ingest.workspace import open_workspace
with open_workspace(Path(sys.argv[1]), "job") as folder:
    (folder / "half.bin").write_bytes(b"x" * 1000)
    print("held", flush=True)
    time.sleep(3600)
"""


def hold(dataset: Path) -> "subprocess.Popen[bytes]":
    """Another process that has the workspace of `job` open."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, dataset], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    return process


def wait_for(happened: Callable[[], object]) -> None:
    while not happened():  # the test's own limit ends it
        time.sleep(0.01)


def kill(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.communicate()


def test_a_workspace_is_gone_afterwards(tmp_path: Path) -> None:
    with open_workspace(tmp_path, "job") as folder:
        assert folder is not None
        (folder / "deep").mkdir()
        (folder / "deep" / "file").touch()
        assert is_running(tmp_path, "job")
    assert not list((tmp_path / "shards").iterdir())
    assert not is_running(tmp_path, "job")


def test_a_live_job_is_left_alone_and_a_dead_one_swept(tmp_path: Path) -> None:
    process = hold(tmp_path)
    try:
        assert is_running(tmp_path, "job")
        assert sweep_workspaces(tmp_path) == 0
        assert (tmp_path / "shards" / ".tmp-job" / "half.bin").exists()
        with open_workspace(tmp_path, "job") as folder:
            assert folder is None
        with open_workspace(tmp_path, "other") as folder:
            assert folder is not None
    finally:
        kill(process)
    assert not is_running(tmp_path, "job")
    assert sweep_workspaces(tmp_path) == 1
    assert not list((tmp_path / "shards").iterdir())


def test_a_dead_jobs_workspace_can_be_taken_over(tmp_path: Path) -> None:
    kill(hold(tmp_path))
    with open_workspace(tmp_path, "job") as folder:
        assert folder is not None
    assert not list((tmp_path / "shards").iterdir())


def test_a_sweep_that_was_killed_itself_is_finished_by_the_next(tmp_path: Path) -> None:
    for name in (".tmp-job", ".tmp-job.dead"):
        (tmp_path / "shards" / name / "sub").mkdir(parents=True)
    assert sweep_workspaces(tmp_path) == 2
    assert not list((tmp_path / "shards").iterdir())


def test_half_written_rows_of_dead_jobs_are_swept_and_those_of_live_ones_kept(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "manifests" / "clips"
    folder.mkdir(parents=True)
    for name in (".job.parquet.tmp", ".dead.parquet.tmp", "dead.parquet"):
        (folder / name).touch()
    (tmp_path / "manifests" / ".split.parquet.tmp").touch()
    process = hold(tmp_path)
    try:
        sweep_workspaces(tmp_path)
    finally:
        kill(process)
    assert sorted(p.name for p in folder.iterdir()) == [".job.parquet.tmp", "dead.parquet"]
    assert (tmp_path / "manifests" / ".split.parquet.tmp").exists()  # ttk split may be at it


def test_a_moments_look_at_a_workspace_does_not_make_it_busy(tmp_path: Path) -> None:
    folder = tmp_path / "shards" / ".tmp-job"
    folder.mkdir(parents=True)
    handle = os.open(folder, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    threading.Timer(0.05, os.close, (handle,)).start()
    with open_workspace(tmp_path, "job") as workspace:
        assert workspace is not None


def test_only_one_plans_at_a_time(tmp_path: Path) -> None:
    order: list[str] = []

    def plan() -> None:
        with lock_dataset(tmp_path):
            order.append("second")

    with lock_dataset(tmp_path), pytest.warns(UserWarning, match="waiting for it") as caught:
        other = threading.Thread(target=plan)
        other.start()
        wait_for(lambda: caught)
        order.append("first")
    other.join()
    assert order == ["first", "second"]


def test_a_workspace_is_removed_when_its_job_fails(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), open_workspace(tmp_path, "job"):
        raise RuntimeError
    assert not list((tmp_path / "shards").iterdir())


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    final = tmp_path / "deep" / "rows.txt"
    final.parent.mkdir()
    final.write_text("old")
    with pytest.raises(RuntimeError), write_whole(final) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert final.read_text() == "old"
    assert [path.name for path in final.parent.iterdir()] == ["rows.txt"]
    with write_whole(final) as temporary:
        temporary.write_text("new")
    assert final.read_text() == "new"


@pytest.mark.parametrize("kind", ["link", "hard link", "pipe"])
def test_a_temporary_file_that_leads_elsewhere_is_not_written_through(
    kind: str, tmp_path: Path
) -> None:
    (tmp_path / "mine").write_text("mine")
    place = tmp_path / "data" / ".x.json.tmp"
    place.parent.mkdir()
    if kind == "link":
        place.symlink_to(tmp_path / "mine")
    elif kind == "hard link":
        place.hardlink_to(tmp_path / "mine")
    else:
        os.mkfifo(place)  # to open it would wait for a reader
    with write_whole(tmp_path / "data" / "x.json") as temporary:
        temporary.write_text("new")
    assert (tmp_path / "mine").read_text() == "mine"
    assert (tmp_path / "data" / "x.json").read_text() == "new"
    assert [path.name for path in place.parent.iterdir()] == ["x.json"]


def test_a_workspace_that_is_a_link_is_neither_used_nor_swept(tmp_path: Path) -> None:
    (tmp_path / "mine" / ".x.tmp").mkdir(parents=True)
    (tmp_path / "data" / "shards").mkdir(parents=True)
    (tmp_path / "data" / "shards" / ".tmp-job").symlink_to(tmp_path / "mine")
    with watch(tmp_path / "mine") as seen:
        assert sweep_workspaces(tmp_path / "data") == 0
        assert not is_running(tmp_path / "data", "job")
        with (
            pytest.raises(ManifestError, match="lies outside of"),
            open_workspace(tmp_path / "data", "job"),
        ):
            pass
    assert not seen


@pytest.mark.parametrize("name", ["shards", "manifests", "manifests/clips", "manifests/other"])
def test_folders_that_are_links_to_outside_are_not_planned_in(name: str, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / ".job.parquet.tmp").touch()
    link = tmp_path / "data" / name
    link.parent.mkdir(parents=True)
    link.symlink_to(tmp_path / "mine")
    with (
        watch(tmp_path / "mine") as seen,
        pytest.raises(ManifestError, match="lies outside of"),
        lock_dataset(tmp_path / "data"),
    ):
        sweep_workspaces(tmp_path / "data")
    assert not [event for event in seen if "opened" not in event]
    assert [path.name for path in (tmp_path / "mine").iterdir()] == [".job.parquet.tmp"]


@pytest.mark.parametrize("number", [28, 122, 27, 30, 13, 1, 12, 24, 5])
def test_what_is_the_disks_fault_is_one_clear_error(number: int, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=rf"{tmp_path}: ") as caught, guard_storage(tmp_path):
        raise OSError(number, os.strerror(number))
    assert len(str(caught.value).removeprefix(f"{tmp_path}: ")) > 20


def test_other_errors_of_the_system_pass_unchanged(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), guard_storage(tmp_path):
        raise FileNotFoundError(2, "No such file", "x")


def test_who_holds_a_dataset_is_said_to_the_next(tmp_path: Path) -> None:
    process = hold(tmp_path)  # at work on a job
    try:
        with (
            hold_dataset(tmp_path, alone=True),
            pytest.raises(BusyError, match=rf"process {process.pid} on .*, since 20\d\d-"),
            hold_dataset(tmp_path, alone=False),
        ):
            pass
        assert f"process {process.pid} on " in describe_owner(tmp_path, "job")
    finally:
        kill(process)
    with hold_dataset(tmp_path, alone=False), hold_dataset(tmp_path, alone=False):
        pass


def test_waiting_for_another_plan_is_reported(tmp_path: Path) -> None:

    def plan() -> None:
        with lock_dataset(tmp_path):
            pass

    with pytest.warns(UserWarning) as caught:
        with lock_dataset(tmp_path):
            other = threading.Thread(target=plan)
            other.start()
            wait_for(lambda: caught)
        other.join()
    (text,) = (str(warning.message) for warning in caught)
    assert f"process {os.getpid()} on " in text
    assert text.endswith("makes a plan here: waiting for it")
    assert not list(tmp_path.rglob(".*"))
