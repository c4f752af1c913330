"""Which actor gets which job, and what follows from its death: knows no cluster."""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from toolkit.dataset.writer import Written
from toolkit.ingest.runners.base import Crashes, Progress
from toolkit.ingest.runners.failures import CrashCounter
from toolkit.schema import Job

IN_FLIGHT = 2
"""Jobs of an actor at most: the one that it runs, and the next."""


@dataclass(frozen=True)
class Reported:
    """An actor has come a step further."""

    actor: str
    progress: Progress


@dataclass(frozen=True)
class Finished:
    """An actor has done the first of its jobs."""

    actor: str
    written: Written


@dataclass(frozen=True)
class Died:
    """An actor is gone, and its jobs with it.

    Attributes:
        actor: its name.
        job: id of the job that it ran last; "" before the first one.
        source: path of the source of that job that it had in hand; "" before the first one.
        is_lost: its node is gone or out of reach: no source is to blame.
        memory_is_short: the kernel, or Ray, kills processes of that node for want of memory.
    """

    actor: str
    job: str
    source: str
    is_lost: bool
    memory_is_short: bool = False


Event = Reported | Finished | Died


class Actors(Protocol):
    """Actors by name; one that died is never heard of again, another takes its place."""

    def list_ready(self) -> Sequence[str]:
        """Those that have loaded their models."""

    def count_starting(self) -> int:
        """How many others have not loaded their models yet."""

    def give(self, actor: str, job: Job, crashes: Crashes) -> None:
        """Queue a job at an actor, which runs its jobs in order."""

    def wait(self) -> Iterable[Event]:
        """What has happened; none where an actor has become ready. Raises what a job raised."""


def dispatch(
    actors: Actors, jobs: Iterable[Job], publish: Callable[[Written], None]
) -> Iterator[Progress]:
    """Run jobs on whichever actor is free; yields their progress.

    A job of an actor that died is run again, by whichever is free. `publish` is called here, one
    job at a time: what an actor out of reach makes in addition is never published.

    Raises:
        ToolkitError: what a job raised; see also `CrashCounter.add`.
    """
    queue, crashes = deque(jobs), CrashCounter()
    held: dict[str, deque[Job]] = defaultdict(deque)
    while queue or any(held.values()):
        _share_out(actors, queue, held, crashes)
        for event in actors.wait():
            if isinstance(event, Reported):
                yield event.progress
            elif isinstance(event, Finished):
                publish(event.written)
                yield Progress("job_done", held[event.actor].popleft().id)
            else:
                lost = held.pop(event.actor, deque())
                queue.extendleft(reversed(lost))
                if lost and not event.is_lost:
                    is_begun = event.job in [job.id for job in lost]
                    job_id, source = (event.job, event.source) if is_begun else (lost[0].id, "")
                    crashes.add(job_id, source, memory_is_short=event.memory_is_short)


def _share_out(
    actors: Actors, queue: deque[Job], held: dict[str, deque[Job]], crashes: CrashCounter
) -> None:
    """A job for every actor without one; a second each, while there are enough for all.

    Actors that have not loaded their models yet are counted with two jobs each: else the first that
    is ready would take what they could begin with.
    """
    ready = actors.list_ready()
    enough = len(ready) + IN_FLIGHT * actors.count_starting()
    for depth in range(IN_FLIGHT):
        for actor in ready:
            if not queue or (depth and len(queue) < enough):
                return
            if len(held[actor]) <= depth:
                job = queue.popleft()
                actors.give(actor, job, crashes.describe(job.id))
                held[actor].append(job)
