"""A process that is gone, or frozen, is noticed by the others; one that ends in order is not."""

import threading
import time
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from torch.distributed import HashStore

from zoo.training import heartbeat
from zoo.training.heartbeat import _FAREWELL, GONE, Heartbeat

PATIENCE = 100.0
"""s of the tests' clock: the machine may be as slow as it likes."""


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The only clock that heartbeats have; `now` is its time, s."""
    clock = SimpleNamespace(now=0.0)
    clock.monotonic = lambda: clock.now
    monkeypatch.setattr(heartbeat, "time", clock)
    return clock


def beat(store: HashStore, rank: int, said: list[str]) -> Heartbeat:
    return Heartbeat(store, rank, 2, every=0.005, patience=PATIENCE, end=said.append)


def wait_for(happened: Callable[[], object]) -> None:
    while not happened():  # the test's own limit ends it
        time.sleep(0.005)


def count_on(store: HashStore, *ranks: int) -> None:
    """Until each process has, after those before it, counted and looked at all others."""
    for rank in ranks:
        reached = store.add(f"heartbeat {rank}", 0) + 2
        wait_for(lambda key=f"heartbeat {rank}", n=reached: store.add(key, 0) >= n)


def test_processes_that_count_leave_each_other_alone(clock: SimpleNamespace) -> None:
    """For three times as long as a process may be silent."""
    store = HashStore()
    said: list[str] = []
    with beat(store, 0, said), beat(store, 1, said):
        for _ in range(6):
            count_on(store, 0, 1, 0)
            clock.now += PATIENCE / 2
        count_on(store, 0, 1)
    assert not said


def test_one_that_never_counts_is_taken_for_gone_once(clock: SimpleNamespace) -> None:
    store = HashStore()
    said: list[str] = []
    with beat(store, 0, said):
        count_on(store, 0)
        clock.now += 0.9 * PATIENCE
        count_on(store, 0)
        assert not said
        clock.now += 0.2 * PATIENCE
        wait_for(lambda: said)
    assert said == [GONE]


def test_one_that_ended_in_order_is_not_missed(clock: SimpleNamespace) -> None:
    store = HashStore()
    said: list[str] = []
    with beat(store, 0, said):
        with beat(store, 1, said):
            count_on(store, 1)
        wait_for(lambda: store.add("heartbeat 1", 0) >= _FAREWELL)
        count_on(store, 0)
        for _ in range(3):
            clock.now += 0.9 * PATIENCE
            count_on(store, 0)
    assert not said


def test_a_store_that_never_answers_is_a_node_that_is_gone(clock: SimpleNamespace) -> None:
    asked, over = threading.Event(), threading.Event()

    class Silent:
        def add(self, key: str, number: int) -> int:
            asked.set()
            over.wait()
            return 0

    said: list[str] = []
    with Heartbeat(Silent(), 0, 2, every=0.005, patience=PATIENCE, end=said.append):
        asked.wait()
        clock.now += 2 * PATIENCE
        wait_for(lambda: said)
        over.set()
    assert said == [GONE]


def test_a_store_that_is_gone_is_a_node_that_is_gone() -> None:
    class Gone:
        def add(self, key: str, number: int) -> int:
            raise RuntimeError("Connection reset by peer")

    said: list[str] = []
    with Heartbeat(Gone(), 0, 2, every=0.005, end=said.append):
        wait_for(lambda: said)
    assert said == [GONE]
