"""What `zoo train` shows while it runs."""

import time
from typing import TYPE_CHECKING

from toolkit.cli.bar import Bar, write_left

if TYPE_CHECKING:
    from zoo.training.loop import Metrics, Step


class TrainProgress(Bar):
    """Steps, rate, time left and one loss, the first; a line at the end of every epoch."""

    def __init__(self, epochs: int, unit: str) -> None:
        """`unit` is what a recipe's `items` count."""
        super().__init__("train", "steps")
        self._epochs, self._items = epochs, unit
        self._first: tuple[float, int] | None = None

    def advance(self, step: "Step") -> None:
        """One step, or the end of an epoch."""
        done, total = step.epoch * step.num_steps + step.step, self._epochs * step.num_steps
        if self._first is None:
            self._first = time.monotonic(), done
            self.open(total)
        if step.validation:
            self.say(f"epoch {step.epoch + 1}/{self._epochs}: {describe_metrics(step.validation)}")
            return
        rate = f"{_write_rate(step.items_per_second)} {self._items}/s"
        loss = f"loss {next(iter(step.metrics.values())):.3g}"
        self.show(done, total, ", ".join([rate, self._estimate(done, total), loss]))

    def _estimate(self, done: int, total: int) -> str:
        began, first = self._first or (0.0, 0)
        return write_left(time.monotonic() - began, done - first, total - done)


def _write_rate(rate: float) -> str:
    return f"{rate:.1f}" if rate >= 1 else f"{rate:.2g}"


def describe_metrics(metrics: "Metrics") -> str:
    """`score 0.1234, cer jfk 0.1000`."""
    return ", ".join(f"{name} {value:.4g}" for name, value in metrics.items())
