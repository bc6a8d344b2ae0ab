"""A thread that runs actions one after the other, at once or later."""

import contextlib
import heapq
import itertools
import queue
import time
from collections.abc import Callable

from ast_edge.base.worker import Worker

Action = Callable[[], None]


class Mailbox:
    """Runs what is put into it, in order, in a thread of its own.

    What is touched only by actions needs no lock. `put` may be called from any thread, `put_later`
    only by actions (or before the start). What is put after `close` is never run. One that fails
    costs the others nothing: see `Worker`.
    """

    def __init__(self, name: str, on_fault: Action = lambda: None, *, vital: bool = False) -> None:
        """Name the thread; it begins with `start`. `on_fault` and `vital` are those of `Worker`."""
        self._actions: queue.SimpleQueue[Action] = queue.SimpleQueue()
        self._later: list[tuple[float, int, Action]] = []  # a heap by time, then by number
        self._numbers = itertools.count()
        self._closed = False
        self._thread = Worker(
            name, self._next, lambda action: action(), on_fault=on_fault, vital=vital
        )

    def start(self) -> None:
        """Begin to run actions."""
        self._thread.start()

    def put(self, action: Action) -> None:
        """Run `action` after all that was put before."""
        if not self._closed:
            self._actions.put(action)

    def put_later(self, delay: float, action: Action) -> None:
        """Run `action` after `delay` seconds; of equal delays, the first put is the first run."""
        heapq.heappush(self._later, (time.monotonic() + delay, next(self._numbers), action))

    def alive(self) -> None:
        """Say, within an action that takes long, that it goes on; see `Worker`."""
        self._thread.alive()

    def close(self, last: Action, timeout: float) -> None:
        """Run `last` after all that was put before, and end; waits up to `timeout` seconds."""

        def end() -> None:
            self._closed = True
            last()

        self.put(end)
        if self._thread.is_alive():
            self._thread.join(timeout)

    def _next(self) -> Action | None:
        """Wait for what is to be run next; what is due goes first."""
        if self._closed:
            return None
        pause = self._later[0][0] - time.monotonic() if self._later else None
        if pause is None or pause > 0:
            with contextlib.suppress(queue.Empty):
                return self._actions.get(timeout=pause)
        return heapq.heappop(self._later)[2]
