"""The figures of an evaluation, per label and over all."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ast_edge.detection.groups import Group
from ast_edge.evaluation.counts import Counts, macro_f1, micro
from ast_edge.evaluation.detection_latency import first_detections, latencies
from ast_edge.evaluation.detector import Detection, Outcome
from ast_edge.evaluation.event_metrics import COLLARS, count_events
from ast_edge.evaluation.false_alarms import FalseAlarms, add_rooms, find_false_alarms
from ast_edge.evaluation.psds import SCENARIOS, PsdsScenario, Roc, make_roc, psds
from ast_edge.evaluation.segment_metrics import (
    SegmentErrors,
    activity,
    count_errors,
    count_segments,
)
from ast_edge.evaluation.span import Span, join_touching
from ast_edge.evaluation.threshold_sweep import join, sweep
from ast_edge.evaluation.truth.unsure import Unsure, is_undecided
from ast_edge.model.label import Label


@dataclass(frozen=True, eq=False)
class Heard:
    """A recording: what was to be heard, and what was."""

    outcome: Outcome
    references: Mapping[Label, Sequence[Span]]
    """By onset, of all labels and groups that are evaluated."""
    room: str = ""
    """Recordings of one room are not independent; by itself each is one of its own."""
    unsure: Unsure = field(default_factory=dict)
    """Where labels and groups may sound as well."""

    @property
    def is_negative(self) -> bool:
        """Whether none of the labels sounds in it."""
        return not any(self.references.values())

    def detections(self, label: Label) -> list[Detection]:
        """Return the detected events of a label that count, by onset: not those of `undecided`."""
        undecided = self.undecided(label)
        return [one for one in self.outcome.detections_of(label) if one not in undecided]

    def undecided(self, label: Label) -> list[Detection]:
        """Return the detected events of a label that may be right, where nobody has said it."""
        unsure, references = self.unsure.get(label, ()), self.references[label]
        found = self.outcome.detections_of(label) if unsure else []
        return [one for one in found if is_undecided(references, unsure, one.span)]

    def detected(self, label: Label) -> list[Span]:
        """Return when the detected events of a label are that count, by onset."""
        return [one.span for one in self.detections(label)]


@dataclass(frozen=True)
class LabelReport:
    """The figures of one label or group."""

    label: Label
    references: int
    found: int
    """References that a detected event overlaps, or misses by half a second."""
    counts: Mapping[str, Counts]
    """By the names of `COLLARS`, and "segment"."""
    psds: Mapping[str, float]
    """By the names of `SCENARIOS`; none for groups and for labels without references."""
    false_alarms: FalseAlarms
    false_alarms_in_negatives: FalseAlarms
    """In the recordings in which nothing is to be heard."""
    latencies: tuple[float, ...]
    """Seconds from onset to the telling; see `latencies`."""
    undecided: int
    """Detected events that count for nothing: see `Heard.undecided`."""


@dataclass(frozen=True)
class Report:
    """The figures of all labels, and over them."""

    labels: tuple[LabelReport, ...]
    recordings: int
    hours: float
    negative_hours: float
    psds: Mapping[str, float]
    """Empty if no label has references."""
    segment_errors: SegmentErrors
    speed: float
    """Seconds of sound per second of computing."""

    def micro(self, name: str) -> Counts:
        """Add the counts of all labels."""
        return micro(one.counts[name] for one in self.labels)

    def macro_f1(self, name: str) -> float | None:
        """Average the F1 of the labels with references."""
        return macro_f1(one.counts[name] for one in self.labels)

    @property
    def false_alarms(self) -> FalseAlarms:
        """Those of all labels together."""
        return add_rooms([one.false_alarms for one in self.labels])

    @property
    def false_alarms_in_negatives(self) -> FalseAlarms:
        """Those of all labels together, where nothing is to be heard."""
        return add_rooms([one.false_alarms_in_negatives for one in self.labels])

    @property
    def undecided(self) -> int:
        """How many detected events of all labels count for nothing."""
        return sum(one.undecided for one in self.labels)

    @property
    def latencies(self) -> tuple[float, ...]:
        """Those of all labels together."""
        return tuple(seconds for one in self.labels for seconds in one.latencies)


def quantile(latencies: Sequence[float], share: float) -> float | None:
    """Return the seconds within which this share was told; None if nothing was."""
    return float(np.quantile(latencies, share)) if latencies else None


def make_report(heard: Sequence[Heard], labels: Sequence[Label], compute_seconds: float) -> Report:
    """Work out all figures of these labels and groups over all recordings."""
    seconds = sum(one.outcome.seconds for one in heard)
    segments, errors = _segments(heard, labels)
    curves = {name: _rocs(heard, labels, scenario) for name, scenario in SCENARIOS.items()}
    reports = tuple(
        _report_label(heard, label, segments[label], {n: c.get(label) for n, c in curves.items()})
        for label in labels
    )
    return Report(
        labels=reports,
        recordings=len(heard),
        hours=seconds / 3600,
        negative_hours=sum(one.outcome.seconds for one in heard if one.is_negative) / 3600,
        psds={n: psds(list(c.values()), SCENARIOS[n]) for n, c in curves.items() if c},
        segment_errors=errors,
        speed=seconds / compute_seconds,
    )


def _report_label(
    heard: Sequence[Heard], label: Label, segments: Counts, rocs: Mapping[str, Roc | None]
) -> LabelReport:
    counts = {
        name: micro(count_events(one.references[label], one.detected(label), c) for one in heard)
        for name, c in COLLARS.items()
    }
    pairs = [(one.references[label], one.detections(label)) for one in heard]
    return LabelReport(
        label=label,
        references=sum(len(references) for references, _ in pairs),
        found=sum(one is not None for pair in pairs for one in first_detections(*pair)),
        counts={**counts, "segment": segments},
        psds={n: roc.area(SCENARIOS[n].max_efpr) for n, roc in rocs.items() if roc is not None},
        false_alarms=_count_alarms(heard, label),
        false_alarms_in_negatives=_count_alarms([one for one in heard if one.is_negative], label),
        latencies=tuple(seconds for pair in pairs for seconds in latencies(*pair)),
        undecided=sum(len(one.undecided(label)) for one in heard),
    )


def _count_alarms(heard: Sequence[Heard], label: Label) -> FalseAlarms:
    counts: dict[str, int] = {}
    for one in heard:
        room = one.room or str(one.outcome.path)
        false = len(find_false_alarms(one.references[label], one.detected(label)))
        counts[room] = counts.get(room, 0) + false
    return FalseAlarms(tuple(counts.values()), sum(one.outcome.seconds for one in heard) / 3600)


def _segments(
    heard: Sequence[Heard], labels: Sequence[Label]
) -> tuple[dict[Label, Counts], SegmentErrors]:
    counts, errors = dict.fromkeys(labels, Counts()), SegmentErrors()
    for one in heard:
        references = activity([one.references[label] for label in labels], one.outcome.seconds)
        detected = activity([one.detected(label) for label in labels], one.outcome.seconds)
        for label, count in zip(labels, count_segments(references, detected), strict=True):
            counts[label] += count
        errors += count_errors(references, detected)
    return counts, errors


def _rocs(
    heard: Sequence[Heard], labels: Sequence[Label], scenario: PsdsScenario
) -> dict[Label, Roc]:
    """Draw the curves of the labels that have references; groups would count everything twice."""
    judged = [
        label
        for label in labels
        if not isinstance(label, Group) and any(one.references[label] for one in heard)
    ]
    truths = [{label: join_touching(one.references[label]) for label in judged} for one in heard]
    hours = sum(one.outcome.seconds for one in heard) / 3600
    rocs = {}
    for label in judged:
        others = [other for other in judged if other != label]
        changes = join(
            [
                sweep(
                    one.outcome.curve,
                    label.index,
                    truth[label],
                    [truth[other] for other in others],
                    scenario.criteria,
                    join_touching(one.unsure.get(label, ())),
                )
                for one, truth in zip(heard, truths, strict=True)
            ]
        )
        lengths = [sum(s.duration for truth in truths for s in truth[o]) for o in others]
        count = sum(len(truth[label]) for truth in truths)
        rocs[label] = make_roc(changes, count, lengths, hours, scenario)
    return rocs
