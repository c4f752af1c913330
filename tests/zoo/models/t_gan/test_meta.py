"""MAML's update against one written by hand, on networks of one weight, and what it leaves."""

import copy
import functools
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from zoo.models.t_gan.meta import adapt, copy_weights, first_order, learn, second_order
from zoo.models.t_gan.spectral import SpectralLinear, iterate_gains

RATE, STEPS = 0.1, 3
SUPPORT, QUERIES = (1.5, 2.0), (0.5, -1.0)
"""An input and what should come out of it."""


def make_line(weight: float) -> nn.Linear:
    line = nn.Linear(1, 1, bias=False)
    line.weight.data.fill_(weight)
    return line


def make_losses(networks: Mapping[str, Any], batch: tuple[float, float]) -> Iterator[Any]:
    """Squares: of the first network's error, then of the second one's, which sees the first."""
    x, y = torch.tensor([[batch[0]]]), batch[1]
    yield "discriminator", ((networks["discriminator"](x) - y) ** 2).sum()
    pred = networks["generator"](x)
    yield "generator", ((pred - y) ** 2).sum() + 0.5 * networks["discriminator"](pred).sum()


def make_networks() -> dict[str, nn.Module]:
    return {"discriminator": make_line(0.7), "generator": make_line(-0.4)}


def walk_by_hand() -> Iterator[tuple[float, float]]:
    """Weights (d, g) behind each inner step: d first, and g sees the new d."""
    (x, y), d, g = SUPPORT, 0.7, -0.4
    for _ in range(STEPS):
        d -= RATE * 2 * x * (x * d - y)
        g -= RATE * (2 * x * (x * g - y) + 0.5 * d * x)
        yield d, g


def test_the_first_order_gradient_is_the_sum_of_the_queries_at_the_fast_weights() -> None:
    networks = make_networks()
    fast = copy.deepcopy(networks)
    optimise = functools.partial(torch.optim.SGD, lr=RATE)
    found = first_order(
        networks, fast, make_losses, SUPPORT, QUERIES, steps=STEPS, make_optimiser=optimise
    )
    x, y = QUERIES
    expected_d = sum(2 * x * (x * d - y) for d, _ in walk_by_hand())
    expected_g = sum(2 * x * (x * g - y) + 0.5 * d * x for d, g in walk_by_hand())
    assert float(found["discriminator"][0]) == pytest.approx(expected_d, rel=1e-5)
    assert float(found["generator"][0]) == pytest.approx(expected_g, rel=1e-5)
    assert [float(n.weight) for n in networks.values()] == pytest.approx([0.7, -0.4])


def test_the_second_order_gradient_goes_through_the_inner_steps() -> None:
    """By the chain rule: each step multiplies what a weight moves by 1 − 2·rate·x²."""
    x, y = QUERIES
    shrink = 1 - 2 * RATE * SUPPORT[0] ** 2
    shares = [shrink ** (k + 1) for k in range(STEPS)]
    steps = list(zip(walk_by_hand(), shares, strict=True))
    expected_d = sum(share * 2 * x * (x * d - y) for (d, _), share in steps)
    expected_g = sum(share * (2 * x * (x * g - y) + 0.5 * d * x) for (d, g), share in steps)
    networks = make_networks()
    found = second_order(networks, make_losses, SUPPORT, QUERIES, steps=STEPS, rate=RATE)
    assert float(found["discriminator"][0]) == pytest.approx(expected_d, rel=1e-4)
    assert float(found["generator"][0]) == pytest.approx(expected_g, rel=1e-4)
    assert [float(n.weight) for n in networks.values()] == pytest.approx([0.7, -0.4])


def test_a_plain_step_moves_each_network_by_its_own_loss_alone() -> None:
    networks = make_networks()
    optimisers = {
        name: torch.optim.SGD(network.parameters(), RATE) for name, network in networks.items()
    }
    learn(networks, optimisers, make_losses, SUPPORT)
    d, g = next(walk_by_hand())
    assert [float(n.weight) for n in networks.values()] == pytest.approx([d, g], rel=1e-5)


def test_vectors_of_spectral_norm_are_copied_and_stay() -> None:
    """In the fast network they are the global ones', however far its weights have gone."""
    torch.manual_seed(0)
    networks: dict[str, nn.Module] = {"generator": SpectralLinear(4, 3)}
    networks["generator"].weight.data = torch.randn(3, 4)
    fast: dict[str, nn.Module] = {"generator": SpectralLinear(4, 3)}
    iterate_gains(networks["generator"])
    before = {name: value.clone() for name, value in networks["generator"].state_dict().items()}

    def losses(called: Mapping[str, Any], batch: Tensor) -> Iterator[tuple[str, Tensor]]:
        yield "generator", called["generator"](batch).square().sum()

    optimise = functools.partial(torch.optim.SGD, lr=1.0)
    batch = torch.randn(5, 4)
    first_order(networks, fast, losses, batch, batch, steps=3, make_optimiser=optimise)
    second_order(networks, losses, batch, batch, steps=3, rate=1.0)
    for name, value in networks["generator"].state_dict().items():
        assert torch.equal(value, before[name])
    assert not torch.equal(fast["generator"].weight, before["weight"])
    for name in ("left", "right"):
        assert torch.equal(fast["generator"].state_dict()[name], before[name])


def test_copied_networks_give_the_same_to_the_bit() -> None:
    torch.manual_seed(0)
    one: dict[str, nn.Module] = {"generator": SpectralLinear(4, 3)}
    one["generator"].weight.data = torch.randn(3, 4)
    other: dict[str, nn.Module] = {"generator": SpectralLinear(4, 3)}
    copy_weights(one, other)
    x = torch.randn(2, 4)
    assert torch.equal(one["generator"](x), other["generator"](x))


def test_adapting_begins_with_the_global_weights_each_time() -> None:
    networks = make_networks()
    fast = copy.deepcopy(networks)
    optimise = functools.partial(torch.optim.SGD, lr=RATE)
    ends = []
    for _ in range(2):
        for _ in adapt(networks, fast, make_losses, SUPPORT, steps=STEPS, make_optimiser=optimise):
            pass
        ends.append([float(network.weight) for network in fast.values()])
    *_, last = walk_by_hand()
    assert ends[0] == ends[1] == pytest.approx(last, rel=1e-5)
