"""The machine's clocks: one that others set, and one that nobody can."""

import threading
import time
from collections.abc import Callable
from datetime import datetime, timezone
from functools import cache, partial
from pathlib import Path
from uuid import uuid4

SINCE_BOOT = partial(time.clock_gettime, time.CLOCK_BOOTTIME)
"""Seconds; counts on while the machine sleeps, and cannot be set."""
FIRST_TIME = datetime(2020, 1, 1, tzinfo=timezone.utc).timestamp()
"""A wall clock that shows less has never been set: a board without a battery begins in 1970, some
in 2000. In `ast-edge replay` times are the seconds of a file, from 0."""

CLOCK_JUMP = 2.0
"""Seconds by which the wall clock must be wrong for it to be set, not to drift."""

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class ClockSetting:
    """Notice by how much the wall clock is set."""

    def __init__(self, wall: Callable[[], float], steady: Callable[[], float]) -> None:
        """Begin now."""
        self._wall, self._steady = wall, steady
        self._offset = wall() - steady()

    def feed(self) -> float:
        """Return the seconds by which it was set forward since the last time; 0 if it was not."""
        jump = self._wall() - self._steady() - self._offset
        if abs(jump) <= CLOCK_JUMP:
            return 0.0
        self._offset += jump
        return jump


class StartTime:
    """When something began, by the wall clock as it is now."""

    def __init__(
        self, wall: Callable[[], float] = time.time, steady: Callable[[], float] = SINCE_BOOT
    ) -> None:
        """Begin now."""
        self._time, self._setting = wall(), ClockSetting(wall, steady)
        self._lock = threading.Lock()

    def read(self) -> float:
        """Return it in unix seconds; in any thread."""
        with self._lock:
            self._time += self._setting.feed()
            return self._time


@cache
def boot_id() -> str:
    """Return what tells this run of the machine, and of `SINCE_BOOT`, from all others.

    Where that is hidden (a sandbox), it tells this process from all others.
    """
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return uuid4().hex
