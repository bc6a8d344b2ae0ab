"""When the samples of a stream were: the wall-clock time of every moment of its sound."""

from bisect import bisect_right
from dataclasses import dataclass, replace
from operator import attrgetter


@dataclass(frozen=True)
class Anchor:
    """When a stream's sound was, from one of its moments on: time goes by evenly from there.

    A stream's moments are counted in samples, as seconds at the rate that is stated. A crystal is
    off from that by some ppm, so an hour of sound lasts a little longer or shorter than an hour.
    """

    second: float
    """Seconds from the stream's first sample."""
    time: float
    """Unix time of that moment in seconds."""
    pace: float = 1.0
    """Seconds that one second of sound lasts; always above 0, so that no time is before another."""

    def time_at(self, second: float) -> float:
        """Return the Unix time of a moment of the stream."""
        return self.time + (second - self.second) * self.pace

    def second_at(self, time: float) -> float:
        """Return the moment of the stream that was at a Unix time."""
        return self.second + (time - self.time) / self.pace

    def since(self, second: float) -> "Anchor":
        """Return the same for a stream that begins at this moment."""
        return replace(self, second=self.second - second)


@dataclass(frozen=True)
class Timeline:
    """The anchors of a stream, each good until the next, which begins where and when it ends.

    What was before the first, or will be after the last, is taken to be as even as these.
    """

    anchors: tuple[Anchor, ...]
    """At least one, in order."""

    def then(self, anchor: Anchor) -> "Timeline":
        """Return it with one more anchor, unless that is its last."""
        return self if anchor == self.anchors[-1] else Timeline((*self.anchors, anchor))

    def from_second(self, second: float) -> "Timeline":
        """Return it without what only tells of the time before a moment."""
        first = self._before(second, "second")
        return Timeline(self.anchors[first:]) if first else self

    def time_at(self, second: float) -> float:
        """Return the Unix time of a moment of the stream."""
        return self.anchors[self._before(second, "second")].time_at(second)

    def second_at(self, time: float) -> float:
        """Return the moment of the stream that was at a Unix time."""
        return self.anchors[self._before(time, "time")].second_at(time)

    def _before(self, value: float, field: str) -> int:
        """Return the index of the anchor that is good there."""
        if len(self.anchors) == 1:
            return 0
        return max(0, bisect_right(self.anchors, value, key=attrgetter(field)) - 1)
