"""What computes in bfloat16 under `--precision bf16`: once for all families."""

import contextlib
import functools
import warnings
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from torch.nn.utils.rnn import PackedSequence

__all__ = ["autocast"]


@contextlib.contextmanager
def autocast(device: torch.device, precision: str, *networks: nn.Module) -> Iterator[None]:
    """Within, networks compute in `precision`, `fp32` or `bf16`.

    Recurrent layers that PyTorch computes step by step stay in fp32 on a CPU: all but the LSTM, and
    the LSTM of packed sequences. Autocast copies their weights to bfloat16 once, and their
    gradients would be summed in it over all steps: over 1,000 they are 12 to 20 % off. In fp32 they
    take no longer.

    Warns once where the CPU has no instructions for bf16, which is slower than fp32 there.

    Args:
        device: where they compute.
        precision: one of `PRECISIONS`.
        networks: all that compute within.
    """
    is_lower = precision == "bf16"
    with contextlib.ExitStack() as stack:
        if is_lower and device.type == "cpu":
            _warn_of_slow_bf16()
            for network in networks:
                _keep_fp32(network, stack)
        stack.enter_context(torch.autocast(device.type, torch.bfloat16, enabled=is_lower))
        yield


@functools.cache
def _warn_of_slow_bf16() -> None:
    get_capabilities = getattr(
        torch.cpu, "get_capabilities", None
    )  # newer than the oldest PyTorch that is supported
    known = get_capabilities() if get_capabilities else {}
    if known and not any(has for name, has in known.items() if name.endswith("bf16")):
        warnings.warn(
            f"{known.get('cpu_name', 'this CPU')} has no instructions for bf16: --precision fp32 "
            "is faster here",
            stacklevel=2,
        )


def _keep_fp32(network: nn.Module, stack: contextlib.ExitStack) -> None:
    """Until the stack is closed, its recurrent layers compute in fp32."""
    full = torch.autocast("cpu", enabled=False)
    in_full = list[nn.Module]()

    def enter(layer: nn.RNNBase, inputs: tuple[Any, ...]) -> Any:
        if not _is_step_by_step(layer, inputs[0]):
            return None
        in_full.append(layer)
        full.__enter__()  # type: ignore[no-untyped-call]
        return _to_float(inputs)

    def leave(layer: nn.RNNBase, inputs: Any, output: Any) -> None:
        if in_full:
            in_full.pop()
            full.__exit__(None, None, None)

    for layer in network.modules():
        if isinstance(layer, nn.RNNBase):
            stack.callback(layer.register_forward_pre_hook(enter).remove)
            stack.callback(layer.register_forward_hook(leave, always_call=True).remove)


def _is_step_by_step(layer: nn.RNNBase, x: Any) -> bool:
    """Whether no kernel of its own runs over all steps of it on a CPU."""
    return not isinstance(layer, nn.LSTM) or layer.proj_size > 0 or isinstance(x, PackedSequence)


def _to_float(value: Any) -> Any:
    """Tensors and packed sequences in fp32, in tuples as well."""
    if isinstance(value, torch.Tensor | PackedSequence):
        return value.float()
    return tuple(map(_to_float, value)) if isinstance(value, tuple) else value
