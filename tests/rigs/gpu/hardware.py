"""What the tests with the `gpu` mark need."""

from functools import cache

from ast_edge.base.errors import EngineError
from ast_edge.engines.trt.cuda_choice import open_cuda


@cache
def missing() -> str:
    """Say why CUDA cannot be used here; empty if it can."""
    try:
        open_cuda().close()
    except EngineError as exc:
        return str(exc)
    return ""
