"""CUDA, as far as inference needs it: one device, one stream, memory, graphs."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Device:
    """A GPU."""

    name: str
    compute_capability: tuple[int, int]
    integrated: bool
    """Whether it computes in the memory of the host, as on a Jetson."""


class Cuda(Protocol):
    """The first visible GPU with one stream; every method but `current` and `close` needs it.

    Raises:
        EngineError: by every method, if CUDA reports an error.
    """

    library: str
    """What CUDA is used through: name and version."""
    device: Device
    stream: int
    """Handle of the stream (cudaStream_t) in which everything runs."""

    def current(self) -> AbstractContextManager[None]:
        """Make the GPU that of the calling thread; may be nested."""
        ...

    def pinned(self, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Allocate page-locked host memory that the GPU can reach."""
        ...

    def mapped(self, array: NDArray[np.float32]) -> int:
        """Return the address at which the GPU reaches an array made by `pinned`."""
        ...

    def allocate(self, size: int) -> int:
        """Allocate bytes of device memory and return their address."""
        ...

    def upload(self, address: int, array: NDArray[np.float32]) -> None:
        """Enqueue a copy of a contiguous part of a pinned array to the device."""
        ...

    def download(self, array: NDArray[np.float32], address: int) -> None:
        """Enqueue a copy from the device to a contiguous part of a pinned array."""
        ...

    def synchronize(self) -> None:
        """Wait until everything in the stream is done."""
        ...

    def capture(self, enqueue: Callable[[], None]) -> Callable[[], None] | None:
        """Record what `enqueue` puts in the stream, without running it, as a CUDA graph.

        Returns what enqueues all of it at once; None if the library has no graphs.
        """
        ...

    def close(self) -> None:
        """Free all memory, graphs and the stream; the arrays must not be used any more."""
        ...


class Buffer:
    """Rows of numbers that host and GPU exchange: a copy on each side, or one that they share."""

    def __init__(self, cuda: Cuda, shape: tuple[int, ...]) -> None:
        self._cuda = cuda
        self._shared = cuda.device.integrated
        self.host = cuda.pinned(shape)
        if self._shared:
            self.address = cuda.mapped(self.host)
        else:
            self.address = cuda.allocate(self.host.nbytes)

    def upload(self, rows: int) -> None:
        """Enqueue the copy of the first rows to the device, if it has a copy of its own."""
        if not self._shared:
            self._cuda.upload(self.address, self.host[:rows])

    def download(self, rows: int) -> None:
        """Enqueue the copy of the first rows from the device, if it has a copy of its own."""
        if not self._shared:
            self._cuda.download(self.host[:rows], self.address)
