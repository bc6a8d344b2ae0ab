"""Operators of ONNX graphs, read and written without the `onnx` package."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ast_edge.model import protobuf
from ast_edge.model.onnx_weights import Weights
from ast_edge.model.protobuf import first_text, parts, pieces

_DEEPEST = 20

# Numbers of fields in onnx.proto.
_INPUT, _OUTPUT, _NAME, _KIND, _ATTRIBUTE, _DOMAIN = 1, 2, 3, 4, 5, 7
_ATTRIBUTE_NAME, _ATTRIBUTE_NUMBER, _ATTRIBUTE_TENSOR, _ATTRIBUTE_NUMBERS = 1, 3, 5, 8
_ATTRIBUTE_GRAPH, _ATTRIBUTE_GRAPHS, _ATTRIBUTE_KIND = 6, 11, 20
_KIND_NUMBER, _KIND_NUMBERS = 2, 7
_GRAPH_NODE, _GRAPH_OUTPUT = 1, 12


@dataclass(frozen=True)
class Node:
    """An operator."""

    kind: str
    inputs: tuple[str, ...]
    """Empty where one is left out."""
    outputs: tuple[str, ...]
    domain: str = ""
    rest: bytes = b""
    """Name, attributes and whatever else there is, encoded."""
    captured: frozenset[str] = frozenset()
    """What graphs inside of it take from outside."""

    @property
    def is_standard(self) -> bool:
        """Whether it is one of ONNX itself."""
        return self.domain in ("", "ai.onnx")

    def whole(self, name: str, default: int) -> int:
        """Return an attribute that is a whole number."""
        for at, stop in parts(self.rest, 0, len(self.rest), _ATTRIBUTE):
            if first_text(self.rest, at, stop, _ATTRIBUTE_NAME) == name:
                found = dict(protobuf.numbers(self.rest, at, stop)).get(_ATTRIBUTE_NUMBER, 0)
                return found - (1 << 64) if found >> 63 else found
        return default

    def value(self) -> NDArray[np.generic] | None:
        """Return the tensor of a Constant; None if it is no tensor.

        Raises:
            ValueError: as of `Weights.values`.
        """
        for attribute in parts(self.rest, 0, len(self.rest), _ATTRIBUTE):
            for at, stop in parts(self.rest, *attribute, _ATTRIBUTE_TENSOR):
                return Weights(self.rest[at:stop], Path()).values()
        return None

    def nameless(self) -> "Node":
        """Return it without its own name, which no two may share."""
        kept = [
            self.rest[begin:stop]
            for number, begin, _, stop in pieces(self.rest, 0, len(self.rest))
            if number != _NAME
        ]
        return replace(self, rest=b"".join(kept))

    def encoded(self) -> bytes:
        """Return it as a NodeProto."""
        said = [protobuf.text(_INPUT, name) for name in self.inputs]
        said += [protobuf.text(_OUTPUT, name) for name in self.outputs]
        said += [protobuf.text(_KIND, self.kind)]
        said += [protobuf.text(_DOMAIN, self.domain)] * bool(self.domain)
        return b"".join([*said, self.rest])


def node(
    kind: str, inputs: Iterable[str], output: str, **attributes: int | tuple[int, ...]
) -> Node:
    """Make an operator with one output and attributes that are whole numbers or several."""
    rest = [protobuf.message(_ATTRIBUTE, _attribute(k, v)) for k, v in attributes.items()]
    return Node(kind, tuple(inputs), (output,), rest=b"".join(rest))


def _attribute(name: str, value: int | tuple[int, ...]) -> bytes:
    said = [protobuf.text(_ATTRIBUTE_NAME, name)]
    if isinstance(value, int):
        said += [protobuf.number(_ATTRIBUTE_NUMBER, value)]
        said += [protobuf.number(_ATTRIBUTE_KIND, _KIND_NUMBER)]
    else:
        said += [protobuf.number(_ATTRIBUTE_NUMBERS, one) for one in value]
        said += [protobuf.number(_ATTRIBUTE_KIND, _KIND_NUMBERS)]
    return b"".join(said)


def read_node(data: bytes) -> Node:
    """Read a NodeProto.

    Raises:
        ValueError, IndexError: if it is none.
    """
    inputs, outputs, rest, captured = list[str](), list[str](), list[bytes](), set[str]()
    kind = domain = ""
    for number, begin, at, stop in pieces(data, 0, len(data)):
        if number == _INPUT:
            inputs.append(data[at:stop].decode())
        elif number == _OUTPUT:
            outputs.append(data[at:stop].decode())
        elif number == _KIND:
            kind = data[at:stop].decode()
        elif number == _DOMAIN:
            domain = data[at:stop].decode()
        else:
            rest.append(data[begin:stop])
            if number == _ATTRIBUTE:
                captured |= set(_captured(data, at, stop, _DEEPEST))
    return Node(kind, tuple(inputs), tuple(outputs), domain, b"".join(rest), frozenset(captured))


def _captured(data: bytes, start: int, end: int, depth: int) -> Iterator[str]:
    """Yield all that the graphs of an attribute name as inputs."""
    if depth == 0:
        raise ValueError("it is nested too deeply")
    for graph in parts(data, start, end, _ATTRIBUTE_GRAPH, _ATTRIBUTE_GRAPHS):
        for inner in parts(data, *graph, _GRAPH_NODE):
            for at, stop in parts(data, *inner, _INPUT):
                yield data[at:stop].decode()
            for attribute in parts(data, *inner, _ATTRIBUTE):
                yield from _captured(data, *attribute, depth - 1)
        for port in parts(data, *graph, _GRAPH_OUTPUT):  # which may be one from outside
            yield first_text(data, *port, 1)
