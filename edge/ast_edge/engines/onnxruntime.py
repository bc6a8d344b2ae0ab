"""The reference engine: ONNX Runtime in the arithmetic of the graph, on the CPU.

A build of ONNX Runtime with CUDA or TensorRT (`onnxruntime-gpu`) computes there.
"""

import logging
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ast_edge.base.errors import EngineError
from ast_edge.engines.config import EngineConfig
from ast_edge.engines.engine import CLOSED, Scores
from ast_edge.engines.graph_border import GraphBorder
from ast_edge.engines.processor import int8_saturates
from ast_edge.engines.trt.engine_cache import cache_folder
from ast_edge.model.bundle import Bundle

# On import, ONNX Runtime would write an id to the home directory and report itself to its maker.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as faults

log = logging.getLogger(__name__)

# They have no common base.
FAULTS = (
    faults.EPFail,
    faults.Fail,
    faults.InvalidArgument,
    faults.InvalidGraph,
    faults.InvalidProtobuf,
    faults.NoModel,
    faults.NoSuchFile,
    faults.NotImplemented,
    faults.RuntimeException,
    ValueError,  # also a message that quotes from the file what is no text
)


class OnnxRuntimeEngine:
    """A graph in an ONNX Runtime session; the batch size is free."""

    name = "onnxruntime"

    def __init__(self, bundle: Bundle, config: EngineConfig) -> None:
        """Load the bundle's graph.

        Raises:
            EngineError: if ONNX Runtime cannot load it, or another precision is asked for than the
                graph's.
        """
        if config.precision not in ("auto", bundle.precision):
            raise EngineError(
                f"onnxruntime computes in {bundle.precision} as the graph says; set "
                f"engine.precision to auto or {bundle.precision}"
            )
        session = open_session(bundle.onnx, config.threads)
        self._session: onnxruntime.InferenceSession | None = session
        self._border = GraphBorder(bundle)
        self.precision: str = bundle.precision
        # Not the first that was asked for: one that does not load is passed over.
        device = session.get_providers()[0].removesuffix("ExecutionProvider")
        threads = f"{config.threads} threads" if config.threads else "all cores"
        where = threads if device == "CPU" else device
        self.description = f"ONNX Runtime {onnxruntime.__version__}, {bundle.precision}, {where}"

    def run(self, fbank: NDArray[np.float32]) -> Scores:
        """Score windows (batch, frames, mel_bins).

        Raises:
            EngineError: if the graph does not take windows of this shape, or it is closed.
        """
        session = self._session
        if session is None:
            raise EngineError(CLOSED)
        try:
            feed = {self._border.input: self._border.feed(fbank)}
            found = session.run(list(self._border.outputs), feed)
        except (*FAULTS, ValueError) as exc:
            raise EngineError(
                f"the graph refused windows of shape {fbank.shape}: {str(exc).splitlines()[0]}"
            ) from exc
        return self._border.scores(found)

    def close(self) -> None:
        """Free the session."""
        self._session = None


def open_session(path: Path, threads: int) -> onnxruntime.InferenceSession:
    """Load a graph; 0 threads are as many as there are cores.

    Raises:
        EngineError: if ONNX Runtime cannot load it.
    """
    exact = int8_saturates()  # with it where it need not be, VNNI would stay unused
    try:
        return _session(path, threads, exact=exact)
    except FAULTS as exc:
        if not exact:
            raise EngineError(f"{path}: {str(exc).splitlines()[0]}") from exc
    try:  # it cannot do so with weights of int8 that two products share
        session = _session(path, threads, exact=False)
    except FAULTS as exc:
        raise EngineError(f"{path}: {str(exc).splitlines()[0]}") from exc
    log.warning(
        "onnxruntime cannot keep sums of int8 from saturating in %s here (the processor has no "
        "VNNI), so scores may be wrong: take the model in fp32 or fp16",
        path.parent.name,
    )
    return session


def _session(path: Path, threads: int, *, exact: bool) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    # Its threads would wait for the next window by spinning, at five times the window's work.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if exact:
        options.add_session_config_entry("session.x64quantprecision", "1")
    # Fatal errors while there is another way; its warnings mean nothing to a user.
    options.log_severity_level = 4 if exact else 3
    return onnxruntime.InferenceSession(path, options, providers=_providers())


def _providers() -> list[str | tuple[str, dict[str, str]]]:
    """Return what this build can compute on, the fastest first."""
    available = onnxruntime.get_available_providers()
    providers: list[str | tuple[str, dict[str, str]]] = []
    if "TensorrtExecutionProvider" in available:
        # Or it would build its engines anew at every start.
        cache = {"trt_engine_cache_enable": "True", "trt_engine_cache_path": str(cache_folder())}
        providers.append(("TensorrtExecutionProvider", cache))
    if "CUDAExecutionProvider" in available:
        # TF32 keeps 10 of 23 bits: fp32 means fp32.
        providers.append(("CUDAExecutionProvider", {"use_tf32": "0"}))
    return [*providers, "CPUExecutionProvider"]
