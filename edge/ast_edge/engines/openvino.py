"""The engine for CPUs: OpenVINO, in bfloat16 where the processor multiplies it natively."""

import sys
import threading
from collections.abc import Collection
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ast_edge.base.errors import EngineError
from ast_edge.engines.config import EngineConfig
from ast_edge.engines.engine import CLOSED, Scores
from ast_edge.engines.graph_border import GraphBorder
from ast_edge.model.bundle import Bundle

# `import openvino` would report itself to its maker and write an id to the home directory, unless
# its telemetry module cannot be imported.
sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
import openvino  # noqa: E402


@cache
def shared_core() -> openvino.Core:
    """Return the one core of the process, which is never freed.

    Its plugin for the CPU gives the thread a stack for signals. With more than one core, and freed
    in another order than made, that stack is freed memory: the next signal would be the last.
    """
    return openvino.Core()


class OpenVinoEngine:
    """A graph compiled for the CPU; the batch size is free."""

    name = "openvino"

    def __init__(self, bundle: Bundle, config: EngineConfig) -> None:
        """Compile the bundle's graph.

        Raises:
            EngineError: if OpenVINO cannot read or compile it.
        """
        core = shared_core()
        precision = config.precision
        if precision == "auto":
            native = core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
            precision = "bf16" if "BF16" in native else "fp32"
        settings: dict[str, str | int] = {
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
            "INFERENCE_PRECISION_HINT": precision.replace("fp", "f"),  # its names lack the p
        }
        if config.threads:
            settings["INFERENCE_NUM_THREADS"] = config.threads
        self._border = border = GraphBorder(bundle)
        try:
            graph = core.read_model(bundle.onnx)
            window = [-1, bundle.frames, bundle.fbank.mel_bins]
            if not border.is_plain:  # one that takes windows of any length is compiled for ours
                graph.reshape({border.input: openvino.PartialShape(window)})
            _leave_out(graph, border.outputs)
            model = core.compile_model(graph, "CPU", settings)
            self._takes = model.input(border.input).get_partial_shape()
            for name in border.outputs:
                model.output(name)  # raises if there is none
        except (RuntimeError, ValueError) as exc:  # ValueError: it quotes what is no text
            raise EngineError(f"{bundle.onnx}: {str(exc).strip().splitlines()[-1]}") from exc
        self._request: openvino.InferRequest | None = model.create_infer_request()
        self._one_at_a_time = threading.Lock()
        actual = model.get_property("INFERENCE_PRECISION_HINT").get_type_name()
        self.precision: str = actual.replace("f", "fp").replace("bfp", "bf")
        threads = model.get_property("INFERENCE_NUM_THREADS")
        version = openvino.__version__.split("-")[0]
        arithmetic = "int8 and " * (bundle.precision == "int8") + self.precision
        self.description = f"OpenVINO {version}, {arithmetic}, {threads} threads"

    def run(self, fbank: NDArray[np.float32]) -> Scores:
        """Score windows (batch, frames, mel_bins).

        Raises:
            EngineError: if the graph does not take windows of this shape, or it is closed.
        """
        # OpenVINO itself would compute something from windows of any shape.
        if not self._takes.compatible(openvino.PartialShape(list(fbank.shape))):
            raise EngineError(
                f"the graph refused windows of shape {fbank.shape}: expected {self._takes}"
            )
        with self._one_at_a_time:
            if self._request is None:
                raise EngineError(CLOSED)
            try:
                results = self._request.infer({self._border.input: self._border.feed(fbank)})
            except RuntimeError as exc:
                raise EngineError(
                    f"the graph refused windows of shape {fbank.shape}: "
                    f"{str(exc).strip().splitlines()[-1]}"
                ) from exc
            # Copies: the next run writes where these lie.
            found = [np.array(results[name], np.float32) for name in self._border.outputs]
        return self._border.scores(found)

    def close(self) -> None:
        """Free the compiled graph."""
        with self._one_at_a_time:
            self._request = None


def _leave_out(graph: openvino.Model, wanted: Collection[str]) -> None:
    """Cut off the outputs that nobody asks for, and what is computed for them alone."""
    for result in graph.results:
        if not result.output(0).get_names() & set(wanted):
            graph.remove_result(result)
