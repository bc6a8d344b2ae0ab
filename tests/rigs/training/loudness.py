"""A graph that hears how loud it is."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def loudness_graph(
    path: Path,
    samples: tuple[Any, ...] = ("batch", "samples"),
    gain: tuple[float, ...] = (1.0, 0.5),
) -> Path:
    """Write a graph that scores labels by the mean of the samples."""
    axis = len(samples) - 1
    nodes = [
        helper.make_node("ReduceMean", ["sound", "axes"], ["mean"], keepdims=1),
        helper.make_node("Mul", ["mean", "gain"], ["scores"]),
    ]
    shape = [*samples[:-1], len(gain)]
    model = helper.make_model(
        helper.make_graph(
            nodes,
            "loudness",
            [helper.make_tensor_value_info("sound", TensorProto.FLOAT, samples)],
            [helper.make_tensor_value_info("scores", TensorProto.FLOAT, shape)],
            [
                numpy_helper.from_array(np.array([axis]), "axes"),
                numpy_helper.from_array(np.float32(gain), "gain"),
            ],
        ),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=9,
    )
    onnx.save(model, path)
    return path
