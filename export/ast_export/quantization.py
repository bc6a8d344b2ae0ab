"""Graphs whose matrix products compute in int8."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quant_pre_process,
    quantize_static,
)

from ast_edge.base.errors import ConfigError
from ast_export.compression import save_graph

CALIBRATION = 64
"""Windows that say how large the numbers become; more than that change them by little."""


def quantize_products(path: Path, windows: NDArray[np.float32]) -> None:
    """Let the layers of a float32 graph multiply in int8; in the same file.

    Static and symmetric, which is what OpenVINO multiplies fast: a scale for each output of the
    weights, and one for each tensor that is multiplied with them, which reaches to the largest
    number that is met. The patches, attention, norms and the head of the clip stay in float32:
    they are a tenth of the work and most of the error.

    Args:
        path: the graph, in one file.
        windows: (n, frames, mels) of sound as the model will hear it; `CALIBRATION` of them are
            taken, evenly spread.

    Raises:
        ConfigError: if the weights of the graph lie in a file of their own.
    """
    if path.with_name(path.name + ".data").exists():
        raise ConfigError(f"{path.name}: int8 is for graphs of up to 2 GB; use --precision fp16")
    model = onnx.load(path)
    name = model.graph.input[0].name
    weights = {tensor.name for tensor in model.graph.initializer}
    products = [node for node in model.graph.node if node.op_type == "MatMul"]
    attention = [node.name for node in products if node.input[1] not in weights]
    del model.graph.value_info[:]  # of PyTorch's exporter, and not all right
    with tempfile.TemporaryDirectory(dir=path.parent) as scratch:
        plain, quantized = Path(scratch, "plain.onnx"), Path(scratch, "quantized.onnx")
        quant_pre_process(model, plain, skip_optimization=True, skip_symbolic_shape=True)
        quantize_static(
            plain,
            quantized,
            _Windows(name, windows),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["MatMul"],  # the head of the clip is a Gemm
            nodes_to_exclude=attention,
            per_channel=True,
            activation_type=QuantType.QInt8,
            weight_type=QuantType.QInt8,
            extra_options={"ActivationSymmetric": True},
        )
        model = onnx.load(quantized)
    save_graph(model, path)
    onnx.checker.check_model(path)


class _Windows(CalibrationDataReader):  # type: ignore[misc]  # it has no types
    """Hands out one window at a time."""

    def __init__(self, name: str, windows: NDArray[np.float32]) -> None:
        count = min(CALIBRATION, len(windows))
        chosen = windows[np.linspace(0, len(windows) - 1, count).astype(int)]
        self._feeds: Iterator[dict[str, NDArray[np.float32]]] = (
            {name: window[np.newaxis]} for window in chosen
        )

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        """Return the next input, or None after the last."""
        return next(self._feeds, None)
