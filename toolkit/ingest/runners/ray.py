"""Run jobs as Ray actors: the driver's side, which with `ray_actor.py` alone knows Ray.

An actor is a worker on whichever node has a free core. It loads its models once, and leaves
finished shards in the dataset's folder under temporary names; the driver alone, which holds the
dataset, publishes them. So a job that ran twice, or an actor that lives on where the driver
cannot see it, does no harm.
"""

import contextlib
import importlib
import os
import secrets
import socket
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from toolkit import __version__
from toolkit.dataset.paths import source_path
from toolkit.dataset.writer import Written, publish_written
from toolkit.errors import SetupError, ToolkitError
from toolkit.ingest.runners.base import Crashes, Progress
from toolkit.ingest.runners.dispatch import Died, Event, Finished, Reported, dispatch
from toolkit.ingest.runners.processes import THREADS
from toolkit.ingest.runners.ray_actor import MARK, Hello, IngestActor, MakeJob, find_marker
from toolkit.ingest.workspace import sweep_workspaces
from toolkit.memory import count_kills
from toolkit.schema import Job

PORT = 6379
"""Of a cluster's head, where an address names none: Ray's own default."""

NOTICE, PATIENCE = 30, 600
"""Seconds without any actor until a warning, and until an error."""

MAX_STILLBORN = 3
"""Actors may die one after another before they are ready, as a node may be lost; not more."""

_OF_NEW_CLUSTERS = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}
"""Ray would send figures to its makers, and run workers at a niceness 15 above the driver's."""

_ASK_SECONDS = 30


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
    for name, value in _OF_NEW_CLUSTERS.items():
        os.environ.setdefault(name, value)
    where = f"--address {address}" if address else "Ray"
    if address and "://" in address:
        raise ValueError(f"{where}: give auto or HOST[:PORT]; run this on a node of the cluster")
    address = choose_address(address)
    try:
        ray.init(address=address, logging_level="ERROR", log_to_driver=False)
    except Exception as error:  # of a dozen types, among them RuntimeError and its own
        text = " ".join(str(error).split())[:200]
        raise ToolkitError(f"{where}: no Ray cluster answers: ray start --head ({text})") from error
    try:
        yield ray
    finally:
        ray.shutdown()


def choose_address(address: str | None) -> str | None:
    """Where Ray is to connect; at once an error, not minutes later, where nothing listens there.

    A cluster that was killed stays noted as this machine's; where no other is asked for, a new one
    takes its place.

    Raises:
        ToolkitError: nothing listens at the address.
    """
    if address not in (None, "auto", "local"):
        address = address if ":" in address else f"{address}:{PORT}"
        if not _listens(address):
            raise ToolkitError(f"--address {address}: nothing answers there: ray start --head")
        return address
    noted = "" if address == "local" or "RAY_ADDRESS" in os.environ else _read_noted()
    if not noted or _listens(noted):
        return address
    if address == "auto":
        raise ToolkitError(f"--address auto: the cluster at {noted} has ended: ray start --head")
    warnings.warn(f"the Ray cluster at {noted} has ended: a new one is started", stacklevel=2)
    return "local"


def _read_noted() -> str:
    """HOST:PORT of the cluster that was begun last on this machine; "" where none was."""
    path = Path(os.environ.get("RAY_TMPDIR") or "/tmp", "ray", "ray_current_cluster")
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _listens(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
    except (OSError, ValueError, OverflowError):
        return False
    return True


@dataclass
class _Member:
    """An actor as the driver knows it: `hello` until it is ready, then its node and jobs.

    `last`: id of the job and path of the source that it had in hand when it died.
    """

    name: str
    handle: Any
    hello: Any
    node: str = ""
    kills: int = 0
    last: str = ""
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
        self._mark = self._dataset / "shards" / MARK
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
        self._num_stillborn = 0
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

    def count_starting(self) -> int:
        """See `dispatch.Actors`."""
        return len(self._members) - len(self.list_ready())

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
            with contextlib.suppress(Exception):  # the cluster itself may be gone
                self._ray.kill(member.handle)
            find_marker(self._dataset, member.name).unlink(missing_ok=True)
        self._mark.unlink(missing_ok=True)

    def _add(self) -> None:
        name = secrets.token_hex(4)
        actor = self._ray.remote(IngestActor).options(
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
        if isinstance(answer, Hello):
            self._welcome(member, answer)
            return None
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, Written):
            return Finished(member.name, answer)
        return Reported(member.name, answer)

    def _welcome(self, member: _Member, hello: Hello) -> None:
        if hello.problem is not None:
            raise hello.problem
        member.node, member.kills, self._num_stillborn = hello.node, hello.kills, 0
        for text in hello.texts:
            self._warn(text)

    def _bury(self, member: _Member, error: Exception) -> Died | None:
        """Put another in the place of an actor that died, and find out why it did."""
        del self._members[member.name]
        with contextlib.suppress(Exception):  # out of reach perhaps, yet alive
            self._ray.kill(member.handle)
        marker = find_marker(self._dataset, member.name)
        with contextlib.suppress(FileNotFoundError):
            member.last = marker.read_bytes().decode()
        marker.unlink(missing_ok=True)
        if not member.node:
            self._num_stillborn += 1
            if self._num_stillborn > MAX_STILLBORN:
                text = " ".join(str(error).split())[:300]
                raise ToolkitError(f"Ray actors die at their start: {text}")
            self._add()
            return None
        kills = self._ask_kills(member.node)
        self._add()
        job_id, _, source = member.last.partition("\n")
        killed_by_ray = "OUT_OF_MEMORY" in str(error)
        return Died(
            member.name,
            job_id,
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


def _see_sources(jobs: Iterable[Job], dataset: Path) -> list[Path]:
    """The sources of jobs that are there for this process."""
    paths = (source_path(s, dataset) for job in jobs for s in job.sources if not s.problem)
    return [path for path in paths if path.exists()]
