"""A folder of any files that a command works in here and keeps on a store, such as a training run.

Its files lie in the cache and are never dropped. What the store has counts: it is taken whole when
the command begins, and changed files are uploaded when the command says so.
"""

import os
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from toolkit.storage import write_whole
from toolkit.store.address import is_safe
from toolkit.store.cache import Cache
from toolkit.store.mirror import Snapshot, is_same, list_files, take_snapshot
from toolkit.store.remote import Remote

AREA = "runs"
"""Of the cache."""


@dataclass
class WorkingFolder:
    """A folder of the cache beside what an address holds.

    Attributes:
        cache: where it lies.
        address: on the store.
        kept_here: endings of names that are not uploaded, and stay when others are removed.
        last: names that are uploaded behind all others, in this order.
    """

    cache: Cache
    address: str
    kept_here: tuple[str, ...] = ()
    last: tuple[str, ...] = ()
    _uploaded: Snapshot = field(default_factory=dict, init=False)

    @property
    def path(self) -> Path:
        """The folder on this disk."""
        return self.cache.locate(AREA, self.address)

    def pull(self) -> None:
        """Make it what the store has; `StorageError` where the store refuses."""
        remote = Remote(self.address)
        entries = {key: entry for key, entry in remote.list().items() if is_safe(key)}
        with self.cache.lock():
            for path in list_files(self.path):
                key = path.relative_to(self.path).as_posix()
                if key not in entries and not key.endswith(self.kept_here):
                    path.unlink()
            for key, entry in entries.items():
                path = self.path / key
                if path.is_file() and is_same(path, entry):
                    continue
                with write_whole(path) as temporary:
                    remote.download(key, temporary)
                    os.utime(temporary, ns=(entry.stamp, entry.stamp))
        self._uploaded = take_snapshot(self.path, "")

    def changes(self, names: Collection[str]) -> bool:
        """Whether one of these files is another than on the store."""
        now = take_snapshot(self.path, "")
        return any(now.get(name) != self._uploaded.get(name) for name in names)

    def push(self) -> None:
        """Upload what has changed, each file whole; `StorageError` where the store refuses."""
        now = take_snapshot(self.path, "")
        changed = [
            key
            for key, state in sorted(now.items())
            if self._uploaded.get(key) != state and not key.endswith(self.kept_here)
        ]
        ranks = {key: number for number, key in enumerate(self.last, 1)}
        changed.sort(key=lambda key: ranks.get(key, 0))
        Remote(self.address).upload({key: self.path / key for key in changed})
        self._uploaded = now
