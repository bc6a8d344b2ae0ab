"""Floating-point operations of a graph: what its matrix products and convolutions compute."""

from math import prod
from pathlib import Path

import onnx
from onnx import NodeProto

from ast_edge.base.errors import BundleError

Shapes = dict[str, tuple[int, ...]]

PRODUCTS = {"MatMul", "Gemm", "Conv"}
UNCOUNTED = {
    "Attention",
    "ConvInteger",
    "ConvTranspose",
    "Einsum",
    "If",
    "Loop",
    "MatMulInteger",
    "QLinearConv",
    "QLinearMatMul",
}
"""Operators with products that nothing here counts; `ast-export onnx` writes none of them."""
SHAPE_BYTES = 4096
"""More than a constant takes that says a shape; larger ones are weights."""


def count_flops(path: Path) -> int:
    """Count the FLOP of one window, 2 per multiply-add.

    Matrix products and convolutions count, as in `torch.utils.flop_counter`; norms, softmax and
    other element-wise work do not.

    Raises:
        BundleError: if the graph has products that cannot be counted.
    """
    model = onnx.load(path, load_external_data=False)
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1
    for tensor in model.graph.initializer:  # inference copies the model, and takes 2 GB at most
        if len(tensor.raw_data) > SHAPE_BYTES:
            tensor.ClearField("raw_data")
    model = onnx.shape_inference.infer_shapes(model, data_prop=True)
    shapes = _shapes(model)
    flops = 0
    for node in model.graph.node:
        if node.domain not in ("", "ai.onnx") or node.op_type in UNCOUNTED:
            raise BundleError(
                f"{path}: expected matrix products as MatMul, Gemm and Conv, got {node.op_type}: "
                "its FLOP cannot be counted; export the model with `ast-export onnx`"
            )
        if node.op_type in PRODUCTS:
            try:
                flops += _flops(node, shapes)
            except KeyError as exc:
                raise BundleError(
                    f"{path}: the shape of {exc} is not known, so the FLOP of {node.name or 'a'} "
                    f"{node.op_type} cannot be counted; export the model with `ast-export onnx`"
                ) from exc
    return flops


def _shapes(model: onnx.ModelProto) -> Shapes:
    """Return the shapes of all tensors that have a fixed one."""
    graph = model.graph
    shapes: Shapes = {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}
    for value in (*graph.input, *graph.value_info, *graph.output):
        dims = value.type.tensor_type.shape.dim
        if all(dim.HasField("dim_value") for dim in dims):
            shapes[value.name] = tuple(dim.dim_value for dim in dims)
    return shapes


def _flops(node: NodeProto, shapes: Shapes) -> int:
    if node.op_type == "Conv":
        terms = prod(shapes[node.input[1]][1:])  # (outputs, channels of the group, kernel)
    else:
        transposed = any(a.name == "transA" and a.i for a in node.attribute)  # of Gemm
        terms = shapes[node.input[0]][0 if transposed else -1]
    return 2 * prod(shapes[node.output[0]]) * terms
