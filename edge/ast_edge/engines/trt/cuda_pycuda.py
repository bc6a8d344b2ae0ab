"""CUDA through PyCUDA, which builds on the target against the CUDA that is there (JetPack)."""

import atexit
import importlib
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ast_edge.base.errors import EngineError
from ast_edge.engines.trt.cuda import Device

NON_BLOCKING = 1
"""CU_STREAM_NON_BLOCKING of cuda.h: never wait for the default stream."""


class PyCuda:
    """The first visible GPU in its primary context, which TensorRT uses too; no CUDA graphs."""

    def __init__(self) -> None:
        """Open the GPU.

        Raises:
            ImportError: if PyCUDA or a library that it needs is not installed.
            EngineError: if CUDA reports an error.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it says with a warning what its ImportError says
            self._driver: Any = importlib.import_module("pycuda.driver")
        self.library = f"PyCUDA {importlib.import_module('pycuda').VERSION_TEXT}"
        with self._errors():
            self._driver.init()
            gpu = self._driver.Device(0)
            integrated = gpu.get_attribute(self._driver.device_attribute.INTEGRATED)
            self.device = Device(gpu.name(), gpu.compute_capability(), bool(integrated))
            self._context = _primary_context(gpu)
        self._pinned: list[Any] = []
        self._allocations: list[Any] = []
        with self.current():
            self._stream: Any = self._driver.Stream(NON_BLOCKING)
        self.stream: int = self._stream.handle

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except self._driver.Error as exc:
            raise EngineError(f"CUDA: {exc}") from exc

    @contextmanager
    def current(self) -> Iterator[None]:
        """Make the GPU that of the calling thread."""
        with self._errors():
            self._context.push()
            try:
                yield
            finally:
                self._context.pop()

    def pinned(self, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Allocate page-locked host memory that the GPU can reach."""
        array: NDArray[np.float32] = self._driver.pagelocked_empty(
            shape, np.float32, mem_flags=self._driver.host_alloc_flags.DEVICEMAP
        )
        self._pinned.append(array.base)
        return array

    def mapped(self, array: NDArray[np.float32]) -> int:
        """Return the address at which the GPU reaches an array made by `pinned`."""
        allocation: Any = array.base
        return int(allocation.get_device_pointer())

    def allocate(self, size: int) -> int:
        """Allocate bytes of device memory and return their address."""
        self._allocations.append(self._driver.mem_alloc(size))
        return int(self._allocations[-1])

    def upload(self, address: int, array: NDArray[np.float32]) -> None:
        """Enqueue a copy of a contiguous part of a pinned array to the device."""
        self._driver.memcpy_htod_async(address, array, self._stream)

    def download(self, array: NDArray[np.float32], address: int) -> None:
        """Enqueue a copy from the device to a contiguous part of a pinned array."""
        self._driver.memcpy_dtoh_async(array, address, self._stream)

    def synchronize(self) -> None:
        """Wait until everything in the stream is done."""
        self._stream.synchronize()

    def capture(self, enqueue: Callable[[], None]) -> None:
        """Return None: PyCUDA (2026.1) does not know CUDA graphs."""

    def close(self) -> None:
        """Free all memory and the stream; the arrays must not be used any more."""
        with self.current():
            for memory in (*self._pinned, *self._allocations):
                memory.free()
            self._stream = None  # destroyed with its last reference, while the context is current


@cache
def _primary_context(gpu: Any) -> Any:  # noqa: ANN401
    """Retain it until the process ends: PyCUDA leaves it on the thread's stack on letting go."""
    context = gpu.retain_primary_context()
    atexit.register(context.detach)
    return context
