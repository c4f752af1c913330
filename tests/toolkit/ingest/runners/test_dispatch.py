"""Which actor gets which job, and what follows from its death; actors here are a script."""

from collections import deque
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.dataset.writer import Written
from toolkit.errors import StorageError, ToolkitError
from toolkit.ingest.runners.base import Crashes, Progress
from toolkit.ingest.runners.dispatch import Died, Event, Finished, Reported, dispatch
from toolkit.schema import Job, Source


def make_job(name: str) -> Job:
    source = Source(path=name, size=1, mtime_ns=1, sha256=name, identity="ann", duration=1.0)
    return Job(id=name, sources=(source,), options={})


def write(job: Job) -> Written:
    return Written(job=job, shard=None, rows={"clips": [], "rejected": [], "sources": []})


class ScriptedActors:
    """Actors that do a job at every `wait`, in turn; `fate` says how each attempt goes."""

    def __init__(
        self, count: int, fate: Callable[[Job, Crashes], str], num_starting: int = 0
    ) -> None:
        """`num_starting`: actors that become ready one by one, each when a job was done."""
        self.num_starting = num_starting
        self.names = deque(f"a{number}" for number in range(count))
        self.jobs: dict[str, deque[tuple[Job, Crashes]]] = {name: deque() for name in self.names}
        self.given: list[tuple[str, str]] = []
        self.most = 0
        self._fate, self._num_made = fate, count

    def list_ready(self) -> list[str]:
        return sorted(self.names)

    def count_starting(self) -> int:
        return self.num_starting

    def give(self, actor: str, job: Job, crashes: Crashes) -> None:
        self.jobs[actor].append((job, crashes))
        self.given.append((actor, job.id))
        self.most = max(self.most, len(self.jobs[actor]))

    def wait(self) -> list[Event]:
        self.names.rotate(-1)
        name = next(name for name in self.names if self.jobs[name])
        job, crashes = self.jobs[name][0]
        fate = self._fate(job, crashes)
        if fate == "done":
            self.jobs[name].popleft()
            if self.num_starting:
                self.num_starting -= 1
                self._add()
            return [Reported(name, Progress("source", job.id)), Finished(name, write(job))]
        self.names.remove(name)
        del self.jobs[name]
        if fate != "no more":
            self._add()
        source = "" if fate == "early" else job.sources[0].path
        return [Died(name, job.id, source, fate in ("lost", "no more"), fate == "memory")]

    def _add(self) -> None:
        self.names.append(f"a{self._num_made}")
        self.jobs[f"a{self._num_made}"] = deque()
        self._num_made += 1


def run_all(actors: ScriptedActors, names: str) -> tuple[list[str], list[Progress]]:
    published: list[Written] = []
    events = list(dispatch(actors, map(make_job, names), published.append))
    return [written.job.id for written in published], events


@given(count=st.integers(1, 5), num_jobs=st.integers(0, 20), data=st.data())
def test_every_job_is_published_once_whichever_actors_die(
    count: int, num_jobs: int, data: st.DataObject
) -> None:
    def fate(job: Job, crashes: Crashes) -> str:
        if job.sources[0].path in crashes:
            return "done"
        return data.draw(st.sampled_from(["done", "done", "crash", "lost"]))

    names = "abcdefghijklmnopqrst"[:num_jobs]
    actors = ScriptedActors(count, fate)
    published, events = run_all(actors, names)
    assert sorted(published) == sorted(names)
    assert [event.job for event in events if event.kind == "job_done"] == published
    assert actors.most <= 2


def test_a_second_job_waits_at_an_actor_only_while_there_are_enough_for_all() -> None:
    actors = ScriptedActors(2, lambda job, crashes: "done")
    run_all(actors, "abcdef")
    first = [job for _, job in actors.given[:4]]
    assert first == ["a", "b", "c", "d"]
    assert actors.most == 2
    few = ScriptedActors(3, lambda job, crashes: "done")
    run_all(few, "abcd")
    assert few.most == 1


@pytest.mark.parametrize(("names", "first"), [("ab", "a"), ("abc", "a"), ("abcd", "ab")])
def test_the_first_actor_that_is_ready_leaves_jobs_for_those_that_load_their_models(
    names: str, first: str
) -> None:
    """One is ready, another is not: behind the first job there must be one more, and two for it."""
    given: list[str] = []

    def fate(job: Job, crashes: Crashes) -> str:
        given.append("".join(job for _, job in actors.given))
        return "done"

    actors = ScriptedActors(1, fate, num_starting=1)
    published, _ = run_all(actors, names)
    assert given[0] == first
    assert sorted(published) == sorted(names)


def test_a_source_that_kills_twice_is_given_as_failed_the_third_time() -> None:
    seen: list[Crashes] = []

    def fate(job: Job, crashes: Crashes) -> str:
        if job.id == "b":
            seen.append(dict(crashes))
        return "done" if job.id != "b" or crashes else "crash"

    published, _ = run_all(ScriptedActors(2, fate), "abc")
    assert sorted(published) == ["a", "b", "c"]
    assert seen == [{}, {}, {"b": "it killed its worker 2 times"}]


def test_a_death_between_two_jobs_is_no_source_s_fault_but_does_not_go_on_for_ever() -> None:
    """What the actor noted last is of the job before, which is published already."""

    class Dying(ScriptedActors):
        def wait(self) -> list[Event]:
            events = super().wait()
            return [Died(e.actor, "b", "b", False) if isinstance(e, Died) else e for e in events]

    fates = iter(["done", "crash", "done"])
    actors = Dying(1, lambda job, crashes: "done" if crashes else next(fates))
    assert run_all(actors, "bc")[0] == ["b", "c"]
    dying = Dying(1, lambda job, crashes: "done" if job.id == "b" else "crash")
    with pytest.raises(ToolkitError, match="before they reach a source"):
        run_all(dying, "bc")


def test_nodes_that_are_lost_are_no_source_s_fault() -> None:
    fates = iter(["lost"] * 5)
    seen: list[Crashes] = []

    def fate(job: Job, crashes: Crashes) -> str:
        seen.append(dict(crashes))
        return next(fates, "done")

    published, _ = run_all(ScriptedActors(1, fate), "a")
    assert published == ["a"]
    assert seen == [{}] * 6


def test_jobs_of_an_actor_that_is_not_replaced_go_to_the_others() -> None:
    lost: list[str] = []

    def fate(job: Job, crashes: Crashes) -> str:
        if job.id == "a" and not lost:
            lost.append("a")
            return "no more"
        return "done"

    published, _ = run_all(ScriptedActors(2, fate), "abcdef")
    assert sorted(published) == list("abcdef")


@pytest.mark.parametrize(
    ("fate", "error", "words"),
    [("memory", StorageError, "fewer --workers"), ("early", ToolkitError, "--workers 0 --debug")],
)
def test_deaths_that_no_source_causes_end_the_run(
    fate: str, error: type[ToolkitError], words: str
) -> None:
    with pytest.raises(error, match=words):
        run_all(ScriptedActors(1, lambda job, crashes: fate), "a")


def test_what_publishing_raises_ends_the_run_and_earlier_jobs_stay() -> None:
    published: list[str] = []

    def publish(written: Written) -> None:
        if written.job.id == "b":
            raise StorageError("the disk is full")
        published.append(written.job.id)

    actors = ScriptedActors(1, lambda job, crashes: "done")
    with pytest.raises(StorageError, match="full"):
        list(dispatch(actors, map(make_job, "abc"), publish))
    assert published == ["a"]
