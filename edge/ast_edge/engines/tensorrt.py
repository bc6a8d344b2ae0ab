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
from ast_edge.engines.agreement import LIMITS, Agreement, compare, remembered
from ast_edge.engines.config import EngineConfig
from ast_edge.engines.engine import CLOSED, Scores
from ast_edge.engines.graph_border import GraphBorder
from ast_edge.engines.trt.build import BuildOptions, build_engine
from ast_edge.engines.trt.cuda import Device
from ast_edge.engines.trt.cuda_choice import open_cuda
from ast_edge.engines.trt.engine_cache import EngineCache, EngineKey, cache_folder, plain
from ast_edge.engines.trt.engine_card import EngineCard, Tensor
from ast_edge.engines.trt.execution import Execution, LoadedEngine, load_engine
from ast_edge.engines.trt.half_bundle import HalfRefused, NothingToHalve, half_bundle
from ast_edge.engines.trt.library import Library, find_library
from ast_edge.model.bundle import Bundle

log = logging.getLogger(__name__)


class TensorRTEngine:
    """A graph compiled for the first visible GPU; any size of batch.

    TensorRT computes as a graph says. Of one in float32, one in float16 is made first; where that
    cannot be, or gives other scores here, float32 it is.
    """

    name = "tensorrt"

    def __init__(self, bundle: Bundle, config: EngineConfig, *, graphs: bool = True) -> None:
        """Take the engine from the cache, or build it, which takes minutes with full TensorRT.

        Raises:
            EngineUnavailable: if this machine has no NVIDIA GPU or no driver for it.
            EngineError: if TensorRT or CUDA is not installed or fails, or the bundle cannot be
                computed in the precision that the configuration asks for.
        """
        self._one_at_a_time = threading.Lock()
        self._cuda = open_cuda()
        self._border = GraphBorder(bundle)
        self._outputs = tuple(bundle.outputs)  # under our names, which the build gives them
        self._execution: Execution | None = None
        with ExitStack() as opened:
            opened.callback(lambda: self._cuda.close())  # it may be opened again
            _check_precision(bundle, config)
            library = find_library()
            if bundle.precision == "fp32" and config.precision != "fp32":
                self._begin_in_half(bundle, config, library, graphs=graphs)
            if self._execution is None:
                self._begin(bundle, library, graphs=graphs)
            opened.pop_all()
        self.description = (
            f"{library.title}, {self.precision}, {self._cuda.device.name}, {self._cuda.library}"
        )

    def _begin_in_half(
        self, bundle: Bundle, config: EngineConfig, library: Library, *, graphs: bool
    ) -> None:
        """Make ready to run in float16; where that cannot be, say why, and end if it must be."""
        try:
            SignsOfLife().step("making a graph in fp16", 0, 1)
            half, _ = half_bundle(bundle, cache_folder())
            self._begin(half, library, graphs=graphs)
            self._check_agreement(bundle, half, library)
        except EngineError as exc:
            if config.precision == "fp16":
                raise
            level = logging.DEBUG if isinstance(exc, NothingToHalve) else logging.WARNING
            log.log(level, "%s; it computes in fp32, which is slower", exc)
            if self._execution is not None:
                self._end()
                self._cuda = open_cuda()

    def _begin(self, bundle: Bundle, library: Library, *, graphs: bool) -> None:
        """Make ready to run a bundle's graph in its own arithmetic."""
        self._window = (bundle.frames, bundle.fbank.mel_bins)
        self.precision: str = bundle.precision
        with self._cuda.current():
            loaded = _obtain(bundle, library, self._cuda.device)
            self._execution = Execution(loaded, self._cuda, graphs=graphs)

    def _check_agreement(self, bundle: Bundle, half: Bundle, library: Library) -> None:
        """Compare what this GPU makes of a float16 graph with float32, once."""
        parts = (library.name, library.version, self._cuda.device.name, "fp16")
        name = f"{half.scores_sha256[:16]}-{'-'.join(map(plain, parts))}.json"

        def measure() -> Agreement:
            SignsOfLife().step("comparing with fp32", 0, 1)
            return compare(self, bundle, LIMITS["fp16"])

        found = remembered(cache_folder() / "agreements" / name, measure)
        log.info("fp16 on %s %s", self._cuda.device.name, found)
        if not found.holds:
            raise HalfRefused(f"{bundle.name!r} in fp16 on {self._cuda.device.name} {found}")

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
                self._end()

    def _end(self) -> None:
        """Let go of the engine, and of the GPU and its memory."""
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
        _check_fit(bundle, found[1])  # it may have been built for what asks less of the graph
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
    known = {"fp32": ("auto", "fp32", "fp16")}.get(bundle.precision, ("auto", bundle.precision))
    if config.precision not in known:
        raise EngineError(
            f"TensorRT computes {bundle.name!r}, a bundle in {bundle.precision}, in "
            f"{' or '.join(known[1:])}: set engine.precision to one of {', '.join(known)}"
        )


def _check_fit(bundle: Bundle, card: EngineCard) -> None:
    window = Tensor("fbank", "float32", (-1, bundle.frames, bundle.fbank.mel_bins))
    scores = tuple(Tensor(n, "float32", (-1, *shape)) for n, shape in bundle.outputs.items())
    if card.inputs != (window,) or not set(scores) <= set(card.outputs):
        expected = ", ".join(map(_shown, (window, *scores)))
        got = ", ".join(map(_shown, (*card.inputs, *card.outputs)))
        raise EngineError(
            f"{bundle.onnx}: expected {expected}, got {got}; the bundle is not usable with this "
            "engine"
        )


def _shown(tensor: Tensor) -> str:
    shape = ", ".join("any" if size == -1 else str(size) for size in tensor.shape)
    return f"{tensor.name} ({shape}) {tensor.dtype}"
