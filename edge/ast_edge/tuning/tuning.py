"""Thresholds of all labels for one wish, and what they change."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ast_edge.evaluation.curve import Curve
from ast_edge.evaluation.false_alarms import is_near
from ast_edge.evaluation.poisson import poisson_limit
from ast_edge.evaluation.span import Span
from ast_edge.events import Label
from ast_edge.tracker import TrackerSettings
from ast_edge.tuning.alarms import GRID, find_events, scan
from ast_edge.tuning.choice import TAIL_EVENTS, Choice, choose, count_held_out, expected_rates

CONFIDENCE = 0.95


@dataclass(frozen=True, eq=False)
class Recording:
    """The scores of a recording, and where labels sound in it (nowhere in a negative one)."""

    curve: Curve
    seconds: float
    references: Mapping[Label, Sequence[Span]]


@dataclass(frozen=True, eq=False)
class TunedLabel:
    """One label or group."""

    label: Label
    before: TrackerSettings
    after: TrackerSettings
    choice: Choice
    ons: NDArray[np.float64]
    """(tried,) values of `on`, falling."""
    counts: NDArray[np.int64]
    """(tried,) false alarms with each."""
    expected: NDArray[np.float64]
    """(tried,) false alarms per hour; see `expected_rates`."""
    found: NDArray[np.int64]
    """(tried,) references that are found with each."""
    references: int
    alarms_before: int
    found_before: int
    held_out: int
    """False alarms in time that did not take part in the choice; see `count_held_out`."""

    @property
    def alarms_after(self) -> int:
        """False alarms in the negatives with the new thresholds."""
        return int(self.counts[self._chosen])

    @property
    def found_after(self) -> int:
        """References that are found with the new thresholds."""
        return int(self.found[self._chosen])

    @property
    def _chosen(self) -> int:
        return int(np.flatnonzero(self.ons == self.choice.on)[0])


@dataclass(frozen=True)
class Tuning:
    """Everything that was tuned together."""

    wish: float
    """False alarms per hour over all labels."""
    hours: float
    """Of negatives."""
    labels: tuple[TunedLabel, ...]

    @property
    def held_out(self) -> int:
        """False alarms of all labels in time that did not take part in the choice."""
        return sum(one.held_out for one in self.labels)

    @property
    def limit(self) -> float:
        """What the rate per hour is below, with 95 % confidence, by what was held out."""
        return poisson_limit(self.held_out, CONFIDENCE) / self.hours

    @property
    def hours_needed(self) -> float:
        """Hours without any false alarm that would show the wish to be kept."""
        return poisson_limit(0, CONFIDENCE) / self.wish


def tune(
    negatives: Sequence[Recording],
    positives: Sequence[Recording],
    settings: Mapping[Label, TrackerSettings],
    wish: float,
    *,
    lowest: float,
    off_share: float | None,
) -> Tuning:
    """Choose `on` and `off` of these labels, each of which gets the same share of the wish.

    Args:
        negatives: in which every event is a false alarm.
        positives: recordings whose references tell what is found.
        settings: what holds now.
        wish: false alarms per hour of all labels together.
        lowest: no `on` falls below this.
        off_share: `off` as a share of `on`; None keeps each label's present one.
    """
    hours = sum(one.seconds for one in negatives) / 3600
    share = wish / len(settings)
    labels = tuple(
        _tune_label(negatives, positives, label, _tried(now, off_share), now, share, lowest)
        for label, now in settings.items()
    )
    return Tuning(wish, hours, labels)


def _tried(now: TrackerSettings, off_share: float | None) -> list[TrackerSettings]:
    share = (now.off / now.on if now.on else 1.0) if off_share is None else off_share
    return [replace(now, on=on, off=round(share * on, 3)) for on in GRID]


def _tune_label(
    negatives: Sequence[Recording],
    positives: Sequence[Recording],
    label: Label,
    tried: Sequence[TrackerSettings],
    now: TrackerSettings,
    share: float,
    lowest: float,
) -> TunedLabel:
    hours = sum(one.seconds for one in negatives) / 3600
    timed = [(one.curve, one.seconds) for one in negatives]
    enough = 2 * max(TAIL_EVENTS, int(share * hours))
    scanned = scan(timed, label, tried, enough)
    choice = choose(scanned, hours, share, lowest)
    used = tried[: len(scanned)]
    return TunedLabel(
        label=label,
        before=now,
        after=next(one for one in used if one.on == choice.on),
        choice=choice,
        ons=np.array([one.on for one in scanned]),
        counts=np.array([len(one.times) for one in scanned]),
        expected=expected_rates(scanned, hours),
        found=np.array([_count_found(positives, label, one) for one in used]),
        references=sum(len(one.references.get(label, ())) for one in positives),
        alarms_before=sum(len(find_events(one.curve, label, now)) for one in negatives),
        found_before=_count_found(positives, label, now),
        held_out=count_held_out(scanned, hours, share, lowest),
    )


def _count_found(positives: Sequence[Recording], label: Label, settings: TrackerSettings) -> int:
    """Count the references that an event has to do with."""
    count = 0
    for one in positives:
        if references := one.references.get(label, ()):
            events = find_events(one.curve, label, settings)
            spans = [Span(event.onset, event.offset) for event in events]
            count += sum(any(is_near(span, other) for other in spans) for span in references)
    return count
