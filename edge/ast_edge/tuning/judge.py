"""How good events are, compared with where a label sounds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ast_edge.evaluation.event_metrics import COLLARS
from ast_edge.evaluation.span import Span
from ast_edge.tuning.replay import Events
from ast_edge.tuning.stretches import Stretches, decided

COLLAR = COLLARS["event_500ms"]
FINDING = 0.001
"""Weight of what is found beside F1, for sounds of which no event has the right times."""


@dataclass(frozen=True)
class Verdict:
    """What events are good for."""

    found: int
    """References that an event has to do with."""
    worth: float
    """F1 of the events, within 0.5 s, or else the share that is found, as of sounds that may be
    anywhere."""


class Judge:
    """Know where one label sounds in all recordings."""

    def __init__(
        self, references: Sequence[Sequence[Span]], unsure: Sequence[Sequence[Span]] = ()
    ) -> None:
        """Take the references of each recording, and where the label may sound as well."""
        self._references, self._unsure = Stretches.of(references), Stretches.of(unsure)

    @property
    def references(self) -> int:
        """How many there are."""
        return len(self._references)

    @property
    def knows_times(self) -> bool:
        """Whether it is known when they sound, not only in which recordings."""
        return bool(self.references and np.isfinite(self._references.offsets).all())

    def judge(self, events: Events) -> Verdict:
        """Compare events of the same recordings."""
        if not self.references:
            return Verdict(0, 0.0)
        found = int(self._references.touched(events).any(axis=0).sum())
        if not self.knows_times:
            return Verdict(found, found / self.references)
        events = decided(events, self._unsure, self._references)
        fits = self._fits(events)
        # As many as can be matched one to one, unless sounds follow each other within the collar.
        hits = min(int(fits.any(axis=0).sum()), int(fits.any(axis=1).sum()))
        f1 = 2 * hits / (len(events) + self.references)
        return Verdict(found, (1 - FINDING) * f1 + FINDING * found / self.references)

    def _fits(self, events: Events) -> NDArray[np.bool_]:
        onsets, offsets = self._references.onsets, self._references.offsets
        limits = np.maximum(COLLAR.onset, (COLLAR.share or 0.0) * (offsets - onsets))
        near = np.round(np.abs(events.onsets[:, None] - onsets) - COLLAR.onset, 6) <= 0
        fits: NDArray[np.bool_] = near & (
            np.round(np.abs(events.offsets[:, None] - offsets) - limits, 6) <= 0
        )
        return fits & self._references.same(events)
