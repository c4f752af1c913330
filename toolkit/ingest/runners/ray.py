"""Run jobs as Ray actors: the only code that knows Ray.

An actor is a worker on whichever node has a free core. It loads its models once, and leaves
finished shards in the dataset's folder under temporary names; the driver alone, which holds the
dataset, publishes them. So a job that ran twice, or an actor that lives on where the driver
cannot see it, does no harm.
"""

import contextlib
import importlib
import os
import queue
import secrets
import socket
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from toolkit import __version__
from toolkit.dataset.paths import source_path
from toolkit.dataset.writer import Written, publish_written
from toolkit.errors import SetupError, StorageError, ToolkitError
from toolkit.ingest.runners.base import Crashes, Progress
from toolkit.ingest.runners.dispatch import Died, Event, Finished, Reported, dispatch
from toolkit.ingest.runners.failures import make_sendable
from toolkit.ingest.runners.processes import THREADS
from toolkit.ingest.workspace import sweep_workspaces
from toolkit.memory import count_kills
from toolkit.schema import Job

MakeJob = Callable[..., Written]
"""`toolkit.ingest.run.make_job`."""

PORT = 6379
"""Of a cluster's head, where an address names none: Ray's own default."""

NOTICE, PATIENCE = 30, 600
"""Seconds without any actor until a warning, and until an error."""

_ASK_SECONDS = 30
_MARK = ".tmp-driver"


@contextlib.contextmanager
def open_ray(
    jobs: Sequence[Job],
    dataset: Path,
    *,
    workers: int,
    address: str | None,
    prepare: Callable[[], object],
    make: MakeJob,
) -> Iterator[Callable[[Iterable[Job], Path, Callable[[Progress], None]], None]]:
    """What runs jobs on a Ray cluster, with at least one actor ready.

    Args:
        jobs: those to come.
        dataset: the dataset's folder, which every node must see under this path.
        workers: actors; 0: one for each core of the cluster; never more than jobs.
        address: of the cluster, `auto` or HOST[:PORT]; None: the one at hand, else a new one of
            this machine, which ends with the block.
        prepare: loads an actor's models.
        make: makes a job's shard.

    Raises:
        SetupError: Ray is not installed.
        ToolkitError: no cluster there, no free core in it, a node that does not see the files.
    """
    with _connect(address) as ray:
        count = workers or int(ray.cluster_resources().get("CPU", 0))
        if not count:
            raise ToolkitError("the Ray cluster has no CPU: start a node: ray start --address …")
        actors = RayActors(ray, min(count, len(jobs)), prepare, make, dataset, jobs)
        try:
            actors.expect_one()
            yield actors.run
        finally:
            actors.close()
            sweep_workspaces(dataset)


@contextlib.contextmanager
def _connect(address: str | None) -> Iterator[Any]:
    """Ray itself, connected; what the caller connected before stays so."""
    try:
        ray = importlib.import_module("ray")
    except ImportError as error:
        raise SetupError('--engine ray needs Ray: pip install "ttk[ray]"') from error
    if ray.is_initialized():
        yield ray
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray would send figures to its makers
    where = f"--address {address}" if address else "Ray"
    if address and "://" in address:
        raise ValueError(f"{where}: give auto or HOST[:PORT]; run this on a node of the cluster")
    if address not in (None, "auto", "local") and ":" not in address:
        address = f"{address}:{PORT}"
    try:
        ray.init(address=address, logging_level="ERROR", log_to_driver=False)
    except Exception as error:  # of a dozen types, among them RuntimeError and its own
        text = " ".join(str(error).split())[:200]
        raise ToolkitError(f"{where}: no Ray cluster answers: ray start --head ({text})") from error
    try:
        yield ray
    finally:
        ray.shutdown()


@dataclass(frozen=True)
class _Hello:
    """What an actor says when its models are loaded.

    `problem`: what keeps it from working; `kills`: of its machine so far, see `count_kills`.
    """

    node: str
    kills: int
    texts: tuple[str, ...] = ()
    problem: Exception | None = None


@dataclass
class _Member:
    """An actor as the driver knows it: `hello` until it is ready, then its node and jobs."""

    name: str
    handle: Any
    hello: Any
    node: str = ""
    kills: int = 0
    jobs: list[Any] = field(default_factory=list)


class RayActors:
    """Actors on a cluster, see `dispatch.Actors`."""

    def __init__(
        self,
        ray: Any,
        count: int,
        prepare: Callable[[], object],
        make: MakeJob,
        dataset: Path,
        jobs: Sequence[Job],
    ) -> None:
        self._ray, self._dataset = ray, dataset.absolute()
        self._mark = self._dataset / "shards" / _MARK
        self._mark.write_text(secrets.token_hex())
        folders = {path.parent: path for path in _see_sources(jobs, self._dataset)}
        self._start = {
            "prepare": prepare,
            "make": make,
            "dataset": self._dataset,
            "cwd": Path.cwd(),
            "version": __version__,
            "mark": self._mark.read_text(),
            "paths": sorted(folders.values()),
        }
        self._members: dict[str, _Member] = {}
        self._warned: set[str] = set()
        self._alone_since, self._noticed = time.monotonic(), False
        for _ in range(count):
            self._add()

    def run(self, jobs: Iterable[Job], dataset: Path, report: Callable[[Progress], None]) -> None:
        """Run jobs, publish what they give, call `report` with every step."""
        for progress in dispatch(self, jobs, lambda written: publish_written(dataset, written)):
            if progress.kind == "warning":
                self._warn(progress.text)
            else:
                report(progress)

    def expect_one(self) -> None:
        """Wait until an actor is ready."""
        while not self.list_ready():
            self.wait()

    def list_ready(self) -> list[str]:
        """See `dispatch.Actors`."""
        return [member.name for member in self._members.values() if member.node]

    def give(self, actor: str, job: Job, crashes: Crashes) -> None:
        """See `dispatch.Actors`."""
        member, paths = self._members[actor], _see_sources([job], self._dataset)
        run = member.handle.run.options(num_returns="streaming")
        member.jobs.append(run.remote(job, dict(crashes), paths))

    def wait(self) -> list[Event]:
        """See `dispatch.Actors`."""
        waiting = {m.jobs[0] if m.jobs else m.hello: m for m in self._members.values()}
        waiting = {what: m for what, m in waiting.items() if m.jobs or not m.node}
        ready, _ = self._ray.wait(list(waiting), num_returns=1, timeout=NOTICE)
        self._check_patience()
        events = [self._take(waiting[what], what) for what in ready]
        return [event for event in events if event is not None]

    def close(self) -> None:
        """Stop every actor at once; jobs in progress are lost, nothing else."""
        for member in self._members.values():
            self._ray.kill(member.handle)
            self._find_marker(member).unlink(missing_ok=True)
        self._mark.unlink(missing_ok=True)

    def _add(self) -> None:
        name = secrets.token_hex(4)
        actor = self._ray.remote(_Actor).options(
            num_cpus=1,
            max_restarts=0,
            scheduling_strategy="SPREAD",
            runtime_env={"env_vars": dict.fromkeys(THREADS, "1")},
        )
        handle = actor.remote(name)
        self._members[name] = _Member(name, handle, handle.start.remote(**self._start))

    def _take(self, member: _Member, what: Any) -> Event | None:
        """One answer of an actor."""
        try:
            answer = self._ray.get(next(what) if member.jobs else what)
        except StopIteration:
            member.jobs.pop(0)
            return None
        except self._ray.exceptions.RayActorError as error:
            return self._bury(member, error)
        except self._ray.exceptions.RayError as error:
            text = " ".join(str(error).split())[:300]
            raise ToolkitError(f"Ray: {text}: run the same again") from error
        if isinstance(answer, _Hello):
            self._welcome(member, answer)
            return None
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, Written):
            return Finished(member.name, answer)
        return Reported(member.name, answer)

    def _welcome(self, member: _Member, hello: _Hello) -> None:
        if hello.problem is not None:
            raise hello.problem
        member.node, member.kills = hello.node, hello.kills
        for text in hello.texts:
            self._warn(text)

    def _bury(self, member: _Member, error: Exception) -> Died | None:
        """Put another in the place of an actor that died, and find out why it did."""
        del self._members[member.name]
        with contextlib.suppress(Exception):  # out of reach perhaps, yet alive
            self._ray.kill(member.handle)
        if not member.node and not error.preempted:  # type: ignore[attr-defined]
            text = " ".join(str(error).split())[:300]
            raise ToolkitError(f"a Ray actor died at its start: {text}")
        marker = self._find_marker(member)
        source = marker.read_text() if marker.exists() else ""
        marker.unlink(missing_ok=True)
        kills = self._ask_kills(member.node)
        self._add()
        killed_by_ray = "OUT_OF_MEMORY" in str(error)
        return Died(
            member.name,
            source,
            is_lost=kills is None,
            memory_is_short=killed_by_ray or (kills or 0) > member.kills,
        )

    def _ask_kills(self, node: str) -> int | None:
        """`count_kills` there; None where the node does not answer: it is gone."""
        strategies = importlib.import_module("ray.util.scheduling_strategies")
        there = strategies.NodeAffinitySchedulingStrategy(node, soft=False)
        ask = self._ray.remote(count_kills).options(
            num_cpus=0, max_retries=0, scheduling_strategy=there
        )
        try:
            return int(self._ray.get(ask.remote(), timeout=_ASK_SECONDS))
        except self._ray.exceptions.RayError:
            return None

    def _check_patience(self) -> None:
        """Say so where no actor is ready for long; raise where for too long."""
        if self.list_ready():
            self._alone_since, self._noticed = time.monotonic(), False
            return
        alone = time.monotonic() - self._alone_since
        have, free = self._ray.cluster_resources(), self._ray.available_resources()
        text = (
            f"no Ray actor is ready after {alone:.0f} s: models are being loaded, or other jobs "
            f"hold the cores ({free.get('CPU', 0):.0f} of {have.get('CPU', 0):.0f} free)"
        )
        if alone > PATIENCE:
            raise ToolkitError(f"{text}: free some, or add a node, and run the same again")
        if alone > NOTICE and not self._noticed:
            self._noticed = True
            warnings.warn(f"{text}: waiting", stacklevel=2)

    def _warn(self, text: str) -> None:
        if text not in self._warned:
            self._warned.add(text)
            warnings.warn(text, stacklevel=2)

    def _find_marker(self, member: _Member) -> Path:
        return _find_marker(self._dataset, member.name)


def _find_marker(dataset: Path, actor: str) -> Path:
    """Where an actor notes the source that it has in hand: a message could die with it."""
    return dataset / "shards" / f".tmp-{actor}.source"


def _see_sources(jobs: Iterable[Job], dataset: Path) -> list[Path]:
    """The sources of jobs that are there for this process."""
    paths = (source_path(s, dataset) for job in jobs for s in job.sources if not s.problem)
    return [path for path in paths if path.exists()]


class _Actor:
    """Lives on a node of the cluster: loads its models, then makes job after job."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._node = socket.gethostname()

    def start(
        self,
        *,
        prepare: Callable[[], object],
        make: MakeJob,
        dataset: Path,
        cwd: Path,
        version: str,
        mark: str,
        paths: Sequence[Path],
    ) -> _Hello:
        """Look whether files are there, load models; problems are answers."""
        import ray

        node = ray.get_runtime_context().get_node_id()
        self._make, self._dataset = make, dataset
        with contextlib.suppress(OSError):  # a job that was submitted: its folder is of one node
            os.chdir(cwd)  # options may name files from there
        try:
            self._check(version, mark)
            self._check_seen(paths)
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                prepare()
        except Exception as error:
            problem = make_sendable(error, f"an actor on {self._node}")
            return _Hello(node, 0, problem=problem)
        texts = [str(w.message) for w in caught if w.category is UserWarning]
        return _Hello(node, count_kills(), tuple(texts))

    def run(self, job: Job, crashes: Mapping[str, str], paths: Sequence[Path]) -> Iterator[Any]:
        """Yield the job's progress as it comes; last what was written, or an error."""
        events: queue.SimpleQueue[Any] = queue.SimpleQueue()

        def make() -> None:
            try:
                self._check_seen(paths)
                events.put(self._make_job(job, crashes, events.put))
            except Exception as error:
                events.put(make_sendable(error, f"an actor on {self._node}"))

        threading.Thread(target=make, daemon=True).start()
        while isinstance(event := events.get(), Progress):
            yield event
        yield event

    def _make_job(
        self, job: Job, crashes: Mapping[str, str], put: Callable[[Progress], None]
    ) -> Written:
        marker = _find_marker(self._dataset, self._name)
        marker.write_text("")

        def report(progress: Progress) -> None:
            if progress.kind == "source":
                marker.write_text(progress.source)
            put(progress)

        def show(message: Warning | str, category: type[Warning], *_: object) -> None:
            if category is UserWarning:
                put(Progress("warning", text=str(message)))

        warnings.showwarning = show  # type: ignore[assignment]
        workspace = f"{job.id}-{self._name}"
        return self._make(job, self._dataset, crashes, report, workspace=workspace)

    def _check(self, version: str, mark: str) -> None:
        if version != __version__:
            raise ToolkitError(f"node {self._node}: has ttk {__version__}, not {version}")
        folder = self._dataset / "shards"
        try:
            is_same = (folder / _MARK).read_text() == mark
            _find_marker(self._dataset, self._name).write_text("")
        except OSError as error:
            raise StorageError(
                f"node {self._node}: does not see {folder}, or may not write there: every node "
                f"needs the folder of --out under the same path ({error.strerror})"
            ) from error
        if not is_same:
            raise StorageError(
                f"node {self._node}: has another {folder}: every node needs the same folder, shared"
            )

    def _check_seen(self, paths: Iterable[Path]) -> None:
        for path in paths:
            if not path.exists():
                raise StorageError(
                    f"node {self._node}: does not see {path}: every node needs the sources under "
                    "the same paths"
                )
