"""Stretches of recordings, and which events have to do with them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ast_edge.evaluation.false_alarms import TOLERANCE
from ast_edge.evaluation.span import Span
from ast_edge.tuning.replay import Events


@dataclass(frozen=True, eq=False)
class Stretches:
    """Stretches of all recordings; (stretches,) each."""

    recording: NDArray[np.int64]
    onsets: NDArray[np.float64]
    offsets: NDArray[np.float64]

    @classmethod
    def of(cls, spans: Sequence[Sequence[Span]]) -> "Stretches":
        """Take those of each recording."""
        flat = [(number, span) for number, of_one in enumerate(spans) for span in of_one]
        return cls(
            np.array([number for number, _ in flat], np.int64),
            np.array([span.onset for _, span in flat]),
            np.array([span.offset for _, span in flat]),
        )

    def __len__(self) -> int:
        return len(self.recording)

    def same(self, events: Events) -> NDArray[np.bool_]:
        """Tell which are of one recording; (events, stretches)."""
        same: NDArray[np.bool_] = events.recording[:, None] == self.recording
        return same

    def touched(self, events: Events) -> NDArray[np.bool_]:
        """Tell which overlap, or miss each other by `TOLERANCE`; (events, stretches)."""
        first = np.maximum(events.onsets[:, None], self.onsets)
        shared = np.minimum(events.offsets[:, None], self.offsets) - first
        touched: NDArray[np.bool_] = self.same(events) & (shared > -TOLERANCE)
        return touched


def decided(events: Events, unsure: Stretches, references: Stretches | None = None) -> Events:
    """Leave out events that may be right: they touch what is `unsure`, and no reference."""
    if not len(unsure):
        return events
    doubtful = np.asarray(unsure.touched(events).any(axis=1))
    if references is not None:
        doubtful = doubtful & ~np.asarray(references.touched(events).any(axis=1))
    return events.take(np.logical_not(doubtful))
