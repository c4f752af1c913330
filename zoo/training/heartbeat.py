"""Notice that a process of a training is gone, however it went: each keeps up a count.

A process that fails closes its connections, and the others' next exchange fails. One whose node
lost its power or its network says nothing: an exchange would wait for it for half an hour.
"""

import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

EVERY, PATIENCE = 5.0, 30.0
"""Seconds between two counts, and without one until a process is taken for gone."""

GONE = (
    "another process of this training is gone (its node was lost, or it failed and says so "
    "itself): start it again on all nodes with --resume auto"
)

_FAREWELL = 1 << 40


def end_at_once(text: str) -> None:
    """Say so and end the process: its main thread waits in an exchange, and cannot be called."""
    sys.stderr.write(f"zoo: error: {text}\n")
    sys.stderr.flush()
    os._exit(1)


class Heartbeat:
    """Counts in a thread while the block runs; ends the process where another's count stands.

    Args:
        store: where the counts are: has `add(key, number)`, which returns the new sum.
        rank: number of this process.
        size: how many there are.
        every: s between two counts.
        patience: s until a count that stands means that its process is gone.
        end: called with what happened, once.
    """

    def __init__(
        self,
        store: Any,
        rank: int,
        size: int,
        *,
        every: float = EVERY,
        patience: float = PATIENCE,
        end: Callable[[str], None] = end_at_once,
    ) -> None:
        self._store, self._rank, self._size = store, rank, size
        self._every, self._patience, self._end = every, patience, end
        self._over = threading.Event()
        self._ending = threading.Lock()
        self._counted = time.monotonic()
        self._threads = [
            threading.Thread(target=work, daemon=True) for work in (self._count_on, self._guard)
        ]

    def __enter__(self) -> "Heartbeat":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Count no more; the others do not wait for this process any longer."""
        self._over.set()
        for thread in self._threads:
            thread.join(self._every)  # the store may never answer

    def _count_on(self) -> None:
        others = [rank for rank in range(self._size) if rank != self._rank]
        seen = dict.fromkeys(others, (-1, time.monotonic()))
        try:
            while not self._over.wait(self._every):
                self._count(self._rank, 1)
                for other in others:
                    count, now = self._count(other, 0), time.monotonic()
                    if count != seen[other][0] or count >= _FAREWELL:
                        seen[other] = (count, now)
                    elif now - seen[other][1] > self._patience:
                        return self._give_up()
                self._counted = time.monotonic()
            self._count(self._rank, _FAREWELL)
        except RuntimeError:  # the store is gone, and with it the node that keeps it
            self._give_up()

    def _guard(self) -> None:
        """The store's own node may be lost: then it never answers."""
        while not self._over.wait(self._every):
            if time.monotonic() - self._counted > self._patience:
                self._give_up()

    def _give_up(self) -> None:
        with self._ending:  # both threads may come here
            if not self._over.is_set():
                self._over.set()
                self._end(GONE)

    def _count(self, rank: int, number: int) -> int:
        return int(self._store.add(f"heartbeat {rank}", number))
