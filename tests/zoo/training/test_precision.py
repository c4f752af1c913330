"""What bf16 leaves of gradients."""

import re
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

from zoo.training import precision
from zoo.training.precision import autocast

CPU = torch.device("cpu")
LAYERS = (nn.LSTM, nn.GRU, nn.RNN)


def measure_gradients(
    network: nn.RNNBase, num_steps: int, precision: str, *, packed: bool = False
) -> torch.Tensor:
    """All gradients of a loss to which every step adds alike."""
    random = torch.Generator().manual_seed(1)
    x = torch.randn(num_steps, 2, network.input_size, generator=random)
    weights = 0.1 + 0.1 * torch.randn(num_steps, 2, network.hidden_size, generator=random)
    lengths = torch.full((2,), num_steps)
    network.zero_grad()
    with autocast(CPU, precision, network):
        y, _ = network(pack_padded_sequence(x, lengths) if packed else x)
    scores = y.data.view_as(x) if packed else y
    (scores.float() * weights).sum().backward()
    return torch.cat([p.grad.flatten() for p in network.parameters() if p.grad is not None])


@pytest.mark.parametrize("make", LAYERS)
@pytest.mark.parametrize("packed", [False, True])
def test_gradients_of_recurrent_layers_do_not_drift_with_the_number_of_steps(
    make: Callable[..., nn.RNNBase], packed: bool
) -> None:
    """Summed in bfloat16, a GRU's would be 12 % off at 1,000 steps."""
    torch.manual_seed(0)
    network = make(32, 32)
    whole = measure_gradients(network, 1000, "fp32", packed=packed)
    error = measure_gradients(network, 1000, "bf16", packed=packed) - whole
    assert error.norm() < 0.004 * whole.norm()


def test_what_is_no_recurrent_layer_computes_in_bf16() -> None:
    network = nn.Sequential(nn.Linear(4, 4), nn.GRU(4, 4, batch_first=True))
    with autocast(CPU, "bf16", network):
        y, _ = network(torch.zeros(2, 3, 4))
        assert y.dtype == torch.float32
        assert network[0](torch.zeros(3, 4)).dtype == torch.bfloat16
    lstm = nn.LSTM(4, 4)
    with autocast(CPU, "bf16", lstm):  # a kernel of its own: it sums in fp32
        assert lstm(torch.zeros(3, 2, 4))[0].dtype == torch.bfloat16
    with autocast(CPU, "fp32", network):
        assert network[0](torch.zeros(3, 4)).dtype == torch.float32


def test_a_layer_that_fails_leaves_the_precision_as_it_was() -> None:
    """And outside nothing is left of it."""
    network = nn.GRU(4, 4)
    with autocast(CPU, "bf16", network):
        with pytest.raises(RuntimeError):
            network(torch.zeros(2, 3, 5))
        assert torch.is_autocast_enabled("cpu")
    assert not torch.is_autocast_enabled("cpu")
    assert not network._forward_pre_hooks and not network._forward_hooks


def test_no_family_chooses_the_precision_by_itself() -> None:
    """A recurrent layer of a new family would lose its gradients."""
    files = Path(__file__).parents[3].joinpath("zoo").rglob("*.py")
    found = [f.name for f in files if re.search(r"torch\.(amp\.)?autocast\(", f.read_text("utf-8"))]
    assert found == ["precision.py"]


@pytest.mark.parametrize(
    ("capabilities", "warns"),
    [
        ({"avx512_f": True, "avx512_bf16": False, "amx_bf16": False}, True),
        ({"avx512_bf16": True, "amx_bf16": False}, False),
        ({"neon": True, "bf16": True}, False),
        ({}, False),
    ],
    ids=["Ice Lake", "Zen 4", "Graviton 3", "unknown"],
)  # fmt: skip
def test_bf16_on_a_cpu_without_its_instructions_warns_once_that_fp32_is_faster(
    monkeypatch: pytest.MonkeyPatch, capabilities: dict[str, object], warns: bool
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities, raising=False)
    precision._warn_of_slow_bf16.cache_clear()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        for _ in range(2):
            with autocast(CPU, "bf16", nn.Linear(2, 2)):
                pass
        with autocast(CPU, "fp32", nn.Linear(2, 2)):
            pass
    precision._warn_of_slow_bf16.cache_clear()
    assert ["--precision fp32 is faster" in str(each.message) for each in said] == [True] * warns
