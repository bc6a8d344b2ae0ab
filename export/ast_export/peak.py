"""The peak of a device: what an engine reaches in large matrix products and nothing else."""

from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from ast_edge.base.files import file_sha256
from ast_edge.frontend.fbank import FbankSpec
from ast_edge.model.bundle import Bundle, Precision
from ast_edge.model.label import Label
from ast_edge.model.label_settings import TrackerSettings
from ast_edge.model.spec import ModelSpec

SIZE = 1024
"""Rows and columns of the matrices."""
CHAIN = 4
"""Products one after the other, so that what surrounds them hardly counts."""
PEAK_FLOPS = 2 * SIZE**3 * CHAIN
"""Of one window."""


def write_peak(folder: Path, precision: Precision) -> Bundle:
    """Write a graph of plain matrix products, which every engine opens as it does a model's.

    A window (SIZE frames, 1 mel bin) becomes a matrix inside the graph, so that next to nothing
    is copied. Weights and products have the precision that the graph of the model has.
    """
    dtype = np.dtype(np.float16 if precision == "fp16" else np.float32)
    element = helper.np_dtype_to_tensor_dtype(dtype)
    rng = np.random.default_rng(0)
    weights = rng.standard_normal((SIZE, SIZE)) / SIZE**0.5  # keep the values near one
    constants = {
        "row": rng.standard_normal((1, SIZE)).astype(dtype),
        "weights": weights.astype(dtype),
        "axes": np.array([1, 2], np.int64),
    }
    nodes = [
        helper.make_node("Cast", ["fbank"], ["column"], to=element),
        helper.make_node("Add", ["column", "row"], ["x0"]),
        *(
            helper.make_node("MatMul", [f"x{number}", "weights"], [f"x{number + 1}"])
            for number in range(CHAIN)
        ),
        helper.make_node("ReduceMax", [f"x{CHAIN}", "axes"], ["largest"]),
        helper.make_node("Flatten", ["largest"], ["score"]),
        helper.make_node("Cast", ["score"], ["logit"], to=TensorProto.FLOAT),
        helper.make_node("Sigmoid", ["logit"], ["clip"]),
    ]
    graph = helper.make_graph(
        nodes,
        "peak",
        [helper.make_tensor_value_info("fbank", TensorProto.FLOAT, ["batch", SIZE, 1])],
        [helper.make_tensor_value_info("clip", TensorProto.FLOAT, ["batch", 1])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", 18)]
    path = folder / "model.onnx"
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=10), path)
    if precision == "int8":
        from ast_export.quantization import quantize_products  # needs ONNX Runtime

        quantize_products(path, peak_windows(1))
    label = Label(0, "Peak", "")
    return Bundle(
        folder=folder,
        name="peak",
        fbank=FbankSpec(mel_bins=1),
        members=(ModelSpec(labels=1, frames=SIZE, mel_bins=1, patch=(1, 1)),),
        labels=(label,),
        settings={label: TrackerSettings()},
        sha256=file_sha256(path),
        precision=precision,
        frame="none",
        clip_gate=False,
        metrics={},
        licence="Apache-2.0",
    )


def peak_windows(batch: int) -> NDArray[np.float32]:
    """Return windows (batch, SIZE, 1) for the graph; a batch makes its matrices longer."""
    return np.random.default_rng(1).standard_normal((batch, SIZE, 1)).astype(np.float32)
