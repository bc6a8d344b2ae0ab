"""The engine for NVIDIA GPUs: TensorRT, or TensorRT for RTX, built on the GPU that runs it."""

import logging
import math
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack

import numpy as np
from numpy.typing import NDArray

from ast_edge.base.errors import EngineError
from ast_edge.base.systemd import notify, watchdog_usec
from ast_edge.engines.config import EngineConfig
from ast_edge.engines.engine import CLOSED, Scores
from ast_edge.engines.graph_border import GraphBorder
from ast_edge.engines.trt.build import BuildOptions, build_engine
from ast_edge.engines.trt.cuda import Device
from ast_edge.engines.trt.cuda_choice import open_cuda
from ast_edge.engines.trt.engine_cache import EngineCache, EngineKey, cache_folder
from ast_edge.engines.trt.engine_card import EngineCard, Tensor
from ast_edge.engines.trt.execution import Execution, LoadedEngine, load_engine
from ast_edge.engines.trt.library import Library, find_library
from ast_edge.model.bundle import Bundle

log = logging.getLogger(__name__)


class TensorRTEngine:
    """A graph compiled for the first visible GPU; any size of batch.

    Arithmetic is that of the bundle's graph: TensorRT keeps its types.
    """

    name = "tensorrt"

    def __init__(self, bundle: Bundle, config: EngineConfig, *, graphs: bool = True) -> None:
        """Take the engine from the cache, or build it, which takes minutes with full TensorRT.

        Raises:
            EngineUnavailable: if this machine has no NVIDIA GPU or no driver for it.
            EngineError: if TensorRT or CUDA is not installed or fails, or the bundle has another
                precision than the configuration asks for.
        """
        self._one_at_a_time = threading.Lock()
        self._cuda = open_cuda()
        with ExitStack() as opened:
            opened.callback(self._cuda.close)
            _check_precision(bundle, config)
            library = find_library()
            with self._cuda.current():
                loaded = _obtain(bundle, library, self._cuda.device)
                self._execution: Execution | None = Execution(loaded, self._cuda, graphs=graphs)
            opened.pop_all()
        self._window = (bundle.frames, bundle.fbank.mel_bins)
        self._outputs = tuple(bundle.outputs)  # under our names, which the build gives them
        self._border = GraphBorder(bundle)
        self.precision: str = bundle.precision
        self.description = (
            f"{library.title}, {self.precision}, {self._cuda.device.name}, {self._cuda.library}"
        )

    def run(self, fbank: NDArray[np.float32]) -> Scores:
        """Score windows (batch, frames, mel_bins).

        Raises:
            EngineError: for windows of another shape, when it is closed, or if the GPU fails.
        """
        if fbank.shape[1:] != self._window or not len(fbank):
            raise EngineError(
                f"the graph refused windows of shape {fbank.shape}: "
                f"expected (batch, {self._window[0]}, {self._window[1]})"
            )
        with self._one_at_a_time:
            if self._execution is None:
                raise EngineError(CLOSED)
            with self._cuda.current():
                found = self._execution.run(np.asarray(self._border.feed(fbank), np.float32))
        return self._border.scores([found[name] for name in self._outputs])

    def close(self) -> None:
        """Free the memory of host and GPU."""
        with self._one_at_a_time:
            if self._execution is not None:
                with self._cuda.current():
                    self._execution.close()
                self._execution = None
                self._cuda.close()


def _obtain(bundle: Bundle, library: Library, device: Device) -> LoadedEngine:
    """Load the cached engine, or build one, also where the cached one cannot be read."""
    cache = EngineCache(cache_folder())
    key = EngineKey(bundle.sha256, library.name, library.version, device.name, bundle.precision)
    if found := cache.find(key):
        try:
            return load_engine(library, found[0])
        except EngineError as exc:
            log.warning("%s; it is built again", exc)
    plan, card = _build(bundle, library, device)
    loaded = load_engine(library, plan)
    try:
        cache.store(plan, card)
    except EngineError as exc:
        log.warning("%s; the engine will be built again at the next start", exc)
    return loaded


def _build(bundle: Bundle, library: Library, device: Device) -> tuple[bytes, EngineCard]:
    log.info(
        "building an engine of %r for %s with %s: this can take minutes, once",
        bundle.name,
        device.name,
        library.title,
    )
    started = time.monotonic()
    options = BuildOptions(compute_capabilities=library.native(device.compute_capability))
    plan, card = build_engine(library, bundle, options, SignsOfLife(), device.name)
    _check_fit(bundle, card)
    log.info("built the engine in %.0f s (%d MB)", time.monotonic() - started, card.size // 10**6)
    return plan, card


class SignsOfLife:
    """Follows a build: keeps the service manager from giving up on a start."""

    INTERVAL = 10.0
    """Seconds between two messages."""
    PATIENCE = 60.0
    """Seconds more that each of them asks for."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._told = -math.inf

    def step(self, phase: str, done: int, total: int) -> None:
        """Tell the service manager what the builder is at."""
        now = self._clock()
        if now - self._told < self.INTERVAL:
            return
        self._told = now
        patience = round(self.PATIENCE * 1e6)
        notify(
            f"EXTEND_TIMEOUT_USEC={patience}",
            # Where it is counting already, in a process that begins anew. Not WATCHDOG=1, which
            # says that sound is scored.
            *([f"WATCHDOG_USEC={patience}"] if watchdog_usec() else []),
            f"STATUS=building the TensorRT engine: {phase} {done}/{total}",
        )


def _check_precision(bundle: Bundle, config: EngineConfig) -> None:
    if config.precision not in ("auto", bundle.precision):
        raise EngineError(
            f"TensorRT computes as the graph of {bundle.name!r} says, in {bundle.precision}: set "
            f"engine.precision to auto or {bundle.precision}, or export the bundle again with "
            f"--precision {config.precision}"
        )


def _check_fit(bundle: Bundle, card: EngineCard) -> None:
    window = Tensor("fbank", "float32", (-1, bundle.frames, bundle.fbank.mel_bins))
    scores = tuple(Tensor(n, "float32", (-1, *shape)) for n, shape in bundle.outputs.items())
    if card.inputs != (window,) or not set(scores) <= set(card.outputs):
        raise EngineError(
            f"{bundle.onnx}: expected {window} and {scores}, got {card.inputs} and {card.outputs}; "
            "the bundle is not usable with this engine"
        )
