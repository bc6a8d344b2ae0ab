"""How good events are, compared with where a label sounds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ast_edge.evaluation.event_metrics import COLLARS
from ast_edge.evaluation.false_alarms import TOLERANCE
from ast_edge.evaluation.span import Span
from ast_edge.tuning.replay import Events

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

    def __init__(self, references: Sequence[Sequence[Span]]) -> None:
        """Take the references of each recording."""
        spans = [(number, span) for number, of_one in enumerate(references) for span in of_one]
        self._recording = np.array([number for number, _ in spans], np.int64)
        self._onsets = np.array([span.onset for _, span in spans])
        self._offsets = np.array([span.offset for _, span in spans])

    @property
    def references(self) -> int:
        """How many there are."""
        return len(self._recording)

    @property
    def knows_times(self) -> bool:
        """Whether it is known when they sound, not only in which recordings."""
        return bool(self.references and np.isfinite(self._offsets).all())

    def judge(self, events: Events) -> Verdict:
        """Compare events of the same recordings."""
        if not self.references:
            return Verdict(0, 0.0)
        same = events.recording[:, None] == self._recording
        onsets, offsets = events.onsets[:, None], events.offsets[:, None]
        shared = np.minimum(offsets, self._offsets) - np.maximum(onsets, self._onsets)
        found = int((same & (shared > -TOLERANCE)).any(axis=0).sum())
        if not self.knows_times:
            return Verdict(found, found / self.references)
        fits = same & self._fits(onsets, offsets)
        # As many as can be matched one to one, unless sounds follow each other within the collar.
        hits = min(int(fits.any(axis=0).sum()), int(fits.any(axis=1).sum()))
        f1 = 2 * hits / (len(events) + self.references)
        return Verdict(found, (1 - FINDING) * f1 + FINDING * found / self.references)

    def _fits(self, onsets: NDArray[np.float64], offsets: NDArray[np.float64]) -> NDArray[np.bool_]:
        limits = np.maximum(COLLAR.onset, (COLLAR.share or 0.0) * (self._offsets - self._onsets))
        near = np.round(np.abs(onsets - self._onsets) - COLLAR.onset, 6) <= 0
        fits: NDArray[np.bool_] = near & (
            np.round(np.abs(offsets - self._offsets) - limits, 6) <= 0
        )
        return fits
