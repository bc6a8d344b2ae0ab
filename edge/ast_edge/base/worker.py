"""A thread that outlives its faults, and says whether it is alive."""

import logging
import math
import threading
import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

log = logging.getLogger(__name__)

PAUSE = 1.0
"""Seconds after a fault of waiting itself, which must not spin."""

Work = TypeVar("Work")


class Worker(threading.Thread, Generic[Work]):
    """Takes one piece of work after the other, and goes on after each that fails.

    What goes wrong is logged with its traceback, once for each place in the code; then `on_fault`
    brings back what has suffered. The thread ends when there is no more work to come, and no other
    way. A piece that does not come to an end is for others to notice: see `busy`.
    """

    def __init__(
        self,
        name: str,
        take: Callable[[], Work | None],
        do: Callable[[Work], None],
        *,
        on_fault: Callable[[], None] = lambda: None,
        vital: bool = False,
    ) -> None:
        """Name the thread; it begins with `start`.

        Args:
            name: also of the part, in the log.
            take: waits for the next piece; returns None when there will be none any more.
            do: does it.
            on_fault: is called in the thread when a piece has failed.
            vital: whether the whole process must begin anew when this thread hangs.
        """
        super().__init__(name=name, daemon=True)
        self._take, self._do, self._on_fault = take, do, on_fault
        self.vital = vital
        self._since = math.inf
        self._said: set[tuple[type[BaseException], str, int]] = set()

    @property
    def busy(self) -> float:
        """Seconds since the piece was taken that is being done; 0 while there is none."""
        return max(0.0, time.monotonic() - self._since)

    def alive(self) -> None:
        """Say, within a piece that takes long, that it goes on: what is busy counts from now."""
        self._since = time.monotonic()

    def run(self) -> None:
        """Work until there is nothing more to come."""
        while self._turn():
            pass

    def _turn(self) -> bool:
        try:
            work = self._take()
        except BaseException as exc:  # noqa: BLE001 (nothing may end this thread)
            self._say(exc)
            time.sleep(PAUSE)
            return True
        if work is None:
            return False
        self._since = time.monotonic()
        try:
            self._do(work)
        except BaseException as exc:  # noqa: BLE001
            self._say(exc)
            self._recover()
        self._since = math.inf
        return True

    def _recover(self) -> None:
        try:
            self._on_fault()
        except BaseException as exc:  # noqa: BLE001
            self._say(exc)

    def _say(self, exc: BaseException) -> None:
        trace = exc.__traceback__
        while trace and trace.tb_next:
            trace = trace.tb_next
        place = trace.tb_frame.f_code.co_filename if trace else ""
        key = (type(exc), place, trace.tb_lineno if trace else 0)
        if key not in self._said:
            self._said.add(key)
            log.error(
                "%s: %s: %s; this is a fault of ast-edge, please report it; it goes on, and does "
                "not say this again",
                *(self.name, type(exc).__name__, exc),
                exc_info=exc,
            )


def workers() -> list[Worker[Any]]:
    """Return all that are at work in this process."""
    return [thread for thread in threading.enumerate() if isinstance(thread, Worker)]
