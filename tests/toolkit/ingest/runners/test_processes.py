"""The worker pool: jobs end though workers die, errors arrive whole, no process is left behind."""

import contextlib
import itertools
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing import resource_tracker
from pathlib import Path

import psutil
import pytest

from toolkit.errors import SourceError, StorageError, ToolkitError
from toolkit.ingest.runners import open_runner
from toolkit.ingest.runners.base import Crashes, Progress
from toolkit.ingest.runners.failures import make_sendable
from toolkit.ingest.runners.processes import WorkerPool
from toolkit.schema import Job, Reason, Source

Tell = Callable[[Progress], None]


def make_job(*names: str) -> Job:
    sources = tuple(
        Source(path=name, size=1, mtime_ns=1, sha256=name, identity="ann", duration=1.0)
        for name in names
    )
    return Job(id="-".join(names), sources=sources, options={})


# --- what the workers run -----------------------------------------------------------------------


def prepare_nothing() -> None:
    pass


def prepare_badly() -> None:
    raise StorageError("no room for the models")


def prepare_to_die() -> None:
    os._exit(3)


def prepare_once(folder: Path) -> Callable[[], None]:
    """See `DyingPrepare`."""
    return DyingPrepare(folder)


class DyingPrepare:
    """Prepares well in the first process that asks, dies in every other."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self) -> None:
        try:
            (self.folder / "prepared").mkdir()
        except FileExistsError:
            os._exit(4)


def run(job: Job, dataset: Path, crashes: Crashes, tell: Tell) -> None:
    """Do to this worker what the source's name says, and note what else was run."""
    done = []
    for source in job.sources:
        tell(Progress("source", job.id, source.path))
        if source.path in crashes:
            done.append(f"{source.path} failed: {crashes[source.path]}")
            continue
        _act(source.path, dataset)
        done.append(source.path)
    (dataset / job.id).write_text("\n".join(done))


def _act(name: str, dataset: Path) -> None:
    if name.startswith("kill"):
        os.kill(os.getpid(), signal.SIGKILL)
    elif name.startswith("once") and not (dataset / "tried").exists():
        (dataset / "tried").touch()
        os.kill(os.getpid(), signal.SIGSEGV)
    elif name.startswith("exit"):
        os._exit(0)
    elif name == "memory":
        raise MemoryError("no more")
    elif name == "bug":
        raise SourceError(Reason.FAILED, "two arguments do not come through a pipe")
    elif name == "sigint":
        os.kill(os.getpid(), signal.SIGINT)
        subprocess.run(["sh", "-c", "kill -INT $$; true"], check=True)
    elif name == "sleep":
        time.sleep(3600)


def run_before_sources(job: Job, dataset: Path, crashes: Crashes, tell: Tell) -> None:
    os._exit(1)


def run_all(jobs: list[Job], dataset: Path, count: int = 2) -> list[Progress]:
    with WorkerPool(count, prepare_nothing, run) as pool:
        return list(pool.run(jobs, dataset))


@pytest.fixture(autouse=True)
def _nobody_is_left_behind() -> Iterator[None]:
    before = set(psutil.Process().children(recursive=True))
    yield
    left = set(psutil.Process().children(recursive=True)) - before
    assert not [child for child in left if "spawn_main" in " ".join(read_words(child))]


def read_words(process: psutil.Process) -> list[str]:
    """Its command line; that of one that has ended is empty."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.cmdline()
    return []


# --- deaths -------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["kill", "exit"])
def test_a_source_that_kills_its_worker_twice_is_failed_and_the_rest_goes_on(
    how: str, tmp_path: Path
) -> None:
    jobs = [make_job("a", how, "b"), make_job("c"), make_job("d")]
    events = run_all(jobs, tmp_path)
    text = (tmp_path / f"a-{how}-b").read_text()
    assert text == f"a\n{how} failed: it killed its worker 2 times\nb"
    assert [(tmp_path / name).read_text() for name in "cd"] == ["c", "d"]
    assert sorted(e.job for e in events if e.kind == "job_done") == [f"a-{how}-b", "c", "d"]


def test_workers_the_kernel_kills_for_want_of_memory_are_an_error_and_no_source_is_blamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kills = itertools.count()
    monkeypatch.setattr("toolkit.ingest.runners.processes.count_kills", lambda: next(kills))
    with pytest.raises(StorageError, match="use fewer --workers"):
        run_all([make_job("a", "kill", "b")], tmp_path)
    assert not (tmp_path / "a-kill-b").exists()


def test_a_source_that_kills_its_worker_once_is_done_the_second_time(tmp_path: Path) -> None:
    run_all([make_job("a", "once", "b")], tmp_path)
    assert (tmp_path / "a-once-b").read_text() == "a\nonce\nb"


def test_two_sources_of_one_job_that_kill_are_both_found(tmp_path: Path) -> None:
    run_all([make_job("kill1", "a", "kill2")], tmp_path, count=1)
    lines = (tmp_path / "kill1-a-kill2").read_text().splitlines()
    assert [line.split()[0] for line in lines] == ["kill1", "a", "kill2"]
    assert ["failed" in line for line in lines] == [True, False, True]


def test_an_idle_worker_that_is_killed_is_replaced(tmp_path: Path) -> None:
    with WorkerPool(1, prepare_nothing, run) as pool:
        assert list(pool.run([make_job("a")], tmp_path))
        victim = pool._workers[0].process
        victim.kill()
        victim.join()
        list(pool.run([make_job("b")], tmp_path))
    assert (tmp_path / "b").read_text() == "b"


def test_workers_that_die_before_any_source_are_an_error_and_no_endless_loop(
    tmp_path: Path,
) -> None:
    with (
        WorkerPool(1, prepare_nothing, run_before_sources) as pool,
        pytest.raises(ToolkitError, match="--workers 0"),
    ):
        list(pool.run([make_job("a")], tmp_path))


def test_a_worker_that_cannot_be_restarted_is_an_error(tmp_path: Path) -> None:
    with (
        WorkerPool(1, prepare_once(tmp_path), run) as pool,
        pytest.raises(ToolkitError, match="die before they reach a source"),
    ):
        list(pool.run([make_job("once")], tmp_path))


# --- errors -------------------------------------------------------------------------------------


def test_an_error_at_the_start_arrives_as_it_was_raised() -> None:
    with pytest.raises(StorageError, match="no room for the models"):
        WorkerPool(2, prepare_badly, run)


def test_a_death_at_the_start_is_a_clear_error() -> None:
    with pytest.raises(ToolkitError, match="exit code 3"):
        WorkerPool(2, prepare_to_die, run)


def test_short_memory_is_the_environments_fault_and_stops_the_run(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"memory is short.*--workers") as caught:
        run_all([make_job("memory")], tmp_path)
    assert "in _act" in caught.value.__notes__[0]  # the worker's own traceback, for --debug


def test_an_error_that_cannot_be_sent_still_arrives(tmp_path: Path) -> None:
    with pytest.raises(ToolkitError, match="unexpected SourceError: two arguments"):
        run_all([make_job("bug")], tmp_path)


@pytest.mark.parametrize(
    "error",
    [ToolkitError("a"), OSError(28, "No space", "f"), ValueError("v"), KeyError("k"),
     SourceError(Reason.FAILED, "s"), MemoryError("m"),
     UnicodeDecodeError("utf-8", b"a", 0, 1, "")],
)  # fmt: skip
def test_what_is_sent_can_be_received(error: Exception) -> None:
    sent = make_sendable(error)
    received = pickle.loads(pickle.dumps(sent))
    assert type(received) is type(sent)
    assert str(received) == str(sent)
    assert str(error).strip("'") in str(received)
    assert isinstance(received, (ToolkitError, OSError, ValueError))


def test_no_workers_is_a_callers_mistake() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        WorkerPool(0, prepare_nothing, run)


# --- interruption -------------------------------------------------------------------------------


def test_workers_and_what_they_run_ignore_sigint(tmp_path: Path) -> None:
    run_all([make_job("sigint")], tmp_path, count=1)
    assert (tmp_path / "sigint").read_text() == "sigint"


def test_the_first_worker_ignores_sigint_like_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first start in a process begins by starting Python's tracker, which unblocks SIGINT."""
    tracker = resource_tracker.ResourceTracker()
    monkeypatch.setattr(resource_tracker, "ensure_running", tracker.ensure_running)
    monkeypatch.setattr(resource_tracker, "getfd", tracker.getfd)
    with WorkerPool(2, prepare_nothing, run) as pool:
        for worker in pool._workers:
            status = Path(f"/proc/{worker.process.pid}/status").read_text()
            blocked = int(status.partition("SigBlk:")[2].split()[0], 16)
            assert blocked >> (signal.SIGINT - 1) & 1
    tracker._stop()


@pytest.fixture
def _hears_ctrl_c() -> Iterator[None]:
    """As a program in a terminal does; one that a script starts with & would not."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_hears_ctrl_c")
def test_ctrl_c_while_a_worker_is_being_started_is_answered_when_it_has_started(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Any library's thread takes the signal; Python would answer here, in the midst of a start."""
    started: list[bool] = []
    over = threading.Event()
    thread = threading.Thread(target=over.wait, daemon=True)
    thread.start()
    context = multiprocessing.get_context("spawn")

    def start_slowly(process: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.2)
        started.append(True)
        start(process)

    start = context.Process.start
    monkeypatch.setattr(context.Process, "start", start_slowly)
    with pytest.raises(KeyboardInterrupt):
        WorkerPool(1, prepare_nothing, run)
    over.set()
    thread.join()
    assert started == [True]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_abandoned_run_stops_its_workers_at_once(tmp_path: Path) -> None:
    """One of them would sleep for an hour."""
    with WorkerPool(2, prepare_nothing, run) as pool:
        events = pool.run([make_job("sleep"), make_job("a")], tmp_path)
        next(event for event in events if event.source == "sleep")
        workers = [worker.process for worker in pool._workers]
    assert not any(worker.is_alive() for worker in workers)


def test_a_worker_ends_when_its_parent_is_gone(tmp_path: Path) -> None:
    pool = WorkerPool(1, prepare_nothing, run)
    worker = pool._workers[0]
    worker.connection.close()
    worker.process.join()
    assert worker.process.exitcode == 0


# --- in this process ----------------------------------------------------------------------------


def test_without_workers_jobs_run_here_and_progress_comes_as_it_happens(tmp_path: Path) -> None:
    told: list[tuple[str, bool]] = []
    with open_runner(0, prepare_nothing, run) as runner:
        runner(
            [make_job("a"), make_job("b")],
            tmp_path,
            lambda event: told.append((event.kind, (tmp_path / event.job).exists())),
        )
    assert told == [
        ("source", False), ("job_done", True), ("source", False), ("job_done", True),
    ]  # fmt: skip


def test_what_is_missing_is_known_before_the_first_job_without_workers_too() -> None:
    with (
        pytest.raises(StorageError, match="no room"),
        contextlib.ExitStack() as stack,
    ):
        stack.enter_context(open_runner(0, prepare_badly, run))


def test_a_pool_can_be_made_in_a_thread(tmp_path: Path) -> None:
    thread = threading.Thread(target=run_all, args=([make_job("a")], tmp_path, 1))
    thread.start()
    thread.join()
    assert (tmp_path / "a").read_text() == "a"


def test_a_script_without_a_guard_is_told_so_and_does_not_hang(tmp_path: Path) -> None:
    """Starting a worker runs the script again, which would start workers in turn."""
    (tmp_path / "a.mp4").write_bytes(b"no video")
    script = tmp_path / "script.py"
    script.write_text("from toolkit.ingest import ingest\ningest('a.mp4', out='d', workers=1)\n")
    done = subprocess.run(
        [sys.executable, script], cwd=tmp_path, capture_output=True, text=True, timeout=500,
        check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert 'if __name__ == "__main__":' in done.stderr.splitlines()[-1]
    assert not (tmp_path / "d").exists() or not [*(tmp_path / "d").rglob("*.*")]
