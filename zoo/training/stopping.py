"""Signals that ask a run to end: Ctrl-C, SIGTERM, and SIGUSR1 as Slurm's `--signal` sends it."""

import signal
import threading
from collections.abc import Callable
from typing import Any, Self, TypeVar

from zoo.data.order import STOP_SIGNALS

Result = TypeVar("Result")


class Stopped(KeyboardInterrupt):
    """A signal ended a run, whose checkpoint is written.

    Attributes:
        number: the signal's.
        epoch: from 0.
        step: steps of the epoch that are done and saved.
    """

    def __init__(self, number: int, epoch: int, step: int) -> None:
        super().__init__(f"{signal.Signals(number).name} in epoch {epoch + 1}, after step {step}")
        self.number, self.epoch, self.step = number, epoch, step


class StopSignals:
    """Within a `with` block signals of `STOP_SIGNALS` are noted instead of ending the process.

    A second Ctrl-C ends it at once. Signals that were ignored stay so; outside the main thread,
    where Python lets nothing be noted, all does as before.

    Attributes:
        received: number of the signal that came last; 0: none.
    """

    def __init__(self) -> None:
        self.received = 0
        self._cuts = False
        self._former: dict[int, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            heard = (
                number for number in STOP_SIGNALS if signal.getsignal(number) != signal.SIG_IGN
            )
            self._former = {number: signal.signal(number, self._note) for number in heard}
        return self

    def __exit__(self, *args: object) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: object) -> None:
        self.received = number
        if number == signal.SIGINT:
            signal.signal(number, signal.default_int_handler)
        if self._cuts:
            self._cuts = False  # what cleans up behind it is not cut short by the next one
            raise _CutError

    def cut_short(self, work: Callable[[], Result]) -> Result | None:
        """What `work` returns; None where a signal came, which ends it in its midst."""
        try:
            try:
                self._cuts = True
                return None if self.received else work()
            finally:
                self._cuts = False
        except _CutError:  # in the midst of it, or of its end
            return None


class _CutError(BaseException):
    """A signal came in the midst of what may be cut short."""
