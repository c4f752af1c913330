"""What goes wrong in workers, wherever they run: deaths are counted, errors made to be sent."""

import pickle
from collections import Counter, defaultdict

from toolkit.errors import StorageError, ToolkitError
from toolkit.ingest.runners.base import Crashes

MAX_CRASHES = 2
"""A source that kills its worker this often is `failed`."""


class CrashCounter:
    """How often each source of each job killed its worker."""

    def __init__(self) -> None:
        self._counts: dict[str, Counter[str]] = defaultdict(Counter)

    def add(self, job_id: str, source: str, *, memory_is_short: bool) -> None:
        """A worker died with this source in hand, "" before the job's first one.

        Raises:
            ToolkitError: it happened `MAX_CRASHES` times, and it is not the source that kills.
        """
        self._counts[job_id][source] += 1
        if self._counts[job_id][source] < MAX_CRASHES:
            return
        if memory_is_short:
            raise StorageError("memory is short: the kernel killed workers: use fewer --workers")
        if not source:
            raise ToolkitError(
                "workers die before they reach a source: try --engine local --workers 0 --debug"
            )

    def describe(self, job_id: str) -> Crashes:
        """The sources of a job that are `failed`, with the reason."""
        text = f"it killed its worker {MAX_CRASHES} times"
        counts = self._counts[job_id]
        return {source: text for source, count in counts.items() if count >= MAX_CRASHES}


def make_sendable(error: Exception, where: str = "a worker") -> Exception:
    """The error as the parent is to raise it, with the worker's traceback for `--debug`."""
    import traceback

    text = " ".join(str(error).split())
    if isinstance(error, MemoryError):
        sent: Exception = StorageError(f"memory is short: use fewer --workers ({text})")
    elif isinstance(error, (ToolkitError, OSError, ValueError)) and _survives_pickling(error):
        sent = error
    else:
        sent = ToolkitError(f"unexpected {type(error).__name__}: {text}: run again with --debug")
    sent.add_note(f"in {where}:\n" + "".join(traceback.format_exception(error)))
    return sent


def _survives_pickling(error: Exception) -> bool:
    try:
        return type(pickle.loads(pickle.dumps(error))) is type(error)
    except Exception:
        return False
