"""Worker processes that apply a function to many items."""

import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing import get_context
from typing import TypeVar

from threadpoolctl import threadpool_limits

from ast_training.base.errors import TrainingError

Item = TypeVar("Item")
Result = TypeVar("Result")

BATCH = 8
"""Items that travel to a worker together."""


def processors() -> int:
    """Count the processors that this process may use."""
    return len(os.sched_getaffinity(0))


def map_in_processes(
    function: Callable[[Item], Result], items: Iterable[Item], jobs: int
) -> Iterator[Result]:
    """Apply a function to the items in `jobs` processes; give the results in order.

    Few items are under way at a time, so that neither they nor their results pile up in memory.
    One job runs in this process.

    Raises:
        TrainingError: if a worker is killed.
    """
    remaining = iter(items)
    if jobs == 1:
        while batch := list(islice(remaining, BATCH)):
            yield from _apply(function, batch)
        return
    # Spawned, because a fork copies locks that threads of this process may hold.
    pool = ProcessPoolExecutor(jobs, get_context("spawn"), initializer=_ignore_interrupts)
    pending: deque[Future[list[Result]]] = deque()
    try:
        while True:
            while len(pending) < 4 * jobs and (batch := list(islice(remaining, BATCH))):
                pending.append(pool.submit(_apply, function, batch))
            if not pending:
                return
            yield from pending.popleft().result()
    except BrokenProcessPool as exc:
        raise TrainingError(
            "a worker process was killed, perhaps for want of memory: try fewer --jobs"
        ) from exc
    finally:
        pool.shutdown(cancel_futures=True)


def _apply(function: Callable[[Item], Result], batch: list[Item]) -> list[Result]:
    # NumPy's linear algebra would start as many threads in every process as there are processors,
    # and its rounding depends on their number.
    with threadpool_limits(1):
        return [function(item) for item in batch]


def _ignore_interrupts() -> None:
    """Leave Ctrl-C to the parent, which shuts the pool down."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
