"""MAML over persons (Finn et al., ICML 2017), as Das et al. (ECCV 2020) have it in Fig. 3.

A task is a person. The global weights are copied to fast weights, which learn for m steps from the
person's support; behind each step the fast weights' loss on the person's queries is taken, and the
sum of these losses moves the global weights. The vectors of spectral norm are copied with the
weights and stay as they are within a task.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

Networks = Mapping[str, nn.Module]
"""By name, each with an optimiser of its own."""

Callables = Mapping[str, Callable[..., Tensor]]

Losses = Callable[[Callables, Any], Iterator[tuple[str, Tensor]]]
"""(networks, batch) -> name of a network and the loss that it learns from, one after the other.

A caller may move that network before it asks for the next loss: a discriminator learns before its
generator.
"""

Gradients = dict[str, list[Tensor]]

MakeOptimiser = Callable[[Iterator[nn.Parameter]], torch.optim.Optimizer]


def copy_weights(source: Networks, target: Networks) -> None:
    """Weights and vectors of spectral norm, name by name."""
    for name, network in target.items():
        network.load_state_dict(source[name].state_dict())


def take_gradients(loss: Tensor, network: nn.Module, *, create_graph: bool = False) -> list[Tensor]:
    """Of a loss by each of a network's parameters, and no other's."""
    parameters = list(network.parameters())
    return list(torch.autograd.grad(loss, parameters, create_graph=create_graph))


def set_gradients(network: nn.Module, gradients: list[Tensor]) -> None:
    """What a network's optimiser is to follow."""
    for parameter, gradient in zip(network.parameters(), gradients, strict=True):
        parameter.grad = gradient


def learn(
    networks: Networks,
    optimisers: Mapping[str, torch.optim.Optimizer],
    losses: Losses,
    batch: Any,
) -> None:
    """One step of every network, in the order of their losses."""
    for name, loss in losses(networks, batch):
        set_gradients(networks[name], take_gradients(loss, networks[name]))
        optimisers[name].step()


def learn_together(
    networks: Networks,
    optimisers: Mapping[str, torch.optim.Optimizer],
    losses: Sequence[Losses],
    batches: Sequence[Any],
    average: Callable[[list[Tensor]], None],
) -> None:
    """One step of every network by several batches, side by side, each with losses of its own.

    Args:
        networks: that move.
        optimisers: of each.
        losses: see `Losses`, one for each batch.
        batches: one or more.
        average: gives gradients their mean over processes, in place.
    """
    running = (one(networks, batch) for one, batch in zip(losses, batches, strict=True))
    for together in zip(*running, strict=True):
        name = together[0][0]
        gradients = [take_gradients(loss, networks[name]) for _, loss in together]
        move(networks[name], optimisers[name], gradients, average)


def move(
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    gradients: Sequence[list[Tensor]],
    average: Callable[[list[Tensor]], None],
) -> None:
    """One step of a network by the mean of gradients over tasks, and over processes."""
    mean = [torch.stack(parts).mean(dim=0) for parts in zip(*gradients, strict=True)]
    average(mean)
    set_gradients(network, mean)
    optimiser.step()


def adapt(
    networks: Networks,
    fast: Networks,
    losses: Losses,
    support: Any,
    *,
    steps: int,
    make_optimiser: MakeOptimiser,
) -> Iterator[None]:
    """Copy the weights to `fast`, and let these learn; yields behind each of the inner steps."""
    copy_weights(networks, fast)
    optimisers = {name: make_optimiser(network.parameters()) for name, network in fast.items()}
    for _ in range(steps):
        learn(fast, optimisers, losses, support)
        yield


def first_order(
    networks: Networks,
    fast: Networks,
    losses: Losses,
    support: Any,
    queries: Any,
    *,
    steps: int,
    make_optimiser: MakeOptimiser,
) -> Gradients:
    """Gradients of the sum of the query losses at the fast weights, as if these were the global.

    Args:
        networks: with the global weights, which stay.
        fast: of the same shapes, whose weights are overwritten.
        losses: see `Losses`.
        support: batch of the inner steps.
        queries: batch of the query losses.
        steps: m.
        make_optimiser: of the inner steps.
    """
    found: Gradients = {}
    for _ in adapt(networks, fast, losses, support, steps=steps, make_optimiser=make_optimiser):
        for name, loss in losses(fast, queries):
            gradients = take_gradients(loss, fast[name])
            sums = found.setdefault(name, [torch.zeros_like(value) for value in gradients])
            found[name] = [a + b for a, b in zip(sums, gradients, strict=True)]
    return found


def second_order(
    networks: Networks, losses: Losses, support: Any, queries: Any, *, steps: int, rate: float
) -> Gradients:
    """The same through the inner steps, which are of gradient descent; they stay in memory.

    Args:
        networks: with the global weights, which stay.
        losses: see `Losses`.
        support: batch of the inner steps.
        queries: batch of the query losses.
        steps: m.
        rate: of the inner steps.
    """
    fast = {name: dict(network.named_parameters()) for name, network in networks.items()}
    called = {name: _call(network, fast, name) for name, network in networks.items()}
    totals: dict[str, Tensor] = {}
    for _ in range(steps):
        for name, loss in losses(called, support):
            names, values = zip(*fast[name].items(), strict=True)
            gradients = torch.autograd.grad(loss, values, create_graph=True)
            moved = (v - rate * g for v, g in zip(values, gradients, strict=True))
            fast[name] = dict(zip(names, moved, strict=True))
        for name, loss in losses(called, queries):
            totals[name] = totals.get(name, loss.new_zeros(())) + loss
    # the graphs of the two share their inner steps
    return {name: _take_last(total, networks[name]) for name, total in totals.items()}


def _take_last(total: Tensor, network: nn.Module) -> list[Tensor]:
    return list(torch.autograd.grad(total, list(network.parameters()), retain_graph=True))


def _call(
    network: nn.Module, fast: Mapping[str, Mapping[str, Tensor]], name: str
) -> Callable[..., Tensor]:
    """A network run with whatever weights `fast` has for it then."""

    def run(*inputs: Any) -> Tensor:
        found: Tensor = torch.func.functional_call(network, dict(fast[name]), inputs)
        return found

    return run
