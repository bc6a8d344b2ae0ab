"""CUDA through NVIDIA's cuda-bindings: wheels without a compiler, and CUDA graphs."""

import ctypes
import functools
import importlib
import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ast_edge.base.errors import EngineError
from ast_edge.engines.trt.cuda import Device


class CudaBindings:
    """The first visible GPU through the CUDA runtime; it uses the primary context as TensorRT."""

    def __init__(self) -> None:
        """Open the GPU.

        Raises:
            ImportError: if cuda-bindings is not installed.
            EngineError: if the driver is too old for it, or CUDA reports an error.
        """
        self._runtime: Any = importlib.import_module("cuda.bindings.runtime")
        self.library = f"cuda-bindings {version('cuda-bindings')}"
        self._check_version()
        self._call("cudaSetDevice", 0)
        gpu = self._call("cudaGetDeviceProperties", 0)
        self.device = Device(gpu.name.decode(), (gpu.major, gpu.minor), bool(gpu.integrated))
        self._resources = ExitStack()
        self._stream = self._call("cudaStreamCreateWithFlags", self._runtime.cudaStreamNonBlocking)
        self._resources.callback(self._call, "cudaStreamDestroy", self._stream)
        self.stream = int(self._stream)

    def _check_version(self) -> None:
        """Say what to install: CUDA itself only says that the driver is insufficient."""
        has, needs = (
            self._call(name) // 1000 for name in ("cudaDriverGetVersion", "cudaRuntimeGetVersion")
        )
        if has < needs:
            raise EngineError(
                f"{self.library} needs a driver for CUDA {needs}, the one here is for CUDA {has}: "
                f"update it, or pip install 'cuda-bindings=={has}.*'"
            )

    def _call(self, name: str, *arguments: Any) -> Any:  # noqa: ANN401
        """Call a function of the runtime: each returns an error code and at most one value."""
        error, *values = getattr(self._runtime, name)(*arguments)
        if error != self._runtime.cudaError_t.cudaSuccess:
            _, text = self._runtime.cudaGetErrorString(error)
            raise EngineError(f"CUDA: {name} failed: {text.decode()}")
        return values[0] if values else None

    @contextmanager
    def current(self) -> Iterator[None]:
        """Make the GPU that of the calling thread."""
        self._call("cudaSetDevice", 0)
        yield

    def pinned(self, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Allocate page-locked host memory that the GPU can reach."""
        count = math.prod(shape)
        address = self._call("cudaHostAlloc", 4 * count, self._runtime.cudaHostAllocMapped)
        self._resources.callback(self._call, "cudaFreeHost", address)
        memory = (ctypes.c_float * count).from_address(address)
        return np.ctypeslib.as_array(memory).reshape(shape)

    def mapped(self, array: NDArray[np.float32]) -> int:
        """Return the address at which the GPU reaches an array made by `pinned`."""
        return int(self._call("cudaHostGetDevicePointer", array.ctypes.data, 0))

    def allocate(self, size: int) -> int:
        """Allocate bytes of device memory and return their address."""
        address = int(self._call("cudaMalloc", size))
        self._resources.callback(self._call, "cudaFree", address)
        return address

    def upload(self, address: int, array: NDArray[np.float32]) -> None:
        """Enqueue a copy of a contiguous part of a pinned array to the device."""
        self._copy(address, array.ctypes.data, array.nbytes, "cudaMemcpyHostToDevice")

    def download(self, array: NDArray[np.float32], address: int) -> None:
        """Enqueue a copy from the device to a contiguous part of a pinned array."""
        self._copy(array.ctypes.data, address, array.nbytes, "cudaMemcpyDeviceToHost")

    def _copy(self, target: int, source: int, size: int, kind: str) -> None:
        direction = getattr(self._runtime.cudaMemcpyKind, kind)
        self._call("cudaMemcpyAsync", target, source, size, direction, self._stream)

    def synchronize(self) -> None:
        """Wait until everything in the stream is done."""
        self._call("cudaStreamSynchronize", self._stream)

    def capture(self, enqueue: Callable[[], None]) -> Callable[[], None]:
        """Record what `enqueue` puts in the stream, without running it, as a CUDA graph."""
        # Other threads may go on using CUDA in the meantime.
        mode = self._runtime.cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal
        self._call("cudaStreamBeginCapture", self._stream, mode)
        try:
            enqueue()
        finally:  # a stream that is left capturing would be of no use any more
            graph = self._call("cudaStreamEndCapture", self._stream)
        executable = self._call("cudaGraphInstantiate", graph, 0)
        self._resources.callback(self._call, "cudaGraphExecDestroy", executable)
        self._call("cudaGraphDestroy", graph)
        return functools.partial(self._call, "cudaGraphLaunch", executable, self._stream)

    def close(self) -> None:
        """Free all memory, graphs and the stream; the arrays must not be used any more."""
        with self.current():
            self._resources.close()
