"""A float32 graph whose matrix products are computed in float16.

TensorRT computes what a graph says (strongly typed), so float16 has to stand in the graph. Layer
norms, softmax, the sums along the residual connections, the head and what follows it stay in
float32, whatever operators they are written with: only products are turned, and what lies
between them.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ast_edge.model.onnx_graph import OnnxGraph
from ast_edge.model.onnx_node import Node, node
from ast_edge.model.onnx_weights import FLOAT, HALF, Weights, weights

VERSION = 2
"""Of the way it is made; another one makes graphs and engines anew."""
LARGEST = 65504.0
"""The largest number of float16."""
_MARK = "::half"

PRODUCTS = frozenset({"Conv", "Gemm", "MatMul"})
EXACT_CONVOLUTIONS = PRODUCTS - {"Conv"}
"""Leaves convolutions in float32: in a deep stack of them errors add up, which residual sums in
float32 keep from doing elsewhere."""
MOVERS = frozenset(
    {"Flatten", "Gather", "Identity", "Reshape", "Slice", "Split", "Squeeze", "Transpose"}
    | {"Unsqueeze"}
)
"""They move their first input, and compute nothing."""
POINTWISE = frozenset({"Add", "Div", "Erf", "Gelu", "Mul", "Relu", "Sub"})
"""They are float16 where all that they take is made so, or constant: biases, scales, GELU."""


@dataclass(frozen=True, eq=False)
class HalfGraph:
    """What comes of a graph."""

    graph: OnnxGraph
    ranges: tuple[str, ...]
    """Tensors of the graph before, all that is float16 now and computed or rounded for it."""


def halve(graph: OnnxGraph, products: frozenset[str] = PRODUCTS) -> HalfGraph | None:
    """Turn these products of a float32 graph; None if it has none of them that count.

    Raises:
        ValueError: if weights do not fit into float16, or are stored in a way that is not read.
    """
    chosen = _choose(graph, products)
    return _Rewriting(graph, chosen).result() if chosen else None


def with_ranges(graph: OnnxGraph, names: Iterable[str], output: str) -> OnnxGraph:
    """Return the graph with one more output: the largest magnitude that any of the tensors has."""
    peaks, more = list[str](), list[Node]()
    for number, name in enumerate(names):
        size, peak = f"{output}::{number}", f"{output}::{number} peak"
        more += [node("Abs", [name], size), node("ReduceMax", [size], peak, keepdims=0)]
        peaks.append(peak)
    more.append(node("Max", peaks, output))
    return replace(graph, nodes=[*graph.nodes, *more]).with_output(output, ())


def _choose(graph: OnnxGraph, kinds: frozenset[str]) -> set[int]:
    """Return the numbers of the nodes that are to compute in float16."""
    constant, products = set(graph.weights), set[int]()
    for number, one in enumerate(graph.nodes):
        if all(name in constant for name in one.inputs if name) and not one.captured:
            constant.update(one.outputs)
        elif one.is_standard and one.kind in kinds:
            products.add(number)
    chosen, before_a_product = set[int](), set[str]()
    for number, one in reversed(list(enumerate(graph.nodes))):
        goes_on = not before_a_product.isdisjoint(one.outputs)
        if number in products and goes_on:  # else it is a head
            chosen.add(number)
        if number in products or goes_on:
            before_a_product.update(one.inputs, one.captured)
    made = set[str]()
    for number, one in enumerate(graph.nodes):
        if number not in chosen and _stays_half(one, made, constant):
            chosen.add(number)
        if number in chosen:
            made.update(one.outputs)
    return chosen


def _stays_half(one: Node, made: set[str], constant: set[str]) -> bool:
    """Tell whether all that a node takes is float16 already, or constant."""
    if not one.is_standard or made.isdisjoint(one.inputs):
        return False
    if one.kind in MOVERS:
        return one.inputs[0] in made
    return one.kind in POINTWISE and all(n in made or n in constant for n in one.inputs if n)


class _Rewriting:
    def __init__(self, graph: OnnxGraph, chosen: set[int]) -> None:
        self._graph, self._chosen = graph, chosen
        self._makers = {name: one for one in graph.nodes for name in one.outputs}
        self._made = {name for number in chosen for name in graph.nodes[number].outputs}
        self._half: dict[str, Weights] = {}
        self._rounded = set[str]()
        self._nodes: list[Node] = []
        self._ranges: list[str] = []

    def result(self) -> HalfGraph:
        wanted = self._wanted_as_float()
        for number, one in enumerate(self._graph.nodes):
            if number not in self._chosen:
                self._nodes.append(one)
                continue
            count = 1 if one.kind in MOVERS else len(one.inputs)
            inputs = [*map(self._as_half, one.inputs[:count]), *one.inputs[count:]]
            outputs = tuple(name + _MARK if name else "" for name in one.outputs)
            self._nodes.append(replace(one, inputs=tuple(inputs), outputs=outputs))
            if one.kind not in MOVERS:
                self._ranges += one.outputs
            self._nodes += [
                node("Cast", [name + _MARK], name, to=FLOAT)
                for name in one.outputs
                if name in wanted
            ]
        graph = replace(
            self._graph, nodes=self._nodes, weights=self._graph.weights | self._half
        ).pruned()
        return HalfGraph(graph, tuple(self._ranges))

    def _wanted_as_float(self) -> set[str]:
        """Return what others take of what is float16 now."""
        wanted = set(self._graph.outputs)
        for number, one in enumerate(self._graph.nodes):
            wanted |= one.captured
            if number not in self._chosen:
                wanted.update(one.inputs)
            elif one.kind in MOVERS:
                wanted.update(one.inputs[1:])
        return wanted & self._made

    def _as_half(self, name: str) -> str:
        """Return what is to be taken instead of a float32 tensor; it is made if it is not there."""
        if not name or name in self._made:
            return name and name + _MARK
        if name not in self._rounded:
            self._rounded.add(name)
            values = self._constant(name)
            if values is None:
                self._nodes.append(node("Cast", [name], name + _MARK, to=HALF))
                self._ranges.append(name)
            else:
                self._half[name + _MARK] = weights(name + _MARK, _rounded(values, name))
        return name + _MARK

    def _constant(self, name: str) -> NDArray[np.generic] | None:
        """Return what is stored, with fewer bits or not; None if it is computed."""
        if name in self._graph.weights:
            return self._graph.weights[name].values()
        one = self._makers.get(name)
        if one is None or not one.is_standard:
            return None
        if one.kind in ("Cast", "Identity"):
            return self._constant(one.inputs[0])
        if one.kind == "DequantizeLinear" and all(n in self._graph.weights for n in one.inputs):
            return self._dequantized(one)
        return None

    def _dequantized(self, one: Node) -> NDArray[np.generic]:
        values, scale, *zero = (self._graph.weights[name].values() for name in one.inputs)
        shape = [1] * values.ndim
        if scale.ndim:
            shape[one.whole("axis", 1)] = -1
        found = values.astype(np.float32)
        if zero:
            found -= zero[0].astype(np.float32).reshape(shape)
        scaled: NDArray[np.generic] = found * scale.astype(np.float32).reshape(shape)
        return scaled


def _rounded(values: NDArray[np.generic], name: str) -> NDArray[np.float16]:
    with np.errstate(over="ignore"):
        half = values.astype(np.float16)
    if not np.isfinite(half).all():
        raise ValueError(
            f"weights {name!r:.80} reach {np.abs(values.astype(np.float32)).max():.3g}, beyond "
            f"the {LARGEST:.0f} at which float16 ends"
        )
    return half
