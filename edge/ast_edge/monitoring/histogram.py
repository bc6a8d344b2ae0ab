"""How values are distributed."""

from bisect import bisect_left
from dataclasses import dataclass, replace
from itertools import accumulate


@dataclass(frozen=True)
class Histogram:
    """How many values are at most how high."""

    buckets: tuple[float, ...]
    """Upper limits; values above the last count too."""
    counts: tuple[int, ...] = ()
    """Values in each bucket and above the last one, each counted once."""
    total: float = 0.0
    """Sum of all values."""

    def add(self, value: float) -> "Histogram":
        """Return it with one more value."""
        counts = list(self.counts or [0] * (len(self.buckets) + 1))
        counts[bisect_left(self.buckets, value)] += 1
        return replace(self, counts=tuple(counts), total=self.total + value)

    @property
    def cumulative(self) -> list[int]:
        """Values at most as high as each limit, and all."""
        return list(accumulate(self.counts or [0] * (len(self.buckets) + 1)))
