"""What a tracker makes of the scores of one label, for many settings without feeding it again."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ast_edge.evaluation.curve import Curve
from ast_edge.model.label import Label
from ast_edge.model.label_settings import TrackerSettings
from ast_edge.tuning.alarms import find_events


@dataclass(frozen=True, eq=False)
class Trace:
    """The steps of all recordings in which one label scores at least so much; (steps,) each."""

    recording: NDArray[np.int64]
    number: NDArray[np.int64]
    """In its recording."""
    scores: NDArray[np.float64]
    onsets: NDArray[np.float64]
    offsets: NDArray[np.float64]
    nows: NDArray[np.float64]
    before: NDArray[np.float64]
    """Offset of the step before it, whatever that scores."""


@dataclass(frozen=True, eq=False)
class Events:
    """Finished events, in the order of time; (events,) each."""

    recording: NDArray[np.int64]
    onsets: NDArray[np.float64]
    offsets: NDArray[np.float64]
    peaks: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.onsets)

    def take(self, these: NDArray[np.bool_]) -> "Events":
        """Return some of them."""
        return Events(
            self.recording[these], self.onsets[these], self.offsets[these], self.peaks[these]
        )


@dataclass(frozen=True, eq=False)
class Beginnings:
    """Every event that there is for some `on`, with one `off` and one `hold`.

    Runs of steps at or above `off` whose pauses are held belong together: there is one event in
    them or none, and it begins with the first run that reaches `on`.
    """

    events: Events
    above: NDArray[np.float64]
    """(events,) peak of the runs before it: with an `on` up to this the event begins there."""
    reaches: NDArray[np.float64]
    """(events,) peak of the run with which it begins."""

    def select(self, on: float, min_duration: float) -> NDArray[np.bool_]:
        """Tell which of the events there are."""
        lasts = np.round(self.events.offsets - self.events.onsets, 3) >= min_duration
        selected: NDArray[np.bool_] = (self.above < on) & (on <= self.reaches) & lasts
        return selected


def trace(curves: Sequence[Curve], label: Label, lowest: float) -> Trace:
    """Keep what a tracker with an `off` of `lowest` or more can take for the label."""
    columns = [curve.scores[:, label.index].astype(np.float64) for curve in curves]
    kept = [np.flatnonzero(column >= lowest) for column in columns]
    before = [np.append(-np.inf, curve.offsets[:-1])[: len(curve.offsets)] for curve in curves]

    def join(values: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
        chosen = [of_one[these] for of_one, these in zip(values, kept, strict=True)]
        return np.concatenate([*chosen, np.zeros(0)])

    return Trace(
        recording=np.repeat(np.arange(len(kept)), [len(these) for these in kept]),
        number=np.concatenate([*kept, np.zeros(0, np.int64)]),
        scores=join(columns),
        onsets=join([curve.onsets for curve in curves]),
        offsets=join([curve.offsets for curve in curves]),
        nows=join([curve.nows for curve in curves]),
        before=join(before),
    )


def begin(steps: Trace, off: float, hold: float) -> Beginnings:
    """Find where events begin and end, as `EventTracker` does without a cooldown."""
    kept = np.flatnonzero(steps.scores >= off)
    if not len(kept):
        nothing = np.zeros(0)
        return Beginnings(Events(np.zeros(0, np.int64), *[nothing] * 3), nothing, nothing)
    recording, number, scores = (
        values[kept] for values in (steps.recording, steps.number, steps.scores)
    )
    same = recording[1:] == recording[:-1]
    breaks = np.flatnonzero(~(same & (number[1:] == number[:-1] + 1))) + 1
    starts, ends = np.append(0, breaks), np.append(breaks, len(kept)) - 1
    first, last = kept[starts], kept[ends]
    peaks = np.maximum.reduceat(scores, starts)
    pauses = np.round(steps.before[first[1:]] - steps.offsets[last[:-1]], 3)
    joined = (steps.recording[first[1:]] == steps.recording[last[:-1]]) & (pauses <= hold)
    chain = np.append(0, (~joined).cumsum())
    heads = np.flatnonzero(np.append(True, ~joined))
    above = _highest_before(peaks, chain)
    tails = last[np.append(heads[1:], len(first)) - 1]
    whole = Events(
        recording=steps.recording[first],
        onsets=steps.onsets[first],
        offsets=np.maximum(steps.nows[first], steps.offsets[tails[chain]]),
        peaks=np.maximum.reduceat(peaks, heads)[chain],
    )
    higher = peaks > above
    return Beginnings(whole.take(higher), above[higher], peaks[higher])


def _highest_before(peaks: NDArray[np.float64], chain: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the highest peak of the runs before each in its chain; -1 for the first."""
    known, ranks = np.unique(peaks, return_inverse=True)
    highest = np.maximum.accumulate(chain * len(known) + ranks)  # a later chain is higher
    before = np.append(-1, highest[:-1]) - chain * len(known)
    return np.where(before >= 0, known[before.clip(0)], -1.0)


class Player:
    """Replay one label in recordings with one setting after another."""

    def __init__(self, curves: Sequence[Curve], label: Label, lowest: float) -> None:
        """Take the scores; no `off` will be below `lowest`."""
        self._curves, self._label = curves, label
        self._trace = trace(curves, label, lowest)
        self._begun: dict[tuple[float, float], Beginnings] = {}

    def play(self, settings: TrackerSettings) -> Events:
        """Return the finished events of all recordings."""
        if settings.cooldown:
            return self._track(settings)
        key = settings.off, settings.hold
        if key not in self._begun:
            self._begun[key] = begin(self._trace, *key)
        begun = self._begun[key]
        return begun.events.take(begun.select(settings.on, settings.min_duration))

    def _track(self, settings: TrackerSettings) -> Events:
        """Feed a tracker: after an event another may begin in the middle of a run."""
        found = [
            (number, event)
            for number, curve in enumerate(self._curves)
            for event in find_events(curve, self._label, settings)
        ]
        return Events(
            np.array([number for number, _ in found], np.int64),
            np.array([event.onset for _, event in found]),
            np.array([event.offset for _, event in found]),
            np.array([event.peak for _, event in found]),
        )
