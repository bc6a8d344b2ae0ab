"""A stretch of time."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Span:
    """From where to where a sound lasts, in seconds of its recording."""

    onset: float
    offset: float

    @property
    def duration(self) -> float:
        """Seconds from onset to offset."""
        return self.offset - self.onset

    def overlap(self, other: "Span") -> float:
        """Return the seconds that both share; negative is the gap between them."""
        return min(self.offset, other.offset) - max(self.onset, other.onset)


def join_touching(spans: Iterable[Span]) -> list[Span]:
    """Return the spans by onset, with those that overlap or touch made one."""
    joined: list[Span] = []
    for span in sorted(spans):
        if joined and span.onset <= joined[-1].offset:
            joined[-1] = Span(joined[-1].onset, max(joined[-1].offset, span.offset))
        else:
            joined.append(span)
    return joined
