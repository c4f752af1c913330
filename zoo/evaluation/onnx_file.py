"""What an ONNX file says of its network: OpenCV, which runs it, does not tell what it takes.

Protocol buffers by their wire format; numbers of fields are those of ONNX's `onnx.proto`.
"""

from collections.abc import Iterator
from dataclasses import dataclass

_GRAPH = 7
"""Of a model."""

_NODE, _INITIALIZER, _INPUT = 1, 5, 11
"""Of a graph."""

_OPERATOR, _TENSOR_NAME, _INPUT_NAME, _TYPE, _TENSOR, _SHAPE, _DIM, _SIZE = 4, 8, 1, 2, 1, 2, 1, 1
"""Of what lies in it: node, initializer, then an input down to the size of one of its axes."""

_FIXED = {1: 8, 5: 4}
"""Kind of a field -> its bytes."""

Field = tuple[int, int | memoryview]


@dataclass(frozen=True)
class OnnxGraph:
    """A network.

    Attributes:
        inputs: shape of each input; −1 where a size is open.
        operators: names of the nodes' operators, in the order in which they run.
    """

    inputs: list[tuple[int, ...]]
    operators: list[str]


def read_graph(data: bytes) -> OnnxGraph:
    """Inputs and operators of a file's bytes; ValueError where they are of no ONNX network."""
    try:
        (graph,) = _list_parts(memoryview(data), _GRAPH)
        weights = {_read_text(part, _TENSOR_NAME) for part in _list_parts(graph, _INITIALIZER)}
        inputs = [
            _read_shape(part)
            for part in _list_parts(graph, _INPUT)
            if _read_text(part, _INPUT_NAME) not in weights  # older files name weights as inputs
        ]
        return OnnxGraph(inputs, [_read_text(n, _OPERATOR) for n in _list_parts(graph, _NODE)])
    except (LookupError, TypeError, ValueError) as error:
        raise ValueError("no ONNX network") from error


def _read_shape(part: memoryview) -> tuple[int, ...]:
    for number in (_TYPE, _TENSOR, _SHAPE):
        (part,) = _list_parts(part, number)
    sizes = (
        [value for number, value in _list_fields(axis) if number == _SIZE]
        for axis in _list_parts(part, _DIM)
    )
    return tuple(int(found[0]) if found else -1 for found in sizes)


def _read_text(part: memoryview, number: int) -> str:
    return "".join(bytes(text).decode() for text in _list_parts(part, number))


def _list_parts(part: memoryview, number: int) -> list[memoryview]:
    """The values of a field that are bytes."""
    return [v for n, v in _list_fields(part) if n == number and isinstance(v, memoryview)]


def _list_fields(part: memoryview) -> Iterator[Field]:
    """Each field's number and value."""
    place = 0
    while place < len(part):
        key, place = _read_number(part, place)
        number, kind = key >> 3, key & 7
        if kind == 0:
            value, place = _read_number(part, place)
            yield number, value
            continue
        size, place = _read_number(part, place) if kind == 2 else (_FIXED[kind], place)
        if place + size > len(part):
            raise ValueError("bytes are missing")
        yield number, part[place : place + size]
        place += size


def _read_number(part: memoryview, place: int) -> tuple[int, int]:
    """A number in bytes of 7 bits, the lowest first, and where it ends."""
    value = shift = 0
    while True:
        byte = part[place]
        value |= (byte & 127) << shift
        shift, place = shift + 7, place + 1
        if byte < 128:
            return value, place
