"""Run jobs in spawned worker processes that may die without taking the run with them."""

import contextlib
import functools
import multiprocessing
import os
import signal
import threading
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from toolkit.errors import ToolkitError
from toolkit.ingest.runners.base import Crashes, Progress, RunJob
from toolkit.ingest.runners.failures import CrashCounter, make_sendable
from toolkit.memory import count_kills
from toolkit.schema import Job

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")
"""What tells each library how many threads to start."""


def check_guard() -> None:
    """Refuse to run in a worker that is only being started: it runs its parent's script again.

    Raises:
        RuntimeError: the script that called lacks its guard.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise RuntimeError(
            "workers run your script again when they start: call ingest below "
            'if __name__ == "__main__":, or with workers=0'
        )


class WorkerPool:
    """Spawned processes, each with one thread and its models loaded once."""

    def __init__(self, count: int, prepare: Callable[[], object], run: RunJob) -> None:
        if count < 1:
            raise ValueError(f"{count} workers: at least 1")
        self._prepare, self._run = prepare, run
        self._workers: list[_Worker] = []
        texts: dict[str, None] = {}
        try:
            for _ in range(count):
                self._workers.append(_Worker(prepare, run))
            for worker in self._workers:
                texts.update(dict.fromkeys(worker.expect_ready()))
        except BaseException:
            self.close()
            raise
        for text in texts:
            warnings.warn(text, stacklevel=2)

    def run(self, jobs: Iterable[Job], dataset: Path) -> Iterator[Progress]:
        """Run jobs on whichever worker is free.

        Raises:
            ToolkitError: what a job raised, the rest then being stopped.
        """
        queue, kills = deque(jobs), count_kills()
        crashes = CrashCounter()
        while queue or any(worker.job for worker in self._workers):
            for worker in self._workers:
                if worker.job is None and queue:
                    job = queue.popleft()
                    worker.give(job, dataset, crashes.describe(job.id))
            for worker in self._wait():
                try:
                    event = worker.receive()
                except _WorkerDiedError:
                    job = worker.bury()
                    killed = worker.process.exitcode == -signal.SIGKILL and count_kills() > kills
                    crashes.add(job.id, worker.source, memory_is_short=killed)
                    queue.appendleft(job)
                    worker.restart(self._prepare, self._run)
                    continue
                if event.kind == "warning":
                    warnings.warn(event.text, stacklevel=2)
                else:
                    yield event

    def _wait(self) -> list["_Worker"]:
        busy = {worker.connection: worker for worker in self._workers if worker.job}
        return [busy[connection] for connection in wait(list(busy)) if connection in busy]

    def close(self) -> None:
        """Stop every worker at once; jobs in progress are lost, nothing else."""
        for worker in self._workers:
            worker.stop()

    def __enter__(self) -> "WorkerPool":
        return self

    def __exit__(self, *args: object) -> None:
        self.close()


class _WorkerDiedError(Exception):
    """The other end of the pipe is gone."""


class _Worker:
    def __init__(self, prepare: Callable[[], object], run: RunJob) -> None:
        self.job: Job | None = None
        self.source = ""
        self.restart(prepare, run)

    def restart(self, prepare: Callable[[], object], run: RunJob) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, child_end = context.Pipe()
        self.process = context.Process(target=_serve, args=(child_end, prepare, run), daemon=True)
        self.source = ""
        try:
            with _worker_environment():
                self.process.start()
        except BaseException:  # a Ctrl-C meanwhile: the process is there, its owner will not be
            self.stop()
            raise
        finally:
            child_end.close()

    def expect_ready(self) -> list[str]:
        """Wait until the models are loaded; returns what was warned of, raises what was raised."""
        try:
            answer: Any = self.connection.recv()
        except (EOFError, OSError) as error:
            self.process.join()
            text = (
                f"a worker died at its start (exit code {self.process.exitcode}); a script that "
                'calls ingest with workers needs if __name__ == "__main__":'
            )
            raise ToolkitError(text) from error
        if isinstance(answer, BaseException):
            raise answer
        return list(answer)

    def give(self, job: Job, dataset: Path, crashes: Crashes) -> None:
        self.job, self.source = job, ""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # receive() will raise
            self.connection.send((job, dataset, crashes))

    def receive(self) -> Progress:
        try:
            event: Any = self.connection.recv()
        except (EOFError, OSError) as error:
            raise _WorkerDiedError from error
        if isinstance(event, BaseException):
            raise event
        if isinstance(event, list):  # a restarted worker is ready, and warns as the first did
            return Progress("ready")
        if event.kind == "source":
            self.source = event.source
        elif event.kind == "job_done":
            self.job, self.source = None, ""
        return event  # type: ignore[no-any-return]

    def bury(self) -> Job:
        self.process.join()
        self.connection.close()
        job, self.job = self.job, None
        if job is None:
            raise ToolkitError("a worker without a job died")
        return job

    def stop(self) -> None:
        if self.process.pid is not None:
            self.process.kill()
            self.process.join()
        self.connection.close()


@contextlib.contextmanager
def _worker_environment() -> Iterator[None]:
    """What a process started inside inherits: one thread for each library, SIGINT blocked.

    It stays blocked in it and in the programs it runs: the parent alone answers to it, by
    killing its workers. It answers when it leaves the block: a parent torn from a start leaves
    a child that reads half of what it is to run.
    """
    saved = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, "1"))
    with _interrupted_later():
        resource_tracker.ensure_running()  # the first start would: and unblock SIGINT again
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
            for name, value in saved.items():
                os.environ.pop(name) if value is None else os.environ.update({name: value})


@contextlib.contextmanager
def _interrupted_later() -> Iterator[None]:
    """A SIGINT inside is answered at the end.

    This thread's mask does not see to that: the kernel gives the signal to any thread that takes
    it, and Python answers in this one.
    """
    if threading.current_thread() is not threading.main_thread():  # Python never answers here
        yield
        return
    caught: list[int] = []
    handler = signal.signal(signal.SIGINT, lambda number, frame: caught.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
    if caught:
        signal.raise_signal(signal.SIGINT)


def _serve(connection: Connection, prepare: Callable[[], object], run: RunJob) -> None:
    """A worker's life: load, say so, then job after job until the other end closes."""

    def send(event: object) -> None:
        try:
            connection.send(event)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise SystemExit from error  # the parent is gone: clean up and end

    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            prepare()
        send([str(w.message) for w in caught if w.category is UserWarning])
        warnings.showwarning = functools.partial(_send_warning, send)
        while True:
            job, dataset, crashes = _receive_job(connection)
            run(job, dataset, crashes, send)
            send(Progress("job_done", job.id))
    except Exception as error:
        send(make_sendable(error))


def _send_warning(
    send: Callable[[object], None], message: Warning | str, category: type[Warning], *_: object
) -> None:
    if category is UserWarning:
        send(Progress("warning", text=str(message)))


def _receive_job(connection: Connection) -> tuple[Job, Path, Crashes]:
    try:
        job: tuple[Job, Path, Crashes] = connection.recv()
    except (EOFError, ConnectionResetError) as error:
        raise SystemExit from error
    return job
