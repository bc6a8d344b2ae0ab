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
from ast_edge.tuning.alarms import GRID, Alarms, find_events, scan
from ast_edge.tuning.choice import TAIL_EVENTS, Choice, choose, expected_rates, without
from ast_edge.tuning.shares import Trial, divide

CONFIDENCE = 0.95
FOLDS = 5


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
    share: float
    """Of the wish; false alarms per hour."""
    alarms_before: int
    found_before: int
    held_out: int
    """False alarms in time that did not take part in the choice."""

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
    """Choose `on` and `off` of these labels, which `divide` the wish among them.

    Args:
        negatives: in which every event is a false alarm.
        positives: recordings whose references tell what is found.
        settings: what holds now.
        wish: false alarms per hour of all labels together.
        lowest: no `on` falls below this.
        off_share: `off` as a share of `on`; None keeps each label's present one.
    """
    hours = sum(one.seconds for one in negatives) / 3600
    labels = [
        _try(negatives, positives, label, now, _tried(now, off_share), wish)
        for label, now in settings.items()
    ]
    shares = _divide(labels, [one.scanned for one in labels], hours, wish, lowest)
    held_out = _count_held_out(labels, hours, wish, lowest)
    tuned = (
        _tune_label(negatives, positives, one, hours, share, lowest, count)
        for one, share, count in zip(labels, shares, held_out, strict=True)
    )
    return Tuning(wish, hours, tuple(tuned))


@dataclass(frozen=True, eq=False)
class _Tried:
    """What settings of a label have given, of which none is chosen yet."""

    label: Label
    now: TrackerSettings
    settings: Sequence[TrackerSettings]
    scanned: Sequence[Alarms]
    found: NDArray[np.int64]
    references: int


def _tried(now: TrackerSettings, off_share: float | None) -> list[TrackerSettings]:
    share = (now.off / now.on if now.on else 1.0) if off_share is None else off_share
    return [replace(now, on=on, off=round(share * on, 3)) for on in GRID]


def _try(
    negatives: Sequence[Recording],
    positives: Sequence[Recording],
    label: Label,
    now: TrackerSettings,
    settings: Sequence[TrackerSettings],
    wish: float,
) -> _Tried:
    hours = sum(one.seconds for one in negatives) / 3600
    timed = [(one.curve, one.seconds) for one in negatives]
    scanned = scan(timed, label, settings, 2 * max(TAIL_EVENTS, int(wish * hours)))
    used = settings[: len(scanned)]
    return _Tried(
        label=label,
        now=now,
        settings=used,
        scanned=scanned,
        found=np.array([_count_found(positives, label, one) for one in used]),
        references=sum(len(one.references.get(label, ())) for one in positives),
    )


def _divide(
    labels: Sequence[_Tried],
    scans: Sequence[Sequence[Alarms]],
    hours: float,
    wish: float,
    lowest: float,
) -> list[float]:
    """Return each label's share of the wish by these scans."""
    trials = []
    for one, scanned in zip(labels, scans, strict=True):
        may = [alarms.on >= lowest for alarms in scanned]
        recalls = one.found[may] / one.references if one.references else None
        trials.append(Trial(expected_rates(scanned, hours)[may], recalls))
    return divide(wish, trials)


def _count_held_out(
    labels: Sequence[_Tried], hours: float, wish: float, lowest: float
) -> list[int]:
    """Count each label's false alarms in time that did not take part in the choice.

    The time is cut into fifths. For each, shares and thresholds are chosen by the four others: what
    is counted on the time by which one has chosen is always as good as was wished.
    """
    counts = [0] * len(labels)
    for fold in range(FOLDS):
        start, end = hours * fold / FOLDS, hours * (fold + 1) / FOLDS
        rest = hours - (end - start)
        scans = [without(one.scanned, start, end) for one in labels]
        shares = _divide(labels, scans, rest, wish, lowest)
        for number, (one, scanned, share) in enumerate(zip(labels, scans, shares, strict=True)):
            chosen = choose(scanned, rest, share, lowest).on
            used = next(alarms for alarms in one.scanned if alarms.on == chosen)
            counts[number] += int(((used.times >= start) & (used.times < end)).sum())
    return counts


def _tune_label(
    negatives: Sequence[Recording],
    positives: Sequence[Recording],
    tried: _Tried,
    hours: float,
    share: float,
    lowest: float,
    held_out: int,
) -> TunedLabel:
    label, scanned = tried.label, tried.scanned
    choice = choose(scanned, hours, share, lowest)
    return TunedLabel(
        label=label,
        before=tried.now,
        after=next(one for one in tried.settings if one.on == choice.on),
        choice=choice,
        ons=np.array([one.on for one in scanned]),
        counts=np.array([len(one.times) for one in scanned]),
        expected=expected_rates(scanned, hours),
        found=tried.found,
        references=tried.references,
        share=share,
        alarms_before=sum(len(find_events(one.curve, label, tried.now)) for one in negatives),
        found_before=_count_found(positives, label, tried.now),
        held_out=held_out,
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
