"""A process that is gone, or frozen, is noticed by the others; one that ends in order is not."""

import time

from torch.distributed import HashStore

from zoo.training.heartbeat import GONE, Heartbeat


def beat(store: HashStore, rank: int, said: list[str]) -> Heartbeat:
    return Heartbeat(store, rank, 2, every=0.02, patience=1.0, end=said.append)


def test_processes_that_count_leave_each_other_alone() -> None:
    store = HashStore()
    said: list[str] = []
    with beat(store, 0, said), beat(store, 1, said):
        time.sleep(1.8)
    assert not said


def test_one_that_never_counts_is_taken_for_gone_once() -> None:
    said: list[str] = []
    with beat(HashStore(), 0, said):
        time.sleep(1.8)
    assert said == [GONE]


def test_one_that_ended_in_order_is_not_missed() -> None:
    store = HashStore()
    said: list[str] = []
    with beat(store, 0, said):
        with beat(store, 1, said):
            time.sleep(0.1)
        time.sleep(1.8)
    assert not said


def test_a_store_that_never_answers_is_a_node_that_is_gone() -> None:
    class Silent:
        def add(self, key: str, number: int) -> int:
            time.sleep(3)
            return 0

    said: list[str] = []
    with Heartbeat(Silent(), 0, 2, every=0.02, patience=0.3, end=said.append):
        time.sleep(0.8)
    assert said == [GONE]


def test_a_store_that_is_gone_is_a_node_that_is_gone() -> None:
    class Gone:
        def add(self, key: str, number: int) -> int:
            raise RuntimeError("Connection reset by peer")

    said: list[str] = []
    with Heartbeat(Gone(), 0, 2, every=0.02, end=said.append):
        time.sleep(0.3)
    assert said == [GONE]
