"""A running mean of a network's weights, with statistics of batch normalisation of its own."""

import copy
import itertools
from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

import torch
from torch import nn

Network = TypeVar("Network", bound=nn.Module)
Batch = TypeVar("Batch")


class RunningMean(Generic[Network]):
    """An exponential mean of a network's weights and statistics over the steps of training.

    Source: Tarvainen & Valpola, arXiv:1703.01780, section 2; the short memory of the first steps
    is that of TensorFlow's `ExponentialMovingAverage`, (1 + k) / (10 + k) in step k.

    Attributes:
        network: the mean, in evaluation mode.
        num_updates: steps taken in.
    """

    def __init__(self, trained: Network, keep: float) -> None:
        """Begin with the network as it is.

        Args:
            trained: what is trained.
            keep: how much of the mean stays at a step, at most; 0 copies the network.
        """
        self.network = copy.deepcopy(trained).eval()
        self.num_updates = 0
        self._trained, self._keep = trained, keep

    def update(self) -> None:
        """Take in the network after a step."""
        self.num_updates += 1
        keep = min(self._keep, (1 + self.num_updates) / (10 + self.num_updates))
        state = self._trained.state_dict()
        for name, tensor in self.network.state_dict().items():
            if tensor.is_floating_point():
                tensor.lerp_(state[name], 1 - keep)
            else:
                tensor.copy_(state[name])

    def settle(
        self, batches: Iterable[Batch], look: Callable[[Network, Batch], object], most: int
    ) -> None:
        """Compute the statistics of batch normalisation for the mean's own weights.

        A mean of those that the trained network had, batch by batch, is of other networks (as in
        stochastic weight averaging, arXiv:1803.05407, section 3.2).

        Args:
            batches: what the network is to be used on.
            look: lets the network see a batch.
            most: batches, of which the first are taken.
        """
        layers = [
            m for m in self.network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)
        ]
        for layer in layers:
            layer.reset_running_stats()
            layer.momentum = None  # the plain mean over batches
            layer.train()
        with torch.inference_mode():
            for batch in itertools.islice(batches, most if layers else 0):
                look(self.network, batch)
        for layer in layers:
            layer.eval()

    def state_dict(self) -> dict[str, Any]:
        """What the mean goes on from."""
        return {"network": self.network.state_dict(), "num_updates": self.num_updates}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from there."""
        self.network.load_state_dict(state["network"])
        self.num_updates = state["num_updates"]
