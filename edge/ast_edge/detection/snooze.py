"""A pause that ends by itself, whatever the wall clock does meanwhile."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from ast_edge.base.clock import SINCE_BOOT, boot_id


@dataclass(frozen=True)
class Snooze:
    """A length of time that has begun; over a new start of the machine the wall clock counts."""

    until: float
    """Seconds of SINCE_BOOT."""
    length: float
    """Seconds; never is more of it left, whatever a clock says."""
    boot: str
    """Which run of the machine `until` belongs to."""
    unix: float
    """The end by the wall clock, as that was when it began."""

    def left(self, now: float) -> float:
        """Return the seconds that it goes on at this time (SINCE_BOOT); 0 when it is over."""
        return min(max(0.0, self.until - now), self.length)

    def minutes_left(self, now: float) -> int:
        """Return the same in whole minutes begun; 0 only when it is over."""
        return math.ceil(round(self.left(now) / 60, 4))

    def resumed(
        self, steady: Callable[[], float] = SINCE_BOOT, wall: Callable[[], float] = time.time
    ) -> "Snooze":
        """Return it as it goes on in this run of the machine."""
        boot = boot_id()
        if boot == self.boot:
            return self
        left = min(max(0.0, self.unix - wall()), self.length)
        return replace(self, until=steady() + left, boot=boot)


def begin_snooze(seconds: float, now: float, wall: Callable[[], float] = time.time) -> Snooze:
    """Begin one at this time (SINCE_BOOT)."""
    return Snooze(now + seconds, seconds, boot_id(), wall() + seconds)
