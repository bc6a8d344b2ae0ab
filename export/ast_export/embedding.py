"""Embeddings as outputs of a graph that computes them anyway: what its heads read."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import onnx
from onnx import TensorProto, helper

from ast_edge.base.errors import BundleError
from ast_edge.model.bundle import EMBEDDINGS
from ast_export.compression import save_graph

_ALONG = {
    "Add",
    "Cast",
    "DequantizeLinear",
    "Gemm",
    "Identity",
    "MatMul",
    "QuantizeLinear",
    "Sigmoid",
    "Softmax",
}
"""Operators between a head's layer norm and the scores."""


def add_embeddings(path: Path, steps: Mapping[str, tuple[int, ...]]) -> int:
    """Let a graph give what its heads read; scores stay what they are.

    That is what the layer norm of a head reads, or where a stem tells it something as well, both
    behind the norm. No operator is added: tensors that are there already get a name and become
    outputs.

    Args:
        path: the graph, and where it is written.
        steps: of the embedding that belongs to each output of scores: none of `clip` and, if there
            is one, their number of `frame`.

    Returns:
        Numbers of an embedding.

    Raises:
        BundleError: if the graph has no such place, as that of an ensemble or one that was
            exported elsewhere.
    """
    model = onnx.load(path)
    graph = model.graph
    present = {output.name for output in graph.output}
    makers = {name: node for node in graph.node for name in node.output}
    computed = _computed(graph)
    known = onnx.shape_inference.infer_shapes(model).graph.value_info
    sizes = {info.name: info.type.tensor_type.shape.dim for info in known}
    width = 0
    for scores, shape in steps.items():
        name = EMBEDDINGS[scores]
        if name in present:
            raise BundleError(f"{path}: has an output {name} already")
        if scores not in present:
            raise BundleError(f"{path}: expected an output {scores}, got {sorted(present)}")
        read = _read_by_head(path, scores, makers, computed)
        width = sizes[read][-1].dim_value if read in sizes else 0
        if not width:
            raise BundleError(f"{path}: does not say how wide {read} is, which its head reads")
        _rename(graph, read, name)
        graph.output.append(
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *shape, width])
        )
    save_graph(model, path)
    onnx.checker.check_model(path)
    return width


def _computed(graph: onnx.GraphProto) -> set[str]:
    """Return the tensors that depend on the input; the others are weights, however stored."""
    known = {port.name for port in graph.input} - {weight.name for weight in graph.initializer}
    for node in graph.node:  # in the order in which they are computed
        if known & set(node.input):
            known |= set(node.output)
    return known


def _read_by_head(
    path: Path, scores: str, makers: Mapping[str, onnx.NodeProto], computed: set[str]
) -> str:
    """Go back from scores to the layer norm of their head, and return what it reads."""
    name = scores
    while node := makers.get(name):
        sources = [one for one in node.input if one in computed]
        if node.op_type == "LayerNormalization":
            return str(sources[0])
        if node.op_type == "Concat" and _is_norm(makers.get(node.input[0])):
            return name
        if node.op_type not in _ALONG or len(sources) != 1:
            break
        name = sources[0]
    raise BundleError(
        f"{path}: cannot tell what the head of {scores} reads: expected one layer norm and one "
        f"linear layer, got {node.op_type if node else 'an input'} on the way; an ensemble has no "
        "embedding, nor has a graph that was not exported by ast-export"
    )


def _is_norm(node: onnx.NodeProto | None) -> bool:
    return node is not None and node.op_type == "LayerNormalization"


def _rename(graph: onnx.GraphProto, old: str, new: str) -> None:
    for node in graph.node:
        for names in (node.input, node.output):
            _replace(names, old, new)
    for info in graph.value_info:
        if info.name == old:
            info.name = new


def _replace(names: "Iterable[str]", old: str, new: str) -> None:
    for place, name in enumerate(list(names)):
        if name == old:
            names[place] = new  # type: ignore[index]  # a repeated field of a message
