"""An ONNX graph that can be changed, read and written without the `onnx` package."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from graphlib import TopologicalSorter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ast_edge.model import protobuf
from ast_edge.model.protobuf import pieces

FLOAT, INT8, INT64, HALF = 1, 3, 7, 10
"""Of TensorProto.DataType."""
_DTYPES = {FLOAT: "<f4", INT8: "i1", INT64: "<i8", HALF: "<f2", 2: "u1", 6: "<i4"}
LARGEST = (1 << 31) - (1 << 20)
"""Bytes of a file; a protobuf message ends at 2 GiB."""
_DEEPEST = 20

# Numbers of fields in onnx.proto.
_MODEL_GRAPH, _MODEL_OPSET, _OPSET_DOMAIN, _OPSET_VERSION = 7, 8, 1, 2
_GRAPH_NODE, _GRAPH_WEIGHTS, _GRAPH_INPUT, _GRAPH_OUTPUT, _GRAPH_TYPES = 1, 5, 11, 12, 13
_NODE_INPUT, _NODE_OUTPUT, _NODE_NAME, _NODE_KIND, _NODE_ATTRIBUTE, _NODE_DOMAIN = 1, 2, 3, 4, 5, 7
_ATTRIBUTE_NAME, _ATTRIBUTE_NUMBER, _ATTRIBUTE_TENSOR, _ATTRIBUTE_NUMBERS = 1, 3, 5, 8
_ATTRIBUTE_GRAPH, _ATTRIBUTE_GRAPHS, _ATTRIBUTE_KIND = 6, 11, 20
_KIND_NUMBER, _KIND_NUMBERS = 2, 7
_TENSOR_SHAPE, _TENSOR_TYPE, _TENSOR_FLOATS, _TENSOR_NAME, _TENSOR_RAW = 1, 2, 4, 8, 9
_TENSOR_ELSEWHERE = 13


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
        for at, stop in _parts(self.rest, 0, len(self.rest), _NODE_ATTRIBUTE):
            if _text(self.rest, at, stop, _ATTRIBUTE_NAME) == name:
                found = dict(protobuf.numbers(self.rest, at, stop)).get(_ATTRIBUTE_NUMBER, 0)
                return found - (1 << 64) if found >> 63 else found
        return default

    def value(self) -> NDArray[np.generic] | None:
        """Return the tensor of a Constant; None if it is no tensor.

        Raises:
            ValueError: as of `Weights.values`.
        """
        for attribute in _parts(self.rest, 0, len(self.rest), _NODE_ATTRIBUTE):
            for at, stop in _parts(self.rest, *attribute, _ATTRIBUTE_TENSOR):
                return Weights(self.rest[at:stop], Path()).values()
        return None

    def nameless(self) -> "Node":
        """Return it without its own name, which no two may share."""
        kept = [
            self.rest[begin:stop]
            for number, begin, _, stop in pieces(self.rest, 0, len(self.rest))
            if number != _NODE_NAME
        ]
        return replace(self, rest=b"".join(kept))

    def encoded(self) -> bytes:
        """Return it as a NodeProto."""
        parts = [protobuf.text(_NODE_INPUT, name) for name in self.inputs]
        parts += [protobuf.text(_NODE_OUTPUT, name) for name in self.outputs]
        parts += [protobuf.text(_NODE_KIND, self.kind)]
        parts += [protobuf.text(_NODE_DOMAIN, self.domain)] * bool(self.domain)
        return b"".join([*parts, self.rest])


def node(
    kind: str, inputs: Iterable[str], output: str, **attributes: int | tuple[int, ...]
) -> Node:
    """Make an operator with one output and attributes that are whole numbers or several."""
    rest = [protobuf.message(_NODE_ATTRIBUTE, _attribute(k, v)) for k, v in attributes.items()]
    return Node(kind, tuple(inputs), (output,), rest=b"".join(rest))


def _attribute(name: str, value: int | tuple[int, ...]) -> bytes:
    parts = [protobuf.text(_ATTRIBUTE_NAME, name)]
    if isinstance(value, int):
        parts += [protobuf.number(_ATTRIBUTE_NUMBER, value)]
        parts += [protobuf.number(_ATTRIBUTE_KIND, _KIND_NUMBER)]
    else:
        parts += [protobuf.number(_ATTRIBUTE_NUMBERS, one) for one in value]
        parts += [protobuf.number(_ATTRIBUTE_KIND, _KIND_NUMBERS)]
    return b"".join(parts)


@dataclass(frozen=True, eq=False)
class Weights:
    """A tensor of the file."""

    content: memoryview | bytes
    """A TensorProto."""
    folder: Path
    """Where the file lies that it may name instead of its values."""

    def values(self) -> NDArray[np.generic]:
        """Return the values.

        Raises:
            ValueError: if they are of a kind that is not known here, or stored in another way.
            OSError: if they lie in another file that cannot be read.
        """
        shape, kind, raw = list[int](), 0, None
        for number, begin, at, stop in pieces(self.content, 0, len(self.content)):
            if number == _TENSOR_SHAPE:
                shape += _wholes(self.content, begin, at, stop)
            elif number == _TENSOR_TYPE:
                kind = dict(protobuf.numbers(self.content, begin, stop))[_TENSOR_TYPE]
            elif number in (_TENSOR_RAW, _TENSOR_FLOATS):
                raw = self.content[at:stop]
        if kind not in _DTYPES:
            raise ValueError(f"weights of the unknown type {kind}")
        if raw is None:
            raw = self._elsewhere()
        found = np.frombuffer(raw, _DTYPES[kind])
        if found.size != int(np.prod(shape, dtype=np.int64)):
            raise ValueError(f"weights of shape {shape} with {found.size} values")
        return found.reshape(shape)

    @property
    def is_elsewhere(self) -> bool:
        """Whether the values lie in another file."""
        return any(n == _TENSOR_ELSEWHERE for n, *_ in pieces(self.content, 0, len(self.content)))

    def _elsewhere(self) -> bytes:
        said = {
            _text(self.content, at, stop, 1): _text(self.content, at, stop, 2)
            for at, stop in _parts(self.content, 0, len(self.content), _TENSOR_ELSEWHERE)
        }
        if "location" not in said:
            raise ValueError("weights that are stored in a way that is not read here")
        with (self.folder / said["location"]).open("rb") as file:
            file.seek(int(said.get("offset", "0")))
            return file.read(int(said["length"]) if "length" in said else -1)


def weights(name: str, values: NDArray[np.generic]) -> Weights:
    """Make a tensor of float32, float16 or int64."""
    kind = {"float32": FLOAT, "float16": HALF, "int64": INT64}[values.dtype.name]
    parts = [protobuf.number(_TENSOR_SHAPE, size) for size in values.shape]
    parts += [protobuf.number(_TENSOR_TYPE, kind), protobuf.text(_TENSOR_NAME, name)]
    parts += [protobuf.message(_TENSOR_RAW, np.ascontiguousarray(values).tobytes())]
    return Weights(b"".join(parts), Path())


@dataclass(frozen=True, eq=False)
class OnnxGraph:
    """A graph; whoever changes it makes another one of its parts."""

    nodes: list[Node]
    """Each after those that it depends on."""
    weights: dict[str, Weights]
    outputs: dict[str, bytes]
    """Names and what the file says of them, a ValueInfoProto."""
    inputs: dict[str, bytes]
    """The same; older files list the weights as well."""
    graph_rest: bytes = field(repr=False)
    model_rest: bytes = field(repr=False)

    @property
    def opset(self) -> int:
        """The version of ONNX's operators."""
        data = self.model_rest
        versions = [
            dict(protobuf.numbers(data, *span)).get(_OPSET_VERSION, 0)
            for span in _parts(data, 0, len(data), _MODEL_OPSET)
            if _text(data, *span, _OPSET_DOMAIN) in ("", "ai.onnx")
        ]
        return max(versions, default=0)

    def constant(self, name: str) -> NDArray[np.generic] | None:
        """Return the values of a tensor that stands in the file; None if it is computed.

        Raises:
            ValueError, OSError: as of `Weights.values`.
        """
        if name in self.weights:
            return self.weights[name].values()
        for one in self.nodes:
            if name in one.outputs and one.kind == "Constant" and one.is_standard:
                return one.value()
        return None

    def with_output(
        self, name: str, shape: tuple[int | str, ...], kind: int = FLOAT
    ) -> "OnnxGraph":
        """Return it with one more output; a size that is text is free."""
        sizes = [
            protobuf.text(2, s) if isinstance(s, str) else protobuf.number(1, s) for s in shape
        ]
        dimensions = b"".join(protobuf.message(1, size) for size in sizes)
        tensor = protobuf.number(1, kind) + protobuf.message(2, dimensions)
        said = protobuf.text(1, name) + protobuf.message(2, protobuf.message(1, tensor))
        return replace(self, outputs=self.outputs | {name: said})

    def pruned(self) -> "OnnxGraph":
        """Return it without what no output needs."""
        needed, kept = set(self.outputs), list[Node]()
        for one in reversed(self.nodes):
            if not needed.isdisjoint(one.outputs):
                kept.append(one)
                needed.update(one.inputs, one.captured)
        used = {name: tensor for name, tensor in self.weights.items() if name in needed}
        inputs = {n: v for n, v in self.inputs.items() if n in used or n not in self.weights}
        return replace(self, nodes=kept[::-1], weights=used, inputs=inputs)

    def write(self, path: Path) -> None:
        """Write it as one file.

        Raises:
            ValueError: if one file cannot hold it.
            OSError: if it cannot be written.
        """
        parts: list[bytes | memoryview] = [self.graph_rest]
        parts += [protobuf.message(_GRAPH_INPUT, said) for said in self.inputs.values()]
        parts += [protobuf.message(_GRAPH_OUTPUT, said) for said in self.outputs.values()]
        parts += [protobuf.message(_GRAPH_NODE, one.encoded()) for one in self.nodes]
        for name, tensor in self.weights.items():
            if tensor.is_elsewhere:
                tensor = weights(name, tensor.values())
            parts += [protobuf.head(_GRAPH_WEIGHTS, len(tensor.content)), tensor.content]
        size = sum(map(len, parts))
        if size + len(self.model_rest) > LARGEST:
            raise ValueError(f"a graph of {size / 1e9:.1f} GB does not fit into one file")
        with path.open("wb") as file:
            file.writelines([self.model_rest, protobuf.head(_MODEL_GRAPH, size), *parts])


def read_graph(path: Path) -> OnnxGraph:
    """Read a graph; its weights stay encoded.

    Raises:
        ValueError, IndexError: if it is no ONNX graph.
        OSError: if it cannot be read.
    """
    data = memoryview(path.read_bytes())
    model_rest, graphs = list[bytes](), list[memoryview]()
    for number, begin, at, stop in pieces(data, 0, len(data)):
        if number == _MODEL_GRAPH:
            graphs.append(data[at:stop])
        else:
            model_rest.append(bytes(data[begin:stop]))
    if len(graphs) != 1:
        raise ValueError(f"expected one graph in {path.name}, found {len(graphs)}")
    (graph,) = graphs
    rest, nodes, tensors = list[bytes](), list[Node](), dict[str, Weights]()
    ports: dict[int, dict[str, bytes]] = {_GRAPH_INPUT: {}, _GRAPH_OUTPUT: {}}
    for number, begin, at, stop in pieces(graph, 0, len(graph)):
        if number == _GRAPH_NODE:
            nodes.append(_read_node(bytes(graph[at:stop])))
        elif number == _GRAPH_WEIGHTS:
            tensors[_text(graph, at, stop, _TENSOR_NAME)] = Weights(graph[at:stop], path.parent)
        elif number in ports:
            ports[number][_text(graph, at, stop, 1)] = bytes(graph[at:stop])
        elif number != _GRAPH_TYPES:  # of what is in between; they may change
            rest.append(bytes(graph[begin:stop]))
    return OnnxGraph(
        *(_in_order(nodes), tensors, ports[_GRAPH_OUTPUT], ports[_GRAPH_INPUT]),
        *(b"".join(rest), b"".join(model_rest)),
    )


def _in_order(nodes: list[Node]) -> list[Node]:
    """Put each node after those that it depends on, as the standard asks and not all files have it.

    Raises:
        ValueError: if they go round in a circle.
    """
    makers = {name: at for at, one in enumerate(nodes) for name in one.outputs if name}
    needs = {
        at: {makers[name] for name in (*one.inputs, *one.captured) if name in makers}
        for at, one in enumerate(nodes)
    }
    if all(max(before, default=-1) < at for at, before in needs.items()):
        return nodes
    return [nodes[at] for at in TopologicalSorter(needs).static_order()]


def _read_node(data: bytes) -> Node:
    inputs, outputs, rest, captured = list[str](), list[str](), list[bytes](), set[str]()
    kind = domain = ""
    for number, begin, at, stop in pieces(data, 0, len(data)):
        if number == _NODE_INPUT:
            inputs.append(data[at:stop].decode())
        elif number == _NODE_OUTPUT:
            outputs.append(data[at:stop].decode())
        elif number == _NODE_KIND:
            kind = data[at:stop].decode()
        elif number == _NODE_DOMAIN:
            domain = data[at:stop].decode()
        else:
            rest.append(data[begin:stop])
            if number == _NODE_ATTRIBUTE:
                captured |= set(_captured(data, at, stop, _DEEPEST))
    return Node(kind, tuple(inputs), tuple(outputs), domain, b"".join(rest), frozenset(captured))


def _captured(data: bytes, start: int, end: int, depth: int) -> Iterator[str]:
    """Yield all that the graphs of an attribute name as inputs."""
    if depth == 0:
        raise ValueError("it is nested too deeply")
    for graph in _parts(data, start, end, _ATTRIBUTE_GRAPH, _ATTRIBUTE_GRAPHS):
        for inner in _parts(data, *graph, _GRAPH_NODE):
            for at, stop in _parts(data, *inner, _NODE_INPUT):
                yield data[at:stop].decode()
            for attribute in _parts(data, *inner, _NODE_ATTRIBUTE):
                yield from _captured(data, *attribute, depth - 1)
        for port in _parts(data, *graph, _GRAPH_OUTPUT):  # which may be one from outside
            yield _text(data, *port, 1)


def _parts(data: protobuf.Data, start: int, end: int, *wanted: int) -> Iterator[tuple[int, int]]:
    return ((at, stop) for n, at, stop in protobuf.fields(data, start, end) if n in wanted)


def _text(data: protobuf.Data, start: int, end: int, wanted: int) -> str:
    return next(
        (bytes(data[at:stop]).decode() for at, stop in _parts(data, start, end, wanted)), ""
    )


def _wholes(data: protobuf.Data, begin: int, at: int, stop: int) -> list[int]:
    """Return the numbers of a field that holds one, or several one after the other."""
    single = [value for _, value in protobuf.numbers(data, begin, stop)]
    if single:
        return single
    packed, found = bytes(data[at:stop]), list[int]()
    value = shift = 0
    for byte in packed:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            found.append(value)
            value = shift = 0
    return found
