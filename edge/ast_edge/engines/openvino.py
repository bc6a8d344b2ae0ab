"""The engine for processors, and for Intel's GPUs and NPUs: OpenVINO.

On a processor it computes in bfloat16 where that is multiplied natively.
"""

import logging
import sys
import threading
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ast_edge.base.errors import EngineError
from ast_edge.engines.agreement import LIMITS, compare, remembered
from ast_edge.engines.config import EngineConfig
from ast_edge.engines.engine import CLOSED, Scores
from ast_edge.engines.graph_border import GraphBorder
from ast_edge.engines.processor import int8_saturates
from ast_edge.engines.trt.engine_cache import cache_folder, plain
from ast_edge.model.bundle import Bundle
from ast_edge.model.graph_spec import WHOLE

# `import openvino` would report itself to its maker and write an id to the home directory, unless
# its telemetry module cannot be imported.
sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]
# Its converter of other frameworks' models, which is most of what it would load.
sys.modules["openvino.tools.ovc"] = None  # type: ignore[assignment]
import openvino  # noqa: E402

log = logging.getLogger(__name__)

CPU, GPU, NPU = "CPU", "GPU", "NPU"
"""OpenVINO's names; of several GPUs the first is GPU.0."""
INT8 = "LP_TRANSFORMS_MODE"
"""Whether the CPU multiplies in int8 what the graph says (or in float32 the same whole numbers)."""


@cache
def shared_core() -> openvino.Core:
    """Return the one core of the process, which is never freed.

    Its plugin for the CPU gives the thread a stack for signals. With more than one core, and freed
    in another order than made, that stack is freed memory: the next signal would be the last.
    """
    return openvino.Core()


def read_program(path: Path, bundle: Bundle, outputs: Collection[str], batch: int = -1) -> Any:  # noqa: ANN401
    """Read a graph for windows of the bundle, in batches of any size (-1) or of one.

    Of its outputs those stay that are named.

    Raises:
        RuntimeError, ValueError: if OpenVINO cannot read it.
    """
    graph = shared_core().read_model(path)
    _leave_out(graph, outputs)
    if bundle.graph != WHOLE or batch > 0:  # one that takes windows of any length is fixed to ours
        window = [batch, bundle.frames, bundle.fbank.mel_bins]
        graph.reshape({bundle.graph.input: openvino.PartialShape(window)})
    return graph


class OpenVinoEngine:
    """A graph compiled for a device; the batch size is free.

    Another device than the processor is compared with the processor on its first use. Where it
    gives other scores, it computes in float32; where it does even so, the processor computes.
    """

    name = "openvino"

    def __init__(self, bundle: Bundle, config: EngineConfig) -> None:
        """Compile the bundle's graph.

        Raises:
            EngineError: if OpenVINO cannot read it, or not compile it for the processor.
        """
        self._border = GraphBorder(bundle)
        self._one_at_a_time = threading.Lock()
        for device, precision in _candidates(bundle, config):
            if device == CPU:
                self._compile(bundle, config, CPU, precision)
                return
            try:
                self._compile(bundle, config, device, precision)
                fault = self._disagreement(bundle, device)
            except EngineError as exc:
                fault = str(exc)
            if not fault:
                return
            log.warning("openvino on %s in %s: %s; it is not used", device, precision, fault)

    def _compile(self, bundle: Bundle, config: EngineConfig, device: str, precision: str) -> None:
        border = self._border
        settings: dict[str, str | int | bool] = {"PERFORMANCE_HINT": "LATENCY"}
        if device != NPU:  # which knows one arithmetic
            settings["INFERENCE_PRECISION_HINT"] = precision.replace("fp", "f")  # its names
        if device == CPU:
            settings["NUM_STREAMS"] = 1
            # Each process would pin its threads to the first cores: all of them to the same.
            settings["ENABLE_CPU_PINNING"] = False
            if bundle.precision == "int8" and int8_saturates():
                settings[INT8] = "NO"
            if config.threads:
                settings["INFERENCE_NUM_THREADS"] = config.threads
        else:  # it compiles for minutes
            settings["CACHE_DIR"] = str(cache_folder() / "openvino")
        self._single = device == NPU  # which takes fixed shapes only
        try:
            graph = read_program(bundle.onnx, bundle, border.outputs, 1 if self._single else -1)
            model = _compiled(graph, device, settings)
            takes = model.input(border.input).get_partial_shape()
            self._takes = openvino.PartialShape([-1, *list(takes)[1:]])
            for name in border.outputs:
                model.output(name)  # raises if there is none
        except (RuntimeError, ValueError) as exc:  # ValueError: it quotes what is no text
            raise EngineError(f"{bundle.onnx}: {str(exc).strip().splitlines()[-1]}") from exc
        self._request: openvino.InferRequest | None = model.create_infer_request()
        self.precision: str = precision
        if device != NPU:
            actual = model.get_property("INFERENCE_PRECISION_HINT").get_type_name()
            self.precision = actual.replace("f", "fp").replace("bfp", "bf")
        where = _title(device)
        if device == CPU:
            where = f"{model.get_property('INFERENCE_NUM_THREADS')} threads"
        whole = bundle.precision == "int8" and INT8 not in settings
        arithmetic = "int8 and " * whole + self.precision
        self.description = f"OpenVINO {_version()}, {arithmetic}, {where}"

    def _disagreement(self, bundle: Bundle, device: str) -> str:
        """Say how far a device is from the processor; empty if it is near enough."""
        parts = (_version(), _title(device), _driver(device), self.precision)
        name = f"{bundle.scores_sha256[:16]}-openvino_{'-'.join(map(plain, parts))}.json"
        limit = max(LIMITS[bundle.precision], LIMITS[self.precision])
        found = remembered(
            cache_folder() / "agreements" / name, lambda: compare(self, bundle, limit)
        )
        log.info("openvino on %s in %s %s", device, self.precision, found)
        return "" if found.holds else str(found)

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
        fed = self._border.feed(fbank)
        batches = np.split(fed, len(fed)) if self._single else [fed]
        with self._one_at_a_time:
            if self._request is None:
                raise EngineError(CLOSED)
            try:
                each = [self._infer(self._request, batch) for batch in batches]
            except RuntimeError as exc:
                raise EngineError(
                    f"the graph refused windows of shape {fbank.shape}: "
                    f"{str(exc).strip().splitlines()[-1]}"
                ) from exc
        return self._border.scores([np.concatenate(parts) for parts in zip(*each, strict=True)])

    def _infer(
        self, request: openvino.InferRequest, batch: NDArray[np.generic]
    ) -> list[NDArray[np.float32]]:
        results = request.infer({self._border.input: batch})
        # Copies: the next run writes where these lie.
        return [np.array(results[name], np.float32) for name in self._border.outputs]

    def close(self) -> None:
        """Free the compiled graph."""
        with self._one_at_a_time:
            self._request = None


def _compiled(graph: openvino.Model, device: str, settings: dict[str, str | int | bool]) -> Any:  # noqa: ANN401
    """Compile a graph; say so if OpenVINO cannot keep from saturating sums."""
    try:
        return shared_core().compile_model(graph, device, settings)
    except RuntimeError as exc:
        if INT8 not in settings or INT8 not in str(exc):
            raise
    log.warning(
        "openvino %s multiplies int8 here in sums that saturate (the processor has no VNNI), so "
        "scores may be wrong: take the model in fp32 or fp16, or set engine.name: onnxruntime",
        _version(),
    )
    del settings[INT8]
    return shared_core().compile_model(graph, device, settings)


def _leave_out(graph: openvino.Model, wanted: Collection[str]) -> None:
    """Cut off the outputs that nobody asks for, and what is computed for them alone."""
    for result in graph.results:
        if not result.output(0).get_names() & set(wanted):
            graph.remove_result(result)


def _candidates(bundle: Bundle, config: EngineConfig) -> Iterator[tuple[str, str]]:
    """Yield devices and precisions to try, the processor last; say what is asked for and absent."""
    core, wanted = shared_core(), config.precision
    kind = GPU if config.device == "auto" else config.device.upper()
    if kind != CPU:
        found = next((name for name in core.available_devices if name.startswith(kind)), None)
        if found is not None:
            precisions = ["fp16", "fp32"] if wanted == "auto" else [wanted]
            yield from ((found, one) for one in (["fp16"] if kind == NPU else precisions))
        elif config.device != "auto":
            log.warning(
                "openvino: there is no %s here, it sees %s: install its driver (docs/gpu.md); "
                "the processor is used",
                *(kind, ", ".join(core.available_devices)),
            )
    if wanted == "auto":
        native = core.get_property(CPU, "OPTIMIZATION_CAPABILITIES")
        wanted = "bf16" if "BF16" in native and bundle.bf16 else "fp32"
    yield CPU, wanted


def _version() -> str:
    return str(openvino.__version__).split("-")[0]


def _title(device: str) -> str:
    return str(shared_core().get_property(device, "FULL_DEVICE_NAME"))


def _driver(device: str) -> str:
    """Return the version of a device's driver, as far as OpenVINO tells."""
    core = shared_core()
    names = [str(n) for n in core.get_property(device, "SUPPORTED_PROPERTIES")]
    return " ".join(str(core.get_property(device, n)) for n in names if n.endswith("VERSION"))
