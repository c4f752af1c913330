"""What `zoo train` shows while it runs."""

import time
from typing import TYPE_CHECKING

from toolkit.cli.bar import Bar, write_left

if TYPE_CHECKING:
    from zoo.training.loop import Metrics, Step


class TrainProgress(Bar):
    """Loss, items a second, time left; a line at the end of every epoch."""

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
        epoch = f"epoch {step.epoch + 1}/{self._epochs}"
        rate = f"{step.items_per_second:.1f} {self._items}/s"
        left = self._estimate(done, total)
        self.show(done, total, ", ".join([epoch, _write_loss(step.metrics), rate, left]))

    def _estimate(self, done: int, total: int) -> str:
        began, first = self._first or (0.0, 0)
        return write_left(time.monotonic() - began, done - first, total - done)


def _write_loss(metrics: "Metrics") -> str:
    shown = {name: value for name, value in metrics.items() if "loss" in name}
    return describe_metrics(shown or metrics)


def describe_metrics(metrics: "Metrics") -> str:
    """`score 0.1234, cer jfk 0.1000`."""
    return ", ".join(f"{name} {value:.4g}" for name, value in metrics.items())
