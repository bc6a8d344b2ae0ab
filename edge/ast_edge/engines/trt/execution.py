"""Running a TensorRT engine: buffers, a context for every size of batch, CUDA graphs."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ast_edge.base.errors import EngineError
from ast_edge.engines.trt.cuda import Buffer, Cuda
from ast_edge.engines.trt.library import Handle, Library

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LoadedEngine:
    """An engine in the memory of the GPU."""

    library: Library
    runtime: Handle
    """Must outlive the engine."""
    engine: Handle


def load_engine(library: Library, plan: bytes) -> LoadedEngine:
    """Load an engine; the GPU must be current.

    Raises:
        EngineError: if the library cannot read it here.
    """
    with library.messages.collect() as errors:
        runtime = library.module.Runtime(library.messages.logger)
        engine = runtime.deserialize_cuda_engine(plan)
    if engine is None:
        raise EngineError(
            f"{library.title} cannot read the engine: {next(iter(errors), 'it gave no reason')}"
        )
    return LoadedEngine(library, runtime, engine)


class Execution:
    """An engine with memory for the largest batch of its profile; the GPU must be current.

    Every size of batch has a context of its own: a graph holds on to the shapes and addresses of
    the context that it was captured from. As all run in one stream, one after another, they share
    the memory for what is computed on the way. Source: TensorRT developer guide, CUDA graphs.
    """

    def __init__(self, loaded: LoadedEngine, cuda: Cuda, *, graphs: bool) -> None:
        """Allocate everything; `graphs` asks for CUDA graphs.

        Raises:
            EngineError: if the memory does not suffice.
        """
        self._library = loaded.library
        self._runtime, self._engine = loaded.runtime, loaded.engine
        self._cuda = cuda
        self._graphs = graphs
        largest = tuple(map(int, self._engine.get_tensor_profile_shape("fbank", 0)[2]))
        self.max_batch = largest[0]
        self._fbank = Buffer(cuda, largest)
        self._outputs: dict[str, Buffer] = {}
        for index in range(self._engine.num_io_tensors):
            name = self._engine.get_tensor_name(index)
            if name != "fbank":
                shape = tuple(map(int, self._engine.get_tensor_shape(name)))
                self._outputs[name] = Buffer(cuda, (self.max_batch, *shape[1:]))
        self._scratch_size = max(int(self._engine.device_memory_size_v2), 1)
        self._scratch = cuda.allocate(self._scratch_size)
        self._contexts: list[Handle] = []
        self._launch: dict[int, Callable[[], None]] = {}

    def run(self, fbank: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Return all outputs for windows (batch, frames, mels), more than the largest in several.

        Raises:
            EngineError: if TensorRT or CUDA reports an error.
        """
        starts = range(0, len(fbank), self.max_batch)
        found = [self._run_batch(fbank[s : s + self.max_batch]) for s in starts]
        return {name: np.concatenate([batch[name] for batch in found]) for name in self._outputs}

    def _run_batch(self, fbank: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        rows = len(fbank)
        if rows not in self._launch:
            self._launch[rows] = self._prepare(rows)
        self._fbank.host[:rows] = fbank
        self._launch[rows]()
        self._cuda.synchronize()
        return {name: buffer.host[:rows].copy() for name, buffer in self._outputs.items()}

    def _prepare(self, rows: int) -> Callable[[], None]:
        """Return what enqueues a batch of so many windows: its steps, or a graph of them."""
        context = self._make_context(rows)

        def enqueue() -> None:
            self._fbank.upload(rows)
            if not context.execute_async_v3(self._cuda.stream):
                raise EngineError(f"{self._library.title} could not run a batch of {rows} windows")
            for buffer in self._outputs.values():
                buffer.download(rows)

        if not self._graphs or self._captures_itself:
            return enqueue
        # The first run allocates, which cannot be captured.
        enqueue()
        self._cuda.synchronize()
        try:
            graph = self._cuda.capture(enqueue)
        except EngineError as exc:
            log.info("no CUDA graph for batches of %d windows: %s", rows, exc)
            return enqueue
        self._contexts.append(context)  # the graph uses what is the context's, but does not hold it
        return graph or enqueue

    @property
    def _captures_itself(self) -> bool:
        """Whether the library makes the graphs: TensorRT-RTX replaces kernels while it runs."""
        return hasattr(self._library.module, "CudaGraphStrategy")

    def _make_context(self, rows: int) -> Handle:
        trt = self._library.module
        strategy = trt.ExecutionContextAllocationStrategy.USER_MANAGED
        if self._captures_itself:
            config = self._engine.create_runtime_config()
            config.set_execution_context_allocation_strategy(strategy)
            if self._graphs:
                config.cuda_graph_strategy = trt.CudaGraphStrategy.WHOLE_GRAPH_CAPTURE
            context = self._engine.create_execution_context(runtime_config=config)
        else:
            context = self._engine.create_execution_context(strategy)
        if context is None:
            raise EngineError(f"{self._library.title} could not make a context for its engine")
        context.set_device_memory(self._scratch, self._scratch_size)
        if not (
            context.set_input_shape("fbank", (rows, *self._fbank.host.shape[1:]))
            and context.set_tensor_address("fbank", self._fbank.address)
            and all(
                context.set_tensor_address(name, buffer.address)
                for name, buffer in self._outputs.items()
            )
        ):
            raise EngineError(f"{self._library.title} refused a batch of {rows} windows")
        return context

    def close(self) -> None:
        """Let go of contexts and engine, before the memory that they use is freed."""
        self._launch.clear()
        self._contexts.clear()
        self._engine = self._runtime = None
