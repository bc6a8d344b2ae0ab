"""What of a recording is drawn: stretches of it with what was to be heard and what was."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ast_edge.evaluation.event_metrics import COLLARS
from ast_edge.evaluation.false_alarms import find_false_alarms, is_near
from ast_edge.evaluation.matching import match
from ast_edge.evaluation.report import Heard
from ast_edge.evaluation.span import Span
from ast_edge.evaluation.spectrogram import COLUMN_SECONDS
from ast_edge.model.label import Label

STRIP_SECONDS = 60.0

Kind = Literal["reference", "missed", "right", "inexact", "undecided", "false"]
"""`right` is within the collars of 0.5 s; `inexact` is of the label, at other times; `undecided`
where nobody has said whether it sounds."""


@dataclass(frozen=True)
class Bar:
    """An annotated or a detected event."""

    span: Span
    kind: Kind
    title: str


@dataclass(frozen=True)
class Row:
    """The events of one label in a strip."""

    label: str
    references: tuple[Bar, ...]
    detected: tuple[Bar, ...]


@dataclass(frozen=True, eq=False)
class Strip:
    """A minute of a recording, or all of a shorter one."""

    name: str
    span: Span
    rows: tuple[Row, ...]
    spectrogram: NDArray[np.float16]
    """(columns, rows)."""

    @property
    def has_errors(self) -> bool:
        """Whether something was missed, or told that was not there."""
        bars = (bar for row in self.rows for bar in (*row.references, *row.detected))
        return any(bar.kind in ("missed", "false") for bar in bars)


def cut_strips(heard: Heard, labels: Sequence[Label]) -> Iterator[Strip]:
    """Yield the stretches of a recording in which a label was to be heard or was."""
    rows = [_row(heard, label) for label in labels]
    seconds = heard.outcome.seconds
    count = max(1, round(seconds / STRIP_SECONDS))
    for number in range(count):
        span = Span(number * seconds / count, (number + 1) * seconds / count)
        within = [_cut(row, span) for row in rows]
        if shown := tuple(row for row in within if row.references or row.detected):
            columns = slice(*(round(edge / COLUMN_SECONDS) for edge in (span.onset, span.offset)))
            picture = heard.outcome.spectrogram[columns]
            yield Strip(heard.outcome.path.name, span, shown, picture)


def _row(heard: Heard, label: Label) -> Row:
    references, detections = heard.references[label], heard.outcome.detections_of(label)
    detected = [one.span for one in detections]
    right = {there for _, there in match(references, detected, COLLARS["event_500ms"].fits)}
    undecided = {one.span for one in heard.undecided(label)}
    false = set(find_false_alarms(references, detected)) - undecided
    found = {span for span in references if any(is_near(span, one) for one in detected)}
    return Row(
        label.name,
        tuple(
            Bar(
                span,
                "reference" if span in found else "missed",
                f"{label.name} {_times(span)}{'' if span in found else ', missed'}",
            )
            for span in references
        ),
        tuple(
            Bar(
                one.span,
                kind := _kind(there in right, one.span in false, one.span in undecided),
                f"{label.name} {_times(one.span)}, peak {one.peak:.2f}, told at {one.told:.1f} s"
                f"{_SAID.get(kind, '')}",
            )
            for there, one in enumerate(detections)
        ),
    )


_SAID = {"false": ", false alarm", "undecided": ", where it may sound"}


def _kind(is_right: bool, is_false: bool, is_undecided: bool) -> Kind:
    if is_undecided:
        return "undecided"
    return "false" if is_false else "right" if is_right else "inexact"


def _times(span: Span) -> str:
    return f"{span.onset:.2f} to {span.offset:.2f} s"


def _cut(row: Row, span: Span) -> Row:
    return Row(
        row.label,
        tuple(bar for bar in row.references if bar.span.overlap(span) > 0),
        tuple(bar for bar in row.detected if bar.span.overlap(span) > 0),
    )
