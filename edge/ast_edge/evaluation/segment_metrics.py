"""Segment-based metrics: in which seconds does a label sound, and in which was it detected?"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ast_edge.evaluation.counts import Counts
from ast_edge.evaluation.span import Span

SEGMENT_SECONDS = 1.0


@dataclass(frozen=True)
class SegmentErrors:
    """Errors over all labels, counted in every segment.

    Source: Mesaros et al. 2016, "Metrics for Polyphonic Sound Event Detection"; as sed_eval.
    """

    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0
    references: int = 0

    def __add__(self, other: "SegmentErrors") -> "SegmentErrors":
        return SegmentErrors(
            self.substitutions + other.substitutions,
            self.deletions + other.deletions,
            self.insertions + other.insertions,
            self.references + other.references,
        )

    @property
    def rate(self) -> float | None:
        """Errors for every active segment of the references; None if there are none."""
        errors = self.substitutions + self.deletions + self.insertions
        return errors / self.references if self.references else None


def activity(events: Sequence[Sequence[Span]], seconds: float) -> NDArray[np.bool_]:
    """Return in which segments each label sounds (segments, labels), however shortly."""
    roll = np.zeros((math.ceil(seconds / SEGMENT_SECONDS), len(events)), bool)
    for column, spans in enumerate(events):
        for span in spans:
            first = math.floor(span.onset / SEGMENT_SECONDS)
            roll[first : math.ceil(span.offset / SEGMENT_SECONDS), column] = True
    return roll


def count_segments(references: NDArray[np.bool_], detected: NDArray[np.bool_]) -> list[Counts]:
    """Count the segments of one recording for each label."""
    return [
        Counts(int((one & two).sum()), int((two & ~one).sum()), int((one & ~two).sum()))
        for one, two in zip(references.T, detected.T, strict=True)
    ]


def count_errors(references: NDArray[np.bool_], detected: NDArray[np.bool_]) -> SegmentErrors:
    """Count the errors of one recording over all labels.

    A wrong label in place of a missed one of the same segment is one substitution.
    """
    missed = (references & ~detected).sum(axis=1)
    false = (detected & ~references).sum(axis=1)
    substitutions = np.minimum(missed, false)
    return SegmentErrors(
        int(substitutions.sum()),
        int((missed - substitutions).sum()),
        int((false - substitutions).sum()),
        int(references.sum()),
    )
