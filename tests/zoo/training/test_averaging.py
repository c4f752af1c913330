"""The running mean of weights is the mean of the textbook, its statistics are of its own."""

import torch
from torch import nn

from zoo.training.averaging import RunningMean


def make_layer(weight: float) -> nn.Linear:
    layer = nn.Linear(1, 1, bias=False)
    set_weight(layer, weight)
    return layer


def set_weight(layer: nn.Linear, weight: float) -> None:
    nn.init.constant_(layer.weight, weight)


def test_first_steps_count_more_until_a_step_keeps_the_share_asked_for() -> None:
    """Steps 1 and 2 keep 2/11 and 3/12: 0 -> 9/11, then 9/11 · 1/4 + 1 · 3/4; 1/2 is the most."""
    layer = make_layer(0)
    mean = RunningMean(layer, keep=0.2)
    set_weight(layer, 1)
    mean.update()
    assert mean.network.weight.item() == torch.tensor(9 / 11)
    mean.update()
    expected = 9 / 11 * 0.2 + 0.8
    torch.testing.assert_close(mean.network.weight.item(), expected, rtol=1e-6, atol=0)


def test_the_mean_of_a_network_that_stands_still_is_that_network() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    mean = RunningMean(network, keep=0.99)
    for _ in range(5):
        mean.update()
    for name, value in network.state_dict().items():
        torch.testing.assert_close(mean.network.state_dict()[name], value)


def test_statistics_are_the_plain_mean_over_the_batches_asked_for() -> None:
    """Of batches 0, 2 and 4 (the third is not asked for) through a weight of 3: mean 3."""
    network = nn.Sequential(make_layer(3), nn.BatchNorm1d(1))
    mean = RunningMean(network, keep=0.5)
    mean.network[1].running_mean.fill_(100)
    batches = [torch.tensor([[value - 1.0], [value + 1.0]]) for value in (0, 2, 4)]
    mean.settle(batches, lambda network, batch: network(batch), most=2)
    normalised = mean.network[1]
    torch.testing.assert_close(normalised.running_mean, torch.tensor([3.0]))
    torch.testing.assert_close(normalised.running_var, torch.tensor([18.0]))  # n - 1, as torch has
    assert not any(module.training for module in mean.network.modules())
    torch.testing.assert_close(network[1].running_mean, torch.zeros(1))


def test_a_mean_goes_on_from_its_state() -> None:
    layer = make_layer(0)
    whole, first = RunningMean(layer, keep=0.9), RunningMean(layer, keep=0.9)
    for mean in (whole, first):
        for weight in (1, 2):
            set_weight(layer, weight)
            mean.update()
    resumed = RunningMean(layer, keep=0.9)
    resumed.load_state_dict(first.state_dict())
    set_weight(layer, 5)
    for mean in (whole, resumed):
        mean.update()
    assert torch.equal(whole.network.weight, resumed.network.weight)
