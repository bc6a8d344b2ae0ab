"""Event-based metrics: was it detected, and with the right onset and offset?"""

from collections.abc import Sequence
from dataclasses import dataclass

from ast_edge.evaluation.counts import Counts
from ast_edge.evaluation.matching import match
from ast_edge.evaluation.span import Span


@dataclass(frozen=True)
class Collar:
    """How far off a detected event may be.

    Source: Mesaros et al. 2016, "Metrics for Polyphonic Sound Event Detection"; as sed_eval.
    """

    onset: float
    """Seconds."""
    share: float | None
    """The offset may be off by `onset` or by this share of the reference's length, whichever is
    longer; None leaves offsets out of account."""

    def fits(self, reference: Span, detected: Span) -> bool:
        """Tell whether a detected event is near enough."""
        # To the microsecond, where sed_eval leaves it to the rounding of the last bit.
        if round(abs(reference.onset - detected.onset) - self.onset, 6) > 0:
            return False
        if self.share is None:
            return True
        limit = max(self.onset, self.share * reference.duration)
        return round(abs(reference.offset - detected.offset) - limit, 6) <= 0


COLLARS = {
    "event_200ms": Collar(0.2, 0.2),
    "event_500ms": Collar(0.5, 0.5),
    "onset_200ms": Collar(0.2, None),
    "onset_500ms": Collar(0.5, None),
}
"""DCASE's (200 ms, 20 % of the length), one for home automation (500 ms, 50 %), onsets alone."""


def count_events(references: Sequence[Span], detected: Sequence[Span], collar: Collar) -> Counts:
    """Compare the events of one label in one recording."""
    hits = len(match(references, detected, collar.fits))
    return Counts(hits, len(detected) - hits, len(references) - hits)
