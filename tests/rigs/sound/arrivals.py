"""Two clocks by which blocks of sound arrive when they shall, and a crystal that is off."""

import itertools
from collections.abc import Callable, Iterable, Iterator

Arrival = tuple[float, float]
"""Seconds waited for a block of 100 ms, and seconds by which the clock is set before it arrives."""

NOW: Arrival = (0.1, 0.0)
AT_ONCE: Arrival = (0.0, 0.0)


class Arrivals:
    """Clocks for a source that asks `monotonic` before and after it waits for each block.

    Before the first is asked for, it is START; the source is not kept waiting by anyone.
    """

    START = 1_800_000_500.0

    def __init__(self, blocks: Iterable[Arrival]) -> None:
        self._blocks, self._asked = iter(blocks), False
        self.steady, self._set_by = 500.0, 0.0

    def monotonic(self) -> float:
        self._asked = not self._asked
        if not self._asked:
            waited, set_by = next(self._blocks, AT_ONCE)
            self.steady += waited
            self._set_by += set_by
        return self.steady

    def wall(self) -> float:
        return self.START - 500.0 + self.steady + self._set_by


def crystal(ppm: float, late: Callable[[int], float] = lambda block: 0.0) -> Iterator[Arrival]:
    """Yield arrivals of sound whose seconds are so much too long, each so many seconds late."""
    before = 0.0
    for block in itertools.count():
        # What is held up holds up what follows.
        there = max(before, (block + 1) * 0.1 * (1 + ppm * 1e-6) + late(block))
        yield there - before, 0.0
        before = there


def truth(second: float, ppm: float) -> float:
    """Return when a second of the sound of such a crystal was."""
    return Arrivals.START + second * (1 + ppm * 1e-6)
