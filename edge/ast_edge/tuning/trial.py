"""What the thresholds of a label would do in recordings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ast_edge.evaluation.curve import Curve
from ast_edge.evaluation.false_alarms import is_near
from ast_edge.evaluation.span import Span
from ast_edge.events import Label
from ast_edge.tracker import TrackerSettings
from ast_edge.tuning.alarms import GRID, Alarms, find_events, scan
from ast_edge.tuning.choice import TAIL_EVENTS


@dataclass(frozen=True, eq=False)
class Recording:
    """The scores of a recording, and where labels sound in it (nowhere in a negative one)."""

    curve: Curve
    seconds: float
    references: Mapping[Label, Sequence[Span]]


@dataclass(frozen=True, eq=False)
class Trial:
    """What one label or group does with each threshold that was tried."""

    label: Label
    before: TrackerSettings
    tried: tuple[TrackerSettings, ...]
    """In which `on` falls."""
    scanned: tuple[Alarms, ...]
    """The false alarms with each."""
    found: NDArray[np.int64]
    """(tried,) references that are found with each."""
    references: int
    alarms_before: int
    found_before: int


def try_thresholds(
    negatives: Sequence[Recording],
    positives: Sequence[Recording],
    settings: Mapping[Label, TrackerSettings],
    *,
    off_share: float | None,
    most: float,
) -> list[Trial]:
    """Try thresholds of these labels, from the highest on.

    Args:
        negatives: in which every event is a false alarm.
        positives: recordings whose references tell what is found.
        settings: what holds now.
        off_share: `off` as a share of `on`; None keeps each label's present one.
        most: false alarms per hour that a label may have; nothing far below is tried.
    """
    hours = sum(one.seconds for one in negatives) / 3600
    timed = [(one.curve, one.seconds) for one in negatives]
    enough = 2 * max(TAIL_EVENTS, int(most * hours))
    trials = []
    for label, now in settings.items():
        tried = _tried(now, off_share)
        scanned = scan(timed, label, tried, enough)
        used = tuple(tried[: len(scanned)])
        trials.append(
            Trial(
                label=label,
                before=now,
                tried=used,
                scanned=tuple(scanned),
                found=np.array([_count_found(positives, label, one) for one in used]),
                references=sum(len(one.references.get(label, ())) for one in positives),
                alarms_before=sum(len(find_events(one.curve, label, now)) for one in negatives),
                found_before=_count_found(positives, label, now),
            )
        )
    return trials


def _tried(now: TrackerSettings, off_share: float | None) -> list[TrackerSettings]:
    share = (now.off / now.on if now.on else 1.0) if off_share is None else off_share
    return [replace(now, on=on, off=round(share * on, 3)) for on in GRID]


def _count_found(positives: Sequence[Recording], label: Label, settings: TrackerSettings) -> int:
    """Count the references that an event has to do with."""
    count = 0
    for one in positives:
        if references := one.references.get(label, ()):
            events = find_events(one.curve, label, settings)
            spans = [Span(event.onset, event.offset) for event in events]
            count += sum(any(is_near(span, other) for other in spans) for span in references)
    return count
