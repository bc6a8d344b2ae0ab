"""Events of sounds that were not there."""

from collections.abc import Sequence
from dataclasses import dataclass

from ast_edge.evaluation.bootstrap import rooms_interval
from ast_edge.evaluation.poisson import poisson_interval
from ast_edge.evaluation.span import Span

TOLERANCE = 0.5
"""Seconds by which a detected event may miss a reference and still not be a false alarm."""


def is_near(reference: Span, detected: Span) -> bool:
    """Tell whether an event has to do with a reference: they overlap, or miss by `TOLERANCE`."""
    return reference.overlap(detected) > -TOLERANCE


def find_false_alarms(references: Sequence[Span], detected: Sequence[Span]) -> list[Span]:
    """Return the detected events of a label that have to do with no reference of it.

    Wrong times alone make no false alarm: those are for the event-based metrics.
    """
    return [one for one in detected if not any(is_near(reference, one) for reference in references)]


@dataclass(frozen=True)
class FalseAlarms:
    """How often."""

    counts: tuple[int, ...]
    """In each room; a recording is a room of its own unless said otherwise."""
    hours: float
    """Of sound."""

    @property
    def count(self) -> int:
        """How many in all rooms."""
        return sum(self.counts)

    @property
    def noisy(self) -> int:
        """In how many rooms there were any."""
        return sum(count > 0 for count in self.counts)

    @property
    def per_hour(self) -> float | None:
        """The rate; None without any sound."""
        return self.count / self.hours if self.hours else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Where the rate lies with 95 % confidence, in other rooms as well; see `rooms_interval`.

        They come in bursts: a recording with some has more.
        """
        return self._per_hour(rooms_interval(self.counts))

    @property
    def poisson(self) -> tuple[float, float] | None:
        """Where it lies with 95 % confidence if false alarms are independent (Garwood)."""
        return self._per_hour(poisson_interval(self.count))

    def _per_hour(self, interval: tuple[float, float]) -> tuple[float, float] | None:
        low, high = interval
        return (low / self.hours, high / self.hours) if self.hours else None


def add_rooms(alarms: Sequence[FalseAlarms]) -> FalseAlarms:
    """Add up those of all labels in the same rooms."""
    if not alarms:
        return FalseAlarms((), 0.0)
    counts = zip(*(one.counts for one in alarms), strict=True)
    return FalseAlarms(tuple(map(sum, counts)), alarms[0].hours)
