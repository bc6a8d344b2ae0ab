"""Smaller files: weights stored with fewer bits, computed with in float32."""

from pathlib import Path
from typing import Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

Storage = Literal["fp32", "fp16", "int8"]

LARGEST = 2_000_000_000
"""Bytes of weights in one file; a protocol buffer ends at 2 GiB."""
SMALLEST = 1024
"""Values; smaller tensors are left as they are."""


def compress_weights(path: Path, storage: Storage) -> None:
    """Store the large weights of a float32 graph with fewer bits; arithmetic stays in float32.

    `fp16` halves the file. `int8` quarters it: the weights of matrix products become whole numbers
    with a scale for each output, all others float16. What is lost shows in the parity report.
    """
    if storage == "fp32":
        return
    model = onnx.load(path)
    matrices = _matrices(model) if storage == "int8" else set()
    nodes: list[NodeProto] = []
    tensors: list[TensorProto] = []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < SMALLEST:
            tensors.append(tensor)
        elif tensor.name in matrices:
            tensors += _quantize(values, tensor.name)
            inputs = [tensor.name + "_int8", tensor.name + "_scale"]
            nodes.append(helper.make_node("DequantizeLinear", inputs, [tensor.name], axis=1))
        else:
            half = tensor.name + "_half"
            tensors.append(numpy_helper.from_array(values.astype(np.float16), half))
            nodes.append(helper.make_node("Cast", [half], [tensor.name], to=TensorProto.FLOAT))
    nodes += model.graph.node
    del model.graph.initializer[:], model.graph.node[:], model.graph.value_info[:]
    model.graph.initializer.extend(tensors)
    model.graph.node.extend(nodes)
    save_graph(model, path)
    onnx.checker.check_model(path)


def save_graph(model: onnx.ModelProto, path: Path) -> None:
    """Write a graph in the place of an older one, in one file if that can hold it."""
    forget_origin(model)
    data = path.with_name(path.name + ".data")
    data.unlink(missing_ok=True)
    large = sum(len(tensor.raw_data) for tensor in model.graph.initializer) > LARGEST
    onnx.save(model, path, save_as_external_data=large, location=data.name)


def forget_origin(model: onnx.ModelProto) -> None:
    """Leave out what an exporter notes beside a graph: lines of programs, folders of its user."""
    graph = model.graph
    for part in (model, graph, *graph.node, *graph.value_info, *graph.input, *graph.output):
        part.ClearField("metadata_props")


def _matrices(model: onnx.ModelProto) -> set[str]:
    """Return the names of (inputs, outputs) weights that a matrix product reads."""
    products = (node for node in model.graph.node if node.op_type == "MatMul")
    names = {node.input[1] for node in products}
    return {t.name for t in model.graph.initializer if t.name in names and len(t.dims) == 2}


def _quantize(values: NDArray[np.float32], name: str) -> list[TensorProto]:
    """Make symmetric int8 weights and a scale for each column."""
    scale = np.maximum(np.abs(values).max(axis=0), np.finfo(np.float32).tiny) / 127
    whole = np.rint(values / scale).astype(np.int8)
    return [
        numpy_helper.from_array(whole, name + "_int8"),
        numpy_helper.from_array(scale.astype(np.float32), name + "_scale"),
    ]
