"""When a ratio of two sides may be told: both were at their best, and the machine was quiet.

A ratio is as honest as its slower side. What a side can reach is measured beside it: with one
thread, where no thread waits for another, and by the gain that two threads bring to large products.
"""

from collections.abc import Iterable
from dataclasses import dataclass

LEAST = 0.8
"""Share of what it can reach, below which a side was held up."""


@dataclass(frozen=True)
class Reach:
    """What a side needed, and what it can; in seconds for the same work."""

    name: str
    needed: float
    """The median of its turns."""
    fastest: float
    """Of all its runs."""
    alone: float
    """The fastest with one thread."""
    gain: float
    """How many times as fast large products are with all threads as with one."""

    @property
    def share(self) -> float:
        """Share of what it can reach that it reached."""
        return min(self.fastest, self.alone / self.gain) / self.needed


def doubts(reach: Reach, products: float, faults: Iterable[str]) -> list[str]:
    """Return why a ratio to this side must not be compared with others; nothing if it may.

    Args:
        reach: of the side that all are compared with.
        products: share of the machine's peak that the library of this side reaches in large
            products.
        faults: what kept the machine from being quiet.
    """
    found = list(dict.fromkeys(faults))
    if reach.share < LEAST:
        found.append(f"{reach.name} reached {reach.share:.0%} of what it can")
    if products < LEAST:
        found.append(
            f"large products of the library of {reach.name} reach {products:.0%} of the peak: "
            "another share than on other processors"
        )
    return found
