"""Scores of every step from a published graph that scores whole windows only.

The classifier reads the mean of two special tokens. Here it reads, once more and for each step, the
mean of the patches of that step, as `ast-export onnx --frame-curve` lets it: nothing is trained for
that, so it shows where a sound is and is no probability to rely on.
"""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from ast_edge.hub.outline import Port
from ast_edge.model.onnx_graph import OnnxGraph
from ast_edge.model.onnx_node import Node, node
from ast_edge.model.onnx_weights import FLOAT, HALF, weights
from ast_edge.model.spec import ModelSpec

FRAME = "frame"
"""What the graph calls the scores of its steps."""
_MARK = "::steps"
_OF_WHOLE = frozenset({"MatMulInteger", "MatMulIntegerToFloat", "DynamicQuantizeMatMul", "QGemm"})
"""Products of whole numbers. Their weights are copied: ONNX Runtime can rewrite them once only."""
_AXES_ARE_INPUTS = 18
"""The opset from which ReduceMean takes its axes as an input."""


class NoCurve(Exception):
    """A graph does not show what a curve is made of; the message says what."""


def add_curve(graph: OnnxGraph, model: ModelSpec, clip: Port) -> OnnxGraph:
    """Return the graph with one more output: `frame` (batch, steps, labels), as `clip` scores.

    Raises:
        NoCurve: if its last hidden states, and the classifier on top of them, are not found.
    """
    if model.activation != "sigmoid":
        raise NoCurve("its labels exclude one another (softmax), so one would sound in every step")
    if any(FRAME in (*one.inputs, *one.outputs) for one in graph.nodes):
        raise NoCurve(f"it has a tensor {FRAME!r} already")
    hidden, tokens = _find_hidden(graph, clip.name)
    (frequencies, steps), width = model.grid, model.width
    made = {
        "first": np.array([2], np.int64),  # behind the special tokens
        "end": np.array([2 + frequencies * steps], np.int64),
        "one": np.array([1], np.int64),
        "grid": np.array([0, frequencies, steps, width], np.int64),
        "rows": np.array([-1, width], np.int64),
        "scores": np.array([-1, steps, model.labels], np.int64),
    }
    named = {f"{name}{_MARK}": weights(f"{name}{_MARK}", values) for name, values in made.items()}
    first, end, one, grid, rows, scores = named
    if graph.opset >= _AXES_ARE_INPUTS:
        mean = node("ReduceMean", [f"in rows{_MARK}", one], f"mean{_MARK}", keepdims=0)
    else:
        mean = node("ReduceMean", [f"in rows{_MARK}"], f"mean{_MARK}", axes=(1,), keepdims=0)
    before = [
        node("Slice", [hidden, first, end, one], f"patches{_MARK}"),
        node("Reshape", [f"patches{_MARK}", grid], f"in rows{_MARK}"),
        mean,
        node("Reshape", [f"mean{_MARK}", rows], f"each{_MARK}"),
    ]
    head = _repeated(graph.nodes, dict.fromkeys(tokens, f"each{_MARK}"))
    shared = {
        name
        for one in head
        if one.kind in _OF_WHOLE
        for name in one.inputs
        if name in graph.weights
    }
    named |= {f"{name}{_MARK}": graph.weights[name].renamed(f"{name}{_MARK}") for name in shared}
    head = [
        replace(one, inputs=tuple(n + _MARK if n in shared else n for n in one.inputs))
        for one in head
    ]
    after = node("Reshape", [clip.name + _MARK, scores], FRAME)
    kind = HALF if clip.kind == "float16" else FLOAT
    return (
        replace(
            graph,
            nodes=[*graph.nodes, *before, *head, after],
            weights=graph.weights | named,
        )
        .with_output(FRAME, ("batch", steps, model.labels), kind)
        .pruned()
    )


def _find_hidden(graph: OnnxGraph, clip: str) -> tuple[str, set[str]]:
    """Return the last hidden states, and what is taken of them for the classifier.

    That is the two special tokens, taken one by one along the second axis.
    """
    needed = _leading_to(graph.nodes, clip)
    picked: dict[str, dict[int, str]] = {}
    for one in graph.nodes:
        if one.kind == "Gather" and one.is_standard and one.whole("axis", 0) == 1:
            index = _index(graph, one.inputs[1])
            if index in (0, 1) and one.outputs[0] in needed:
                picked.setdefault(one.inputs[0], {})[index] = one.outputs[0]
    found = [hidden for hidden, tokens in picked.items() if len(tokens) == 2]
    if not found:
        raise NoCurve("its classifier does not read the two special tokens of hidden states")
    hidden = found[-1]
    tokens = set(picked[hidden].values())
    others = [
        one
        for one in graph.nodes
        if hidden in one.inputs and tokens.isdisjoint(one.outputs) and needed & set(one.outputs)
    ]
    if others:
        raise NoCurve(f"its classifier reads more than two tokens ({others[0].kind})")
    return hidden, tokens


def _leading_to(nodes: Iterable[Node], output: str) -> set[str]:
    """Return all tensors that an output is computed from."""
    needed = {output}
    for one in reversed(list(nodes)):
        if not needed.isdisjoint(one.outputs):
            needed.update(one.inputs, one.captured)
    return needed


def _index(graph: OnnxGraph, name: str) -> int | None:
    """Return a stored whole number; None if it is something else."""
    stored = graph.constant(name)
    if stored is None or stored.size != 1 or stored.dtype.kind != "i":
        return None
    return int(stored.reshape(-1)[0])


def _repeated(nodes: Iterable[Node], instead: dict[str, str]) -> list[Node]:
    """Return copies of all that is computed from some tensors, computed from others instead."""
    copies = []
    for one in nodes:
        if instead.keys().isdisjoint(one.inputs) or one.captured:
            continue
        copies.append(
            replace(
                one.nameless(),
                inputs=tuple(instead.get(name, name) for name in one.inputs),
                outputs=tuple(name and name + _MARK for name in one.outputs),
            )
        )
        instead = instead | {name: name + _MARK for name in one.outputs if name}
    return copies
