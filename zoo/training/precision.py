"""What computes in bfloat16 under `--precision bf16`: once for all families."""

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

__all__ = ["autocast"]

STEP_BY_STEP = (nn.GRU, nn.RNN)
"""Layers that PyTorch computes step by step on a CPU; the LSTM is one kernel there."""


@contextlib.contextmanager
def autocast(device: torch.device, precision: str, *networks: nn.Module) -> Iterator[None]:
    """Within, networks compute in `precision`, `fp32` or `bf16`.

    Recurrent layers of `STEP_BY_STEP` stay in fp32 on a CPU. Autocast copies their weights to
    bfloat16 once, and their gradients would be summed in it over all steps: of 1,000 steps a
    seventh is lost. In fp32 they take no longer.

    Args:
        device: where they compute.
        precision: one of `PRECISIONS`.
        networks: all that compute within.
    """
    is_lower = precision == "bf16"
    with contextlib.ExitStack() as stack:
        if is_lower and device.type == "cpu":
            for network in networks:
                _keep_fp32(network, stack)
        stack.enter_context(torch.autocast(device.type, torch.bfloat16, enabled=is_lower))
        yield


def _keep_fp32(network: nn.Module, stack: contextlib.ExitStack) -> None:
    """Until the stack is closed, its recurrent layers compute in fp32."""
    full = torch.autocast("cpu", enabled=False)

    def enter(layer: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        full.__enter__()
        return tuple(value if value is None else value.float() for value in inputs)

    def leave(layer: nn.Module, inputs: Any, output: Any) -> None:
        full.__exit__(None, None, None)

    for layer in network.modules():
        if isinstance(layer, STEP_BY_STEP):
            stack.callback(layer.register_forward_pre_hook(enter).remove)
            stack.callback(layer.register_forward_hook(leave, always_call=True).remove)
