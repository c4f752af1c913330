"""What the processes of a training run share."""

import pytest
import torch
from torch import nn

from toolkit.errors import ToolkitError
from zoo.training import distributed
from zoo.training.distributed import Distributed, find_device


def test_a_device_that_is_not_there_is_an_error_in_one_line() -> None:
    assert find_device("cpu") == torch.device("cpu")
    for name in ("nonsense", "gpu", "mps", "cuda:77", "cuda:x", "xpu", "meta:9", ""):
        with pytest.raises(ToolkitError, match=f"--device {name}: cannot be used here") as caught:
            find_device(name)
        assert len(str(caught.value)) < 120
        assert "\n" not in str(caught.value)


def test_gradients_are_the_mean_of_all_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of three: this one's weight has 1 and 2, its bias 3; the others' add up to 5, 4 and 9."""
    network = nn.Linear(2, 1)
    network.weight.grad, network.bias.grad = torch.tensor([[1.0, 2.0]]), torch.tensor([3.0])
    others = torch.tensor([5.0, 4.0, 9.0])
    monkeypatch.setattr(distributed.dist, "all_reduce", lambda flat: flat.add_(others))
    Distributed(rank=1, size=3).average_gradients(network)
    assert network.weight.grad.tolist() == [[2.0, 2.0]]
    assert network.bias.grad.tolist() == [4.0]
    Distributed().average_gradients(network)  # alone: nothing is exchanged
    assert network.bias.grad.tolist() == [4.0]


def test_means_over_counts_that_differ_become_the_mean_over_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of three: this one measured 2, 3 and 0 frames, the others 10, 0 and 0 together.

    A mean of 4 over 2 frames and the others' of 1 over 10 in all: (2 · 4 + 10 · 1) / 12 = 1.5.
    """
    others = torch.tensor([10.0, 0.0, 0.0])
    monkeypatch.setattr(distributed.dist, "all_reduce", lambda flat: flat.add_(others))
    shares = Distributed(rank=1, size=3).weigh(one=2, other=torch.tensor(3), none=0.0)
    assert {name: share.item() for name, share in shares.items()} == {
        "one": 0.5, "other": 3, "none": 0,
    }  # fmt: skip
    rest = 3 - shares["one"]  # of the two others, whose means are alike
    assert (shares["one"] * 4 + rest * 1).item() / 3 == 1.5
    assert Distributed().weigh(one=2)["one"] == 1  # alone: nothing is exchanged


def test_a_gpu_that_is_not_there_is_told_from_those_that_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(
        ToolkitError, match=r"--device cuda:7: .*: the GPUs here are cuda:0 to cuda:1$"
    ):
        find_device("cuda:7")


def test_each_process_takes_a_gpu_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch, "empty", lambda *_, **__: None)
    for name in ("auto", "cuda"):
        assert find_device(name, 1) == torch.device("cuda:1")
    assert find_device("cuda:0", 1) == torch.device("cuda:0")
