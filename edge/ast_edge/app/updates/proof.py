"""Whether a bundle that is new does what it must, in its first minute."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from ast_edge.app.plan import Plan
from ast_edge.monitoring.reading import Reading

PROOF_SECONDS = 60.0
"""From its first windows on."""
FEWEST_WINDOWS = 3
"""Of one that is slow the first few tell enough; the very first may still build something."""


@dataclass(frozen=True)
class Pulse:
    """How scoring goes, in numbers that only rise."""

    windows: int
    """Scored."""
    seconds: float
    """That they took."""
    unusable: int
    """That had no probabilities, of the bundle."""
    rate: float
    """Windows a second that are due while all sources sound."""


def take_pulse(plan: Plan, reading: Reading, skipped: int, unusable: int) -> Pulse:
    """Return how scoring goes with a plan; windows that were skipped took no time."""
    rate = sum(1 / hearing.hop for hearing in plan.hearings.values())
    return Pulse(reading.windows - skipped, reading.seconds, unusable, rate)


class Proof:
    """Watches a bundle from now on."""

    def __init__(
        self, pulse: Callable[[], Pulse], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Begin; what was scored before does not count."""
        self._pulse, self._clock = pulse, clock
        self._first = pulse()
        self._since: float | None = None

    def look(self) -> str | None:
        """Return what is wrong, "" if the minute is over and nothing was, None if it goes on.

        Without sound nothing is proved, so the minute begins with the first windows.
        """
        pulse, now = self._pulse(), self._clock()
        if pulse.unusable > self._first.unusable:
            return "its scores are no probabilities"
        windows = pulse.windows - self._first.windows
        if windows < FEWEST_WINDOWS:
            return None
        each = (pulse.seconds - self._first.seconds) / windows
        if self._since is None:
            self._since = now
        if now - self._since < PROOF_SECONDS:
            return None
        if each * pulse.rate > 1:
            return (
                f"it is slower than real time: {each:.2g} s a window, of which {pulse.rate:.3g} a "
                "second are due"
            )
        return ""
