"""Where the CPU time of a running daemon goes."""

import functools
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest.mock import patch


class Stopwatch:
    """CPU seconds by stage, measured around methods that one thread calls.

    What a stage does within another one is not the other's.
    """

    def __init__(
        self, stages: Mapping[tuple[type, str], str], shared: Collection[str] = ()
    ) -> None:
        """Take the stage of each method, by its class and name.

        `shared` stages let threads work that Python does not know: all that the process does
        meanwhile counts as theirs.
        """
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self.in_thread = 0.0
        """CPU seconds of the calling thread in all stages."""
        self._stages, self._shared = stages, shared
        self._inner = 0.0
        """CPU seconds of the stages that have ended within the one that is running."""

    @contextmanager
    def running(self) -> Iterator[None]:
        """Measure within the context."""
        with ExitStack() as patches:
            for (owner, name), stage in self._stages.items():
                timed = self._timed(stage, getattr(owner, name))
                patches.enter_context(patch.object(owner, name, timed))
            yield

    def _timed(self, stage: str, method: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(method)
        def timed(*args: object, **kwargs: object) -> object:
            outer, self._inner = self._inner, 0.0
            own, all_threads = time.thread_time(), time.process_time()
            try:
                return method(*args, **kwargs)
            finally:
                elapsed, whole = time.thread_time() - own, time.process_time() - all_threads
                self.seconds[stage] += (whole if stage in self._shared else elapsed) - self._inner
                self.in_thread += elapsed - self._inner
                self._inner = outer + elapsed

        return timed


def thread_seconds() -> defaultdict[str, float]:
    """Return the CPU seconds of the threads that Python knows, by their names."""
    seconds: defaultdict[str, float] = defaultdict(float)
    for thread in threading.enumerate():
        if thread.ident is not None:
            seconds[thread.name] += time.clock_gettime(time.pthread_getcpuclockid(thread.ident))
    return seconds
