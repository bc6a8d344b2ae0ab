"""What an ONNX graph takes, gives and is made of, read without the `onnx` package."""

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ast_edge.base.errors import BundleError
from ast_edge.model.protobuf import fields, numbers

STANDARD = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft"})
"""Domains of operators that engines know. Those of com.microsoft come from ONNX Runtime's own
optimizer; whether an engine here has them shows when it runs."""
_TYPES = {1: "float32", 10: "float16"}
"""Of TensorProto.DataType, those that an input may have here."""
_DEEPEST = 20

# Numbers of fields in onnx.proto.
_MODEL_GRAPH, _MODEL_FUNCTION = 7, 25
_GRAPH_NODE, _GRAPH_INITIALIZER, _GRAPH_INPUT, _GRAPH_OUTPUT = 1, 5, 11, 12
_NODE_OUTPUT, _NODE_KIND, _NODE_ATTRIBUTE, _NODE_DOMAIN = 2, 4, 5, 7
_ATTRIBUTE_GRAPH, _ATTRIBUTE_GRAPHS = 6, 11
_FUNCTION_NODE, _FUNCTION_DOMAIN = 7, 10
_TENSOR_NAME = 8

Dimensions = tuple[int | None, ...]
"""None is any size."""


@dataclass(frozen=True)
class Port:
    """An input or an output."""

    name: str
    kind: str
    """float32, float16 or "other"."""
    shape: Dimensions | None
    """None if the graph does not say."""

    def __str__(self) -> str:
        """Return it as one may read it: logits (?, 527) float32."""
        sizes = ("any" if size is None else str(size) for size in self.shape or ())
        shape = "of any shape" if self.shape is None else f"({', '.join(sizes)})"
        return f"{self.name} {shape} {self.kind}"


@dataclass(frozen=True)
class GraphOutline:
    """The outside of a graph, and which operators it needs."""

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    makers: dict[str, str]
    """Output -> the operator that makes it."""
    strange: tuple[str, ...]
    """Operators of domains that are neither standard nor defined in the file: DOMAIN::NAME."""


def read_outline(path: Path) -> GraphOutline:
    """Read the outline of a graph.

    Raises:
        BundleError: if it is no ONNX graph.
        OSError: if it cannot be read.
    """
    with path.open("rb") as file:
        if path.stat().st_size == 0:
            raise BundleError(f"{path.name}: expected an ONNX graph, got an empty file")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            try:
                return _Reader(data).outline()
            except (ValueError, IndexError) as exc:
                raise BundleError(f"{path.name}: expected an ONNX graph: {exc}") from exc


class _Reader:
    def __init__(self, data: mmap.mmap) -> None:
        self._data = data

    def outline(self) -> GraphOutline:
        graphs = list(self._parts(0, len(self._data), _MODEL_GRAPH))
        if not graphs:
            raise ValueError("there is no graph in it")
        functions = list(self._parts(0, len(self._data), _MODEL_FUNCTION))
        own = {self._text(*span, _FUNCTION_DOMAIN) for span in functions}
        kinds = set[tuple[str, str]]()
        makers: dict[str, str] = {}
        for graph in graphs:
            for node in self._parts(*graph, _GRAPH_NODE):
                self._collect(node, kinds, _DEEPEST)
                for output in self._texts(*node, _NODE_OUTPUT):
                    makers[output] = self._text(*node, _NODE_KIND)
        for function in functions:
            for node in self._parts(*function, _FUNCTION_NODE):
                self._collect(node, kinds, _DEEPEST)
        graph = graphs[-1]
        weights = {
            self._text(*tensor, _TENSOR_NAME) for tensor in self._parts(*graph, _GRAPH_INITIALIZER)
        }
        inputs = (self._port(*span) for span in self._parts(*graph, _GRAPH_INPUT))
        outputs = tuple(self._port(*span) for span in self._parts(*graph, _GRAPH_OUTPUT))
        return GraphOutline(
            inputs=tuple(port for port in inputs if port.name not in weights),
            outputs=outputs,
            makers={port.name: makers.get(port.name, "") for port in outputs},
            strange=tuple(sorted(f"{d}::{k}" for d, k in kinds if d not in STANDARD | own)),
        )

    def _collect(self, node: tuple[int, int], kinds: set[tuple[str, str]], depth: int) -> None:
        """Add the operators of a node, and of the graphs in it."""
        if depth == 0:
            raise ValueError("it is nested too deeply")
        kinds.add((self._text(*node, _NODE_DOMAIN), self._text(*node, _NODE_KIND)))
        for attribute in self._parts(*node, _NODE_ATTRIBUTE):
            for graph in self._parts(*attribute, _ATTRIBUTE_GRAPH, _ATTRIBUTE_GRAPHS):
                for inner in self._parts(*graph, _GRAPH_NODE):
                    self._collect(inner, kinds, depth - 1)

    def _port(self, start: int, end: int) -> Port:
        """Read a ValueInfoProto: its type (2), a tensor's (1), has elements (1) and shape (2)."""
        kind, shape = "other", None
        for kind_span in self._parts(start, end, 2):
            for tensor in self._parts(*kind_span, 1):
                element = dict(numbers(self._data, *tensor)).get(1, 0)
                kind = _TYPES.get(element, "other")
                for dimensions in self._parts(*tensor, 2):
                    shape = tuple(self._size(*one) for one in self._parts(*dimensions, 1))
        return Port(self._text(start, end, 1), kind, shape)

    def _size(self, start: int, end: int) -> int | None:
        size = dict(numbers(self._data, start, end)).get(1, 0)
        return size if 0 < size < 1 << 31 else None  # -1 is any size as well

    def _parts(self, start: int, end: int, *wanted: int) -> Iterator[tuple[int, int]]:
        return ((at, stop) for n, at, stop in fields(self._data, start, end) if n in wanted)

    def _texts(self, start: int, end: int, wanted: int) -> Iterator[str]:
        for at, stop in self._parts(start, end, wanted):
            yield self._data[at : min(stop, at + 1000)].decode(errors="replace")

    def _text(self, start: int, end: int, wanted: int) -> str:
        return next(iter(self._texts(start, end, wanted)), "")
