"""ONNX files written by hand: protocol buffers by their wire format, numbers of `onnx.proto`."""

import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np

FLOAT, INT64 = 1, 7
"""Types of a tensor."""


def write_number(value: int) -> bytes:
    value &= 2**64 - 1
    digits = bytearray()
    while value > 127:
        digits.append(value & 127 | 128)
        value >>= 7
    return bytes([*digits, value])


def field(number: int, value: int | str | bytes) -> bytes:
    if isinstance(value, int):
        return write_number(number << 3) + write_number(value)
    data = value.encode() if isinstance(value, str) else value
    return write_number(number << 3 | 2) + write_number(len(data)) + data


def tensor(name: str, values: np.ndarray) -> bytes:
    values = np.asarray(values)
    kind = INT64 if values.dtype == np.int64 else FLOAT
    data = np.ascontiguousarray(values, np.int64 if kind == INT64 else np.float32).tobytes()
    sizes = b"".join(field(1, size) for size in values.shape)
    return sizes + field(2, kind) + field(8, name) + field(9, data)


def node(operator: str, inputs: Sequence[str], output: str, **attributes: object) -> bytes:
    parts = [field(1, name) for name in inputs]
    parts += [field(2, output), field(3, f"{operator}_{output}"), field(4, operator)]
    for name, value in attributes.items():
        if isinstance(value, float):
            coded = write_number(2 << 3 | 5) + struct.pack("<f", value) + field(20, 1)
        elif isinstance(value, int):
            coded = field(3, value) + field(20, 2)
        else:
            coded = b"".join(field(8, number) for number in value) + field(20, 7)
        parts.append(field(5, field(1, name) + coded))
    return b"".join(parts)


def shaped(name: str, shape: Sequence[int | str]) -> bytes:
    """An input or an output; a size that is open has a name."""
    axes = (field(1, field(1 if isinstance(size, int) else 2, size)) for size in shape)
    return field(1, name) + field(2, field(1, field(1, FLOAT) + field(2, b"".join(axes))))


def write_onnx(
    path: Path,
    nodes: Sequence[bytes],
    weights: dict[str, np.ndarray],
    shape: Sequence[int | str] = ("n", 3, 112, 112),
    *,
    inputs: Sequence[bytes] = (),
) -> Path:
    """A network from `x` to `y`; `inputs`: further ones."""
    graph = b"".join(field(1, part) for part in nodes) + field(2, "network")
    graph += b"".join(field(5, tensor(name, values)) for name, values in weights.items())
    graph += b"".join(field(11, part) for part in (shaped("x", shape), *inputs))
    graph += field(12, shaped("y", ("n", 512)))
    operators = field(8, field(1, "") + field(2, 11))
    path.write_bytes(field(1, 6) + operators + field(7, graph))
    return path


def write_means(path: Path, *, before: Sequence[bytes] = (), size: int = 512, **chosen) -> Path:
    """Number k of its output is the mean of channel k modulo 3 of a picture, as it is given.

    `before`: nodes from `x` to `scaled`.
    """
    weights = np.zeros((size, 3, 1, 1), np.float32)
    weights[np.arange(size), np.arange(size) % 3] = 1
    start = "scaled" if before else "x"
    nodes = [
        *before,
        node("GlobalAveragePool", [start], "mean"),
        node("Conv", ["mean", "spread"], "maps", kernel_shape=[1, 1]),
        node("Flatten", ["maps"], "y", axis=1),
    ]
    return write_onnx(path, nodes, {"spread": weights, **chosen.pop("weights", {})}, **chosen)
