"""Events of sounds that were not there."""

from collections.abc import Sequence
from dataclasses import dataclass

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

    count: int
    hours: float
    """Of sound."""

    @property
    def per_hour(self) -> float | None:
        """The rate; None without any sound."""
        return self.count / self.hours if self.hours else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Where the rate lies with 95 % confidence, if false alarms are independent (Poisson)."""
        if not self.hours:
            return None
        low, high = poisson_interval(self.count)
        return low / self.hours, high / self.hours
