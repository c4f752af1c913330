"""A generator and its discriminator under training: the adversarial step, once for all families.

In a step the discriminator learns first, then, with the discriminator frozen, the generator.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from zoo.training.distributed import Distributed
from zoo.training.options import ClipRunOptions
from zoo.training.precision import autocast

Logits = TypeVar("Logits")


class Adversaries:
    """Both networks with an optimiser each.

    Attributes:
        generate: the generator, compiled where the options say so.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        options: ClipRunOptions,
        distributed: Distributed,
        *,
        rates: Mapping[str, float],
        betas: tuple[float, float] = (0.9, 0.999),
    ) -> None:
        """Make Adam for each, by its learning rate; the networks are on their device already."""
        self._networks = {"generator": generator, "discriminator": discriminator}
        self._distributed = distributed
        self._precision = options.precision
        self.generate = torch.compile(generator) if options.compile else generator
        self._optimisers = {
            name: torch.optim.Adam(self._networks[name].parameters(), rate, betas)
            for name, rate in rates.items()
        }

    def set_rates(self, rates: Mapping[str, float]) -> None:
        """Learning rates from now on."""
        for name, rate in rates.items():
            for group in self._optimisers[name].param_groups:
                group["lr"] = rate

    def restart(self, name: str) -> None:
        """Forget what Adam knows of a network's gradients: another loss has others."""
        self._optimisers[name].state.clear()

    def autocast(self) -> contextlib.AbstractContextManager[None]:
        """Computes in the precision of the options."""
        networks = self._networks.values()
        return autocast(self._distributed.device, self._precision, *networks)

    def step_discriminator(
        self,
        judge: Callable[[Tensor], Logits],
        real: Tensor,
        pred: Tensor,
        loss: Callable[[Logits, Logits], Tensor],
    ) -> dict[str, Tensor]:
        """One step of the discriminator; its loss.

        Args:
            judge: the discriminator, its condition given.
            real: what it should take for real.
            pred: what the generator made; no gradient reaches it.
            loss: of the logits of `real` and of `pred`.
        """
        with self.autocast():
            logits = judge(real), judge(pred.detach())
        value = loss(*logits)
        self.step("discriminator", value.backward)
        return {"loss discriminator": value.detach()}

    @contextlib.contextmanager
    def judging(self) -> Iterator[None]:
        """Within, the discriminator's parameters get no gradient: the generator's step."""
        with frozen(self._networks["discriminator"]), self.autocast():
            yield

    def step(self, name: str, backward: Callable[[], object]) -> None:
        """One step of a network by the gradients that `backward` leaves in its parameters."""
        self._optimisers[name].zero_grad()
        backward()
        self._distributed.average_gradients(self._networks[name])
        self._optimisers[name].step()

    def read_losses(self, losses: Mapping[str, Tensor], num_items: int) -> dict[str, float]:
        """Figures of a step for the log, with its items over all processes."""
        figures = torch.stack(list(losses.values())).tolist()  # waits for the device once
        items = {"items": float(num_items * self._distributed.size)}
        return dict(zip(losses, figures, strict=True)) | items

    def state_dict(self) -> dict[str, Any]:
        """Of the optimisers; the networks' are their families' to store."""
        return {name: optimiser.state_dict() for name, optimiser in self._optimisers.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from there."""
        for name, optimiser in self._optimisers.items():
            optimiser.load_state_dict(state[name])


@contextlib.contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """No parameter gets a gradient within."""
    parameters = [value for value in network.parameters() if value.requires_grad]
    for parameter in parameters:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.requires_grad_(True)
