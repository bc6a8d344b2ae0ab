"""An ONNX graph that can be changed, read and written without the `onnx` package."""

from dataclasses import dataclass, field, replace
from graphlib import TopologicalSorter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ast_edge.model import protobuf
from ast_edge.model.onnx_node import Node, read_node
from ast_edge.model.onnx_weights import FLOAT, Weights, weights
from ast_edge.model.protobuf import first_text, parts, pieces

LARGEST = (1 << 31) - (1 << 20)
"""Bytes of a file; a protobuf message ends at 2 GiB."""

# Numbers of fields in onnx.proto.
_GRAPH, _OPSET, _OPSET_DOMAIN, _OPSET_VERSION = 7, 8, 1, 2
_NODE, _WEIGHTS, _WEIGHTS_NAME, _INPUT, _OUTPUT, _TYPES = 1, 5, 8, 11, 12, 13


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
            for span in parts(data, 0, len(data), _OPSET)
            if first_text(data, *span, _OPSET_DOMAIN) in ("", "ai.onnx")
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
        said: list[bytes | memoryview] = [self.graph_rest]
        said += [protobuf.message(_INPUT, one) for one in self.inputs.values()]
        said += [protobuf.message(_OUTPUT, one) for one in self.outputs.values()]
        said += [protobuf.message(_NODE, one.encoded()) for one in self.nodes]
        for name, tensor in self.weights.items():
            if tensor.is_elsewhere:
                tensor = weights(name, tensor.values())
            said += [protobuf.head(_WEIGHTS, len(tensor.content)), tensor.content]
        size = sum(map(len, said))
        if size + len(self.model_rest) > LARGEST:
            raise ValueError(f"a graph of {size / 1e9:.1f} GB does not fit into one file")
        with path.open("wb") as file:
            file.writelines([self.model_rest, protobuf.head(_GRAPH, size), *said])


def read_graph(path: Path) -> OnnxGraph:
    """Read a graph; its weights stay encoded.

    Raises:
        ValueError, IndexError: if it is no ONNX graph.
        OSError: if it cannot be read.
    """
    data = memoryview(path.read_bytes())
    model_rest, graphs = list[bytes](), list[memoryview]()
    for number, begin, at, stop in pieces(data, 0, len(data)):
        if number == _GRAPH:
            graphs.append(data[at:stop])
        else:
            model_rest.append(bytes(data[begin:stop]))
    if len(graphs) != 1:
        raise ValueError(f"expected one graph in {path.name}, found {len(graphs)}")
    (graph,) = graphs
    rest, nodes, tensors = list[bytes](), list[Node](), dict[str, Weights]()
    ports: dict[int, dict[str, bytes]] = {_INPUT: {}, _OUTPUT: {}}
    for number, begin, at, stop in pieces(graph, 0, len(graph)):
        if number == _NODE:
            nodes.append(read_node(bytes(graph[at:stop])))
        elif number == _WEIGHTS:
            tensors[first_text(graph, at, stop, _WEIGHTS_NAME)] = Weights(
                graph[at:stop], path.parent
            )
        elif number in ports:
            ports[number][first_text(graph, at, stop, 1)] = bytes(graph[at:stop])
        elif number != _TYPES:  # of what is in between; they may change
            rest.append(bytes(graph[begin:stop]))
    return OnnxGraph(
        *(_in_order(nodes), tensors, ports[_OUTPUT], ports[_INPUT]),
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
