"""An actor on a node of a Ray cluster: loads its models, then makes job after job."""

import contextlib
import os
import queue
import socket
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit import __version__
from toolkit.dataset.writer import Written
from toolkit.errors import StorageError, ToolkitError
from toolkit.ingest.runners.base import Progress
from toolkit.ingest.runners.failures import make_sendable
from toolkit.memory import count_kills
from toolkit.schema import Job

MakeJob = Callable[..., Written]
"""`toolkit.ingest.run.make_job`."""

MARK = ".tmp-driver"
"""File in `shards/` that the driver has written: who reads the same sees the same folder."""


@dataclass(frozen=True)
class Hello:
    """What an actor says when its models are loaded.

    `problem`: what keeps it from working; `kills`: of its machine so far, see `count_kills`.
    """

    node: str
    kills: int
    texts: tuple[str, ...] = ()
    problem: Exception | None = None


def find_marker(dataset: Path, actor: str) -> Path:
    """Where an actor notes the job and source that it has in hand: a message could die with it."""
    return dataset / "shards" / f".tmp-{actor}.source"


class IngestActor:
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
    ) -> Hello:
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
            return Hello(node, 0, problem=problem)
        texts = [str(w.message) for w in caught if w.category is UserWarning]
        return Hello(node, count_kills(), tuple(texts))

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
        marker = find_marker(self._dataset, self._name)
        marker.write_text(f"{job.id}\n")

        def report(progress: Progress) -> None:
            if progress.kind == "source":
                marker.write_text(f"{job.id}\n{progress.source}")
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
            is_same = (folder / MARK).read_text() == mark
            find_marker(self._dataset, self._name).write_text("")
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
