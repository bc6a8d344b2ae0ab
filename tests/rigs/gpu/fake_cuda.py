"""A GPU for machines without one: a stream that runs late, memory apart, an engine for it.

It stands in for CUDA and TensorRT where the logic around them is tested, and keeps their rules:
what is enqueued happens when the stream is waited for, not before; the first run of a context
cannot be captured; a graph repeats what was recorded with the addresses of then. It is no proof
that the real ones behave so: that is for the tests with the `gpu` mark.
"""

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
from numpy.typing import NDArray
from rigs.gpu.engine_card import make_card
from rigs.model import FRAMES, LABELS, PATCH, WIDTH, scores, step_means, step_scores

from ast_edge.base.errors import EngineError
from ast_edge.engines.trt.cuda import Device
from ast_edge.engines.trt.engine_card import Tensor
from ast_edge.engines.trt.library import Library
from ast_edge.model.bundle import EMBEDDINGS

Step = Callable[[], object]


class FakeCuda:
    """Host memory in the part of a GPU."""

    library = "fake CUDA"
    stream = 7

    def __init__(self, *, integrated: bool = False, has_graphs: bool = True) -> None:
        self.device = Device("fake GPU", (8, 7), integrated)
        self.copies = 0
        self.captures = 0
        self.launches = 0
        self.closed = False
        self.recording: list[Step] | None = None
        self._has_graphs = has_graphs
        self._waiting: list[Step] = []
        self._memory: list[NDArray[np.uint8]] = []

    @contextmanager
    def current(self) -> Iterator[None]:
        yield

    def enqueue(self, step: Step) -> None:
        (self._waiting if self.recording is None else self.recording).append(step)

    def pinned(self, shape):
        array = np.full(shape, np.nan, np.float32)
        self._memory.append(array)
        return array

    def mapped(self, array):
        return array.ctypes.data

    def allocate(self, size):
        self._memory.append(np.full(size, 255, np.uint8))
        return self._memory[-1].ctypes.data

    def upload(self, address, array):
        self._copy(address, array.ctypes.data, array.nbytes)

    def download(self, array, address):
        self._copy(array.ctypes.data, address, array.nbytes)

    def _copy(self, target, source, size):
        self.copies += 1
        self.enqueue(lambda: ctypes.memmove(target, source, size))

    def synchronize(self):
        waiting, self._waiting = self._waiting, []
        for step in waiting:
            step()

    def capture(self, enqueue):
        if not self._has_graphs:
            return None
        self.recording = []
        try:
            enqueue()
            self.captures += 1
            steps = self.recording
        finally:
            self.recording = None
        return lambda: self._launch(steps)

    def _launch(self, steps):
        self.launches += 1
        self._waiting += steps

    def close(self):
        self._memory.clear()
        self.closed = True


class FakeContext:
    """Scores as rigs/model.py does, in memory that is named by addresses."""

    def __init__(self, engine):
        self._engine = engine
        self._addresses = {}
        self._shape = None
        self._scratch = 0
        self._ran = False

    def set_device_memory(self, address, size):
        self._scratch = address if size >= self._engine.device_memory_size_v2 else 0

    def set_input_shape(self, name, shape):
        self._shape = tuple(shape)
        return self._engine.takes(name, self._shape)

    def set_tensor_address(self, name, address):
        self._addresses[name] = address
        return name in self._engine.shapes

    def execute_async_v3(self, stream):
        cuda = self._engine.cuda
        ready = self._scratch and self._addresses.keys() == self._engine.shapes.keys()
        if stream != cuda.stream or not ready or self._engine.broken:
            return False
        if cuda.recording is not None and not self._ran:
            raise EngineError("the first run allocates")
        self._ran = True
        cuda.enqueue(self._compute)
        return True

    def _compute(self):
        self._engine.batches.append(self._shape[0])
        fbank = _at(self._addresses["fbank"], self._shape)
        error = self._engine.error
        outputs = {
            "clip": lambda: scores(fbank) + error,
            "frame": lambda: step_scores(fbank) + error,
            "embedding": lambda: fbank.max(axis=1),
            "frame_embedding": lambda: step_means(fbank),
        }
        for name, compute in outputs.items():
            if name in self._addresses:
                shape = (self._shape[0], *self._engine.shapes[name][1:])
                _at(self._addresses[name], shape)[:] = compute()


class FakeEngine:
    """An engine with a profile of 1 to `max_batch` windows."""

    device_memory_size_v2 = 4096

    def __init__(
        self, cuda: FakeCuda, max_batch: int = 4, *, frame: bool = False, embedding: bool = False
    ) -> None:
        self.cuda = cuda
        self.shapes: dict[str, tuple[int, ...]] = {
            "fbank": (-1, FRAMES, 128),
            "clip": (-1, len(LABELS)),
        }
        if frame:
            self.shapes["frame"] = (-1, FRAMES // PATCH, len(LABELS))
        if embedding:
            self.shapes["embedding"] = (-1, WIDTH)
        if embedding and frame:
            self.shapes["frame_embedding"] = (-1, FRAMES // PATCH, WIDTH)
        self.contexts = 0
        self.batches: list[int] = []
        self.graph_strategies: list[str] = []
        self.broken = False
        self.error = 0.0
        """What all scores are too high by."""
        self._max_batch = max_batch

    @property
    def num_io_tensors(self):
        return len(self.shapes)

    def get_tensor_name(self, index):
        return list(self.shapes)[index]

    def get_tensor_shape(self, name):
        return self.shapes[name]

    def get_tensor_profile_shape(self, name, profile):
        return [(size, *self.shapes[name][1:]) for size in (1, 1, self._max_batch)]

    def takes(self, name, shape):
        return shape[0] <= self._max_batch and shape[1:] == self.shapes[name][1:]

    def create_execution_context(self, strategy=None, *, runtime_config=None):
        self.contexts += 1
        if runtime_config:
            self.graph_strategies.append(runtime_config.cuda_graph_strategy)
            strategy = runtime_config.strategy
        return FakeContext(self) if strategy == "user managed" else None

    def create_runtime_config(self):
        return FakeRuntimeConfig()


class FakeRuntimeConfig:
    strategy = None
    cuda_graph_strategy = "disabled"

    def set_execution_context_allocation_strategy(self, strategy):
        self.strategy = strategy


class FakeTensorRT:
    """The module: reads every plan but `unreadable` as the same engine."""

    ExecutionContextAllocationStrategy = SimpleNamespace(USER_MANAGED="user managed")

    class ILogger:
        pass

    def __init__(self, engine: FakeEngine, *, rtx: bool = False) -> None:
        self._engine = engine
        if rtx:
            self.CudaGraphStrategy = SimpleNamespace(WHOLE_GRAPH_CAPTURE="whole graph")

    def Runtime(self, logger):
        return SimpleNamespace(deserialize_cuda_engine=self._read)

    def _read(self, plan):
        return None if plan == b"unreadable" else self._engine

    def library(self) -> Library:
        return Library(self, "tensorrt", "10.3.0")


class FakeMachine:
    """A machine with a fake GPU, and what engines were built on it."""

    def __init__(self, max_batch=4, *, frame=False, embedding=False):
        self.cuda = FakeCuda()
        self.engine = FakeEngine(self.cuda, max_batch, frame=frame, embedding=embedding)
        self.library = FakeTensorRT(self.engine).library()
        self.plan = b"plan"
        self.clip = Tensor("clip", "float32", (-1, len(LABELS)))
        self.frame = [Tensor("frame", "float32", (-1, FRAMES // PATCH, len(LABELS)))] * frame
        self.embeddings = [
            Tensor(name, "float32", self.engine.shapes[name])
            for name in EMBEDDINGS.values()
            if name in self.engine.shapes
        ]
        self.built = []

    @property
    def builds(self):
        return len(self.built)

    def open_cuda(self):
        self.cuda.closed = False
        return self.cuda

    def build(self, library, bundle, options, progress, device):
        self.built.append(bundle.precision)
        progress.step("Building engine", 0, 1)
        return self.plan, make_card(
            self.plan,
            library=library.name,
            version=library.version,
            device=device,
            precision=bundle.precision,
            onnx_sha256=bundle.sha256,
            outputs=(self.clip, *self.frame, *self.embeddings),
        )


def _at(address, shape):
    memory = (ctypes.c_float * int(np.prod(shape))).from_address(address)
    return np.frombuffer(memory, np.float32).reshape(shape)
