"""The choice among libraries that reach CUDA."""

import ctypes
from collections.abc import Callable

from ast_edge.base.errors import EngineError, EngineUnavailable
from ast_edge.engines.trt.cuda import Cuda

DRIVER = "libcuda.so.1"
NO_DEVICE = 100
"""CUDA_ERROR_NO_DEVICE of cuda.h."""


def open_cuda() -> Cuda:
    """Open the first visible GPU with PyCUDA, or where that cannot be, with cuda-bindings.

    Raises:
        EngineUnavailable: if there is no driver or no GPU.
        EngineError: if the driver does not work, or neither library does, with the reason for each.
    """
    _check_driver()
    reasons = []
    for name, make in LIBRARIES.items():
        try:
            return make()
        except ModuleNotFoundError:
            reasons.append(f"{name} is not installed (pip install {name})")
        except ImportError as exc:  # a shared library is missing
            reasons.append(f"{name} cannot be imported: {exc}")
        except EngineError as exc:
            reasons.append(f"{name}: {exc}")
    raise EngineError(f"CUDA cannot be used: {'; '.join(reasons)}")


def _check_driver() -> None:
    """Ask the driver itself: the libraries tell no driver from a broken installation."""
    try:
        code = ctypes.CDLL(DRIVER).cuInit(0)
    except OSError as exc:
        raise EngineUnavailable(f"no NVIDIA driver is installed ({exc})") from exc
    if code == NO_DEVICE:
        raise EngineUnavailable("the NVIDIA driver sees no GPU")
    if code:
        raise EngineError(
            f"the NVIDIA driver does not start: cuInit returned {code}; see what nvidia-smi says"
        )


def _pycuda() -> Cuda:
    from ast_edge.engines.trt.cuda_pycuda import PyCuda

    return PyCuda()


def _cuda_bindings() -> Cuda:
    from ast_edge.engines.trt.cuda_bindings import CudaBindings

    return CudaBindings()


LIBRARIES: dict[str, Callable[[], Cuda]] = {"pycuda": _pycuda, "cuda-bindings": _cuda_bindings}
"""In the order in which they are tried."""
