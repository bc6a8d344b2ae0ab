"""What becomes right and wrong as the threshold falls, for one label."""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from ast_edge.evaluation.curve import Curve
from ast_edge.evaluation.span import Span
from ast_edge.evaluation.truth.unsure import is_undecided

DECIMALS = 6
"""Seconds are compared to the microsecond, as sed_scores_eval does."""


@dataclass(frozen=True)
class Criteria:
    """By what shares of their lengths detections and references must overlap."""

    dtc: float
    """A detection is right if references of its label cover so much of it, else a false one."""
    gtc: float
    """A reference is hit if right detections cover so much of it."""
    cttc: float | None
    """A false detection is a cross trigger if another label covers so much of it."""


@dataclass(frozen=True, eq=False)
class Changes:
    """What each fall of the threshold adds or takes away."""

    thresholds: NDArray[np.float64]
    """(changes,)."""
    counts: NDArray[np.int64]
    """(changes, 2 + others): hits, false detections, cross triggers with each other label."""

    def by_threshold(
        self,
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Return hits (n,), false detections (n,) and cross triggers (n, others).

        They are those of no detection at all and then of each threshold, from the highest on.
        """
        order = np.argsort(-self.thresholds, kind="stable")
        thresholds, totals = self.thresholds[order], self.counts[order].cumsum(axis=0)
        totals = totals[np.append(np.diff(thresholds) != 0, True)[: len(thresholds)]]
        totals = np.concatenate([np.zeros_like(self.counts, shape=(1, totals.shape[1])), totals])
        found: NDArray[np.float64] = totals.astype(np.float64)
        return found[:, 0], found[:, 1], found[:, 2:]


def join(changes: Sequence[Changes]) -> Changes:
    """Put those of all recordings together."""
    return Changes(
        np.concatenate([one.thresholds for one in changes]),
        np.concatenate([one.counts for one in changes]),
    )


def sweep(
    curve: Curve,
    column: int,
    references: Sequence[Span],
    others: Sequence[Sequence[Span]],
    criteria: Criteria,
    unsure: Sequence[Span] = (),
) -> Changes:
    """Lower the threshold over one column of a curve, through every score.

    A detection is a run of steps at or above the threshold: what a tracker makes of them with this
    threshold for on and off, and without hold. One that has to do with no reference, but with what
    is `unsure`, is neither right nor false.
    """
    scores = curve.scores[:, column].astype(np.float64)
    width = 2 + len(others)
    if not references and not unsure and (criteria.cttc is None or not any(others)):
        return _all_false(scores, width)
    judge = _Judge(curve, references, others, criteria, unsure)
    thresholds, counts = list[float](), list[list[int]]()
    runs: dict[int, _Run] = {}
    """By their first step."""
    last_of, first_of = dict[int, int](), dict[int, int]()
    """Of the runs that begin and that end with a step."""
    for step in np.argsort(-scores, kind="stable").tolist():
        gone = []
        first = last = step
        if step - 1 in first_of:
            first = first_of.pop(step - 1)
            gone.append(runs.pop(first))
        if step + 1 in last_of:
            last = last_of.pop(step + 1)
            gone.append(runs.pop(step + 1))
        first_of[last], last_of[first] = first, last
        runs[first] = run = judge.judge(first, last)
        change = judge.change(run, gone)
        if any(change):
            thresholds.append(scores[step])
            counts.append(change)
    return Changes(np.array(thresholds), np.array(counts, np.int64).reshape(-1, width))


def _all_false(scores: NDArray[np.float64], width: int) -> Changes:
    """Count runs alone: one more with every step, one less with every two in succession."""
    joints = np.minimum(scores[1:], scores[:-1])
    thresholds, place = np.unique(np.concatenate([scores, joints]), return_inverse=True)
    counts = np.zeros((len(thresholds), width), np.int64)
    ones = np.repeat([1, -1], [len(scores), len(joints)])
    counts[:, 1] = np.bincount(place, weights=ones, minlength=len(thresholds)).astype(np.int64)
    changed = counts[:, 1] != 0
    return Changes(thresholds[changed], counts[changed])


@dataclass(frozen=True)
class _Run:
    """Steps in succession at or above the threshold, and what they are."""

    covered: list[tuple[int, float]]
    """The references that it covers, and seconds of each, if it is right."""
    false: bool
    """No run is right and false; one of which it is not known is neither."""
    crossed: frozenset[int]
    """The other labels that it is a cross trigger with."""


class _Judge:
    """Tell right runs from false ones, and which references the right ones hit."""

    def __init__(
        self,
        curve: Curve,
        references: Sequence[Span],
        others: Sequence[Sequence[Span]],
        criteria: Criteria,
        unsure: Sequence[Span],
    ) -> None:
        self._unsure = unsure
        self._onsets, self._offsets = curve.onsets.tolist(), curve.offsets.tolist()
        self._nows = curve.nows.tolist()
        self._references = _Spans([(span, 0) for span in references])
        labelled = [(span, number) for number, spans in enumerate(others) for span in spans]
        self._others = _Spans(labelled if criteria.cttc is not None else [])
        self._criteria = criteria
        self._width = 2 + len(others)
        self._covered = [0.0] * len(references)
        self._needed = [
            round(criteria.gtc * span.duration, DECIMALS) for span, _ in self._references.spans
        ]

    def judge(self, first: int, last: int) -> _Run:
        """Look at the run from one step to another."""
        onset = self._onsets[first]
        offset = max(self._nows[first], self._offsets[last])
        length = offset - onset
        overlaps = self._references.overlaps(onset, offset)
        total = round(sum(seconds for _, _, seconds in overlaps), DECIMALS)
        if length <= 0 or total >= round(self._criteria.dtc * length, DECIMALS):
            return _Run([(place, seconds) for place, _, seconds in overlaps], False, frozenset())
        said = (span for span, _ in self._references.spans)
        if self._unsure and is_undecided(said, self._unsure, Span(onset, offset)):
            return _Run([], False, frozenset())
        return _Run([], True, self._cross(onset, offset))

    def _cross(self, onset: float, offset: float) -> frozenset[int]:
        if self._criteria.cttc is None:
            return frozenset()
        seconds_of: dict[int, float] = {}
        for _, label, seconds in self._others.overlaps(onset, offset):
            seconds_of[label] = seconds_of.get(label, 0.0) + seconds
        needed = round(self._criteria.cttc * (offset - onset), DECIMALS)
        return frozenset(
            label for label, total in seconds_of.items() if round(total, DECIMALS) >= needed
        )

    def change(self, run: _Run, gone: list[_Run]) -> list[int]:
        """Put a run in the place of others; return what that adds to the counts."""
        change = [0] * self._width
        touched = {place for one in (run, *gone) for place, _ in one.covered}
        change[0] -= sum(map(self._is_hit, touched))
        for one, sign in [(run, 1), *((old, -1) for old in gone)]:
            change[1] += sign * one.false
            for label in one.crossed:
                change[2 + label] += sign
            for place, seconds in one.covered:
                self._covered[place] += sign * seconds
        change[0] += sum(map(self._is_hit, touched))
        return change

    def _is_hit(self, place: int) -> bool:
        return round(self._covered[place], DECIMALS) >= self._needed[place]


class _Spans:
    """Spans in which those that overlap another are found without looking at all."""

    def __init__(self, spans: list[tuple[Span, int]]) -> None:
        self.spans = sorted(spans)
        self._onsets = [span.onset for span, _ in self.spans]
        self._latest = list(accumulate((span.offset for span, _ in self.spans), max))

    def overlaps(self, onset: float, offset: float) -> list[tuple[int, int, float]]:
        """Return position, label and shared seconds of those that overlap."""
        found = []
        last = bisect_left(self._onsets, offset)
        for place in range(bisect_right(self._latest, onset), last):
            span, label = self.spans[place]
            seconds = min(offset, span.offset) - max(onset, span.onset)
            if seconds > 0:
                found.append((place, label, seconds))
        return found
