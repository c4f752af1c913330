"""A run at an address of a store: trained in the cache, uploaded with its checkpoints."""

import contextlib
import os
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from toolkit.errors import StorageError
from toolkit.store.address import find_address
from toolkit.store.cache import open_cache
from toolkit.store.mirror import hold_address
from toolkit.store.remote import Remote
from toolkit.store.working import AREA, WorkingFolder
from zoo.training.distributed import Distributed
from zoo.training.loop import BEST, LAST

PREPARED = (".s16", ".f16", ".npz")
"""Endings of what families prepare, which may be many GB and is made again elsewhere."""


@dataclass(frozen=True)
class OpenRun:
    """A run's folder on this disk.

    Attributes:
        folder: where to train.
        keep: uploads it if there is a new checkpoint; of a folder of the user's it does nothing.
    """

    folder: Path
    keep: Callable[[], None] = lambda: None


@contextlib.contextmanager
def open_run(out: Path, distributed: Distributed) -> Iterator[OpenRun]:
    """The folder of a run, or of the cache, which is uploaded whenever asked and at the end.

    The first process alone uploads. Where the store refuses behind a checkpoint, it is warned of
    and tried again behind the next one; at the end it is an error.

    Raises:
        BusyError: another training of this machine writes to the same address.
        StorageError: the store refuses or cannot be reached.
    """
    address = find_address(out)
    if address is None:
        yield OpenRun(out)
        return
    cache = open_cache()
    working = WorkingFolder(cache, address, kept_here=PREPARED, last=(BEST, LAST))
    is_first = distributed.is_first
    with hold_address(cache, AREA, address) if is_first else contextlib.nullcontext():
        if is_first:
            Remote(address).sweep()
        if is_first or os.environ.get("LOCAL_RANK", "0") == "0":  # one process of each node
            working.pull()
        distributed.wait()

        def keep() -> None:
            if is_first and working.changes((LAST, BEST)):
                try:
                    working.push()
                except StorageError as error:
                    text = f"{error}: the checkpoint lies here alone; tried again behind the next"
                    warnings.warn(text, stacklevel=2)

        try:
            yield OpenRun(working.path, keep)
        except BaseException:
            keep()  # its own error is a warning: what ended the run is raised
            raise
        if is_first:
            working.push()
