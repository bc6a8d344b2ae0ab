"""Work in a process of its own: no thread of what was measured before is alive in it."""

import os
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import ParamSpec, TypeVar
from unittest.mock import patch

Given = ParamSpec("Given")
Found = TypeVar("Found")

SLEEP = {
    "OMP_WAIT_POLICY": "PASSIVE",
    "GOMP_SPINCOUNT": "0",
    "KMP_BLOCKTIME": "0",
    "OPENBLAS_THREAD_TIMEOUT": "4",
}
"""Threads that wait sleep at once: OpenMP's of GNU and of Intel; OpenBLAS takes no less than 4."""

ONE_BLAS = {"OPENBLAS_NUM_THREADS": "1"}
"""NumPy computes in the thread that asks, as `ast-edge` sees to for itself."""


def apart(
    environment: Mapping[str, str],
    work: Callable[Given, Found],
    *args: Given.args,
    **kwargs: Given.kwargs,
) -> Found:
    """Call a function in a new process, and return or raise what it does once that has ended.

    The function and all that it is given must be such as can be sent there.
    """
    with (
        patch.dict(os.environ, environment),
        ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool,
    ):
        return pool.submit(work, *args, **kwargs).result()
