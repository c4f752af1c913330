"""Which items come together in an epoch's batches, and their loading ahead.

B items of a batch.
"""

import abc
import signal
from collections.abc import Iterator, Sequence
from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt
from torch.utils.data import DataLoader, Dataset

from toolkit.errors import ToolkitError

Places = npt.NDArray[np.int64]

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)
"""They ask a training to end: Ctrl-C, and how Slurm and torchrun end a job."""

Batch_co = TypeVar("Batch_co", covariant=True)


class Source(Protocol[Batch_co]):
    """Items, numbered from 0; pickled where worker processes gather them."""

    def gather(self, places: Places, /) -> Batch_co:
        """Those at (B,) places."""


class Loadable(Dataset[Batch_co], abc.ABC):
    """Numbered batches that may be made ahead."""

    @abc.abstractmethod
    def __len__(self) -> int:
        """How many there are."""

    def load(
        self, first: int = 0, workers: int = 0, *, pin_memory: bool = False
    ) -> Iterator[Batch_co]:
        """Batches `first`, `first` + 1, …, made ahead by so many processes (0: when asked)."""
        return iter(
            DataLoader(
                self,
                batch_size=None,
                sampler=range(first, len(self)),
                num_workers=workers,
                pin_memory=pin_memory,
                worker_init_fn=_ignore_signals,
            )
        )


class Batches(Loadable[Batch_co]):
    """Batches of a source in a given order."""

    def __init__(self, source: Source[Batch_co], order: Sequence[Places]) -> None:
        """`order` holds (B,) places of each batch."""
        self._source, self._order = source, order

    def __len__(self) -> int:
        return len(self._order)

    def __getitem__(self, index: int) -> Batch_co:
        return self._source.gather(self._order[index])


def _ignore_signals(worker: int) -> None:
    """A signal to the whole process group is the parent's to obey: it still needs its batches.

    A worker ends when its parent closes its queue, or is gone.
    """
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def draw_order(
    num_items: int,
    *,
    batch_size: int,
    seed: int,
    epoch: int,
    rank: int = 0,
    world_size: int = 1,
    what: str = "items",
) -> list[Places]:
    """Places of one process's batches in an epoch.

    All items stand in an order drawn from seed and epoch, cut into batches of `batch_size` over
    all processes, of which each takes an even share: every process has as many batches, of as many
    items, whatever the number of processes. The last, incomplete batch is left out, unless it is
    the only one.

    Args:
        num_items: how many there are.
        batch_size: of a step, over all processes.
        seed: of the order.
        epoch: from 0.
        rank: of this process.
        world_size: how many processes there are.
        what: the items' name in errors.

    Raises:
        ValueError: processes that do not divide the batch.
        ToolkitError: fewer items than processes.
    """
    _check_shares(num_items, batch_size, rank, world_size, what)
    order = np.random.default_rng([seed, epoch]).permutation(num_items)
    size = min(batch_size, num_items // world_size * world_size)
    whole = order[: num_items // size * size]
    return share_order(whole, size, rank=rank, world_size=world_size, what=what)


def share_order(
    order: Places, batch_size: int, *, rank: int = 0, world_size: int = 1, what: str = "items"
) -> list[Places]:
    """One process's even shares of batches that are cut out of an order, one behind the other.

    The last batch is of what is left, but for items that cannot be shared evenly; a process alone
    has them all.

    Args:
        order: places, the same in all processes.
        batch_size: of a step, over all processes.
        rank: of this process.
        world_size: how many processes there are.
        what: the items' name in errors.

    Raises:
        ValueError: processes that do not divide the batch.
        ToolkitError: fewer items than processes.
    """
    _check_shares(len(order), batch_size, rank, world_size, what)
    whole = order[: len(order) // world_size * world_size]
    return [batch[rank::world_size] for batch in cut_order(whole, batch_size)]


def _check_shares(num_items: int, batch_size: int, rank: int, world_size: int, what: str) -> None:
    if batch_size < 1 or batch_size % world_size or not 0 <= rank < world_size:
        raise ValueError(
            f"a batch of {batch_size} {what} cannot be shared evenly by {world_size} processes: "
            f"choose a multiple of {world_size}"
        )
    if num_items < world_size:
        raise ToolkitError(f"{num_items} {what} are too few for {world_size} processes")


def cut_order(order: Places, size: int) -> list[Places]:
    """Batches of `size` items, the last one of what is left; ValueError for a size below 1."""
    if size < 1:
        raise ValueError(f"batches of {size}")
    return [order[first : first + size] for first in range(0, len(order), size)]


def spread_order(num_items: int, most: int) -> list[Places]:
    """At most so many items, evenly spaced, one in a batch."""
    places = np.linspace(0, num_items - 1, min(most, num_items)).round().astype(np.int64)
    return cut_order(places, 1)
