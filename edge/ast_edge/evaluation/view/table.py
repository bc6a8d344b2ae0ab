"""The figures of an evaluation as a table for people."""

from collections.abc import Sequence
from dataclasses import dataclass

from ast_edge.evaluation.counts import Counts
from ast_edge.evaluation.false_alarms import FalseAlarms
from ast_edge.evaluation.report import LabelReport, Report, quantile

HEADINGS = (
    "label",
    "events",
    "found",
    "F1\n0.5 s",
    "F1\n0.2 s",
    "F1\nonset",
    "F1\n1 s",
    "PSDS\n1",
    "PSDS\n2",
    "false alarms\nper hour (95 %)",
    "told after\n50 %, 95 %",
)
NOTES = (
    "found: a detected event overlaps the annotated one, or misses it by half a second. "
    "F1 0.5 s: onset within 0.5 s, offset within 0.5 s or half the length. F1 0.2 s: onset within "
    "0.2 s, offset within 0.2 s or a fifth of the length. F1 onset: onset within 0.5 s. F1 1 s: "
    "whole seconds. False alarms: events of sounds that are not there. Told after: from the onset "
    "until the event was told, in seconds of sound."
)


@dataclass(frozen=True)
class Row:
    """One line."""

    cells: tuple[str, ...]
    """As many as there are `HEADINGS`; empty where there is no such figure."""
    is_total: bool = False


def rows(report: Report) -> list[Row]:
    """Return the labels that have events or detections, then what is over all of them."""
    shown = [one for one in report.labels if one.references or one.counts["event_500ms"].false]
    return [*map(_label_row, shown), _total_row(report), _macro_row(report)]


def silent_labels(report: Report) -> list[str]:
    """Name those of which there were neither events nor detections."""
    return [
        one.label.name
        for one in report.labels
        if not (one.references or one.counts["event_500ms"].false or one.undecided)
    ]


def _label_row(one: LabelReport) -> Row:
    return Row(
        (
            one.label.name,
            str(one.references),
            _share(one.found, one.references),
            *_f1s(one.counts["event_500ms"], one.counts["event_200ms"]),
            *_f1s(one.counts["onset_500ms"], one.counts["segment"]),
            _number(one.psds.get("psds1")),
            _number(one.psds.get("psds2")),
            _alarms(one.false_alarms),
            _latency(one.latencies),
        )
    )


def _total_row(report: Report) -> Row:
    references = sum(one.references for one in report.labels)
    return Row(
        (
            "all (micro)",
            str(references),
            _share(sum(one.found for one in report.labels), references),
            *_f1s(report.micro("event_500ms"), report.micro("event_200ms")),
            *_f1s(report.micro("onset_500ms"), report.micro("segment")),
            _number(report.psds.get("psds1")),
            _number(report.psds.get("psds2")),
            _alarms(report.false_alarms),
            _latency(report.latencies),
        ),
        is_total=True,
    )


def _macro_row(report: Report) -> Row:
    names = ("event_500ms", "event_200ms", "onset_500ms", "segment")
    f1s = tuple(_number(report.macro_f1(name)) for name in names)
    return Row(("mean of labels (macro)", "", "", *f1s, *[""] * 4), is_total=True)


def summary(report: Report) -> list[str]:
    """Say in a few sentences what was heard, and what was told that was not there."""
    said = [
        f"{number_of('recording', report.recordings)}, "
        f"{duration(report.hours)} in all, heard "
        f"{report.speed:.0f} times faster than real time"
    ]
    for where, alarms in (
        ("", report.false_alarms),
        (" where nothing is to be heard", report.false_alarms_in_negatives),
    ):
        if alarms.interval and alarms.poisson:
            said.append(
                f"{number_of('false alarm', alarms.count)} in {duration(alarms.hours)}{where}: "
                f"{rate(alarms.per_hour or 0.0)} per hour (95 %: {_range(alarms.interval)}; if "
                f"they did not come in bursts {_range(alarms.poisson)}); "
                f"{_any(alarms.noisy, len(alarms.counts))}"
            )
    if report.undecided:
        said.append(
            f"{number_of('event', report.undecided)} of sounds that may be there, which nobody has "
            "said, neither right nor false"
        )
    return said


def number_of(noun: str, count: int) -> str:
    """Write a number of things: "1 recording", "2 recordings"."""
    return f"{count} {noun}{'s' * (count != 1)}"


def duration(hours: float) -> str:
    """Say how long, in words: "45 s", "12.5 min", "3.2 h"."""
    if hours < 1 / 30:
        return f"{hours * 3600:.3g} s"
    if hours < 2:
        return f"{hours * 60:.3g} min"
    return f"{hours:.3g} h" if hours < 1000 else f"{hours:.0f} h"


def _f1s(*counts: Counts) -> tuple[str, ...]:
    return tuple(_number(one.f1 if one.references else None) for one in counts)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _share(count: int, of: int) -> str:
    return f"{count / of:.0%}" if of else ""


def _alarms(alarms: FalseAlarms) -> str:
    if alarms.per_hour is None or alarms.interval is None:
        return ""
    return f"{rate(alarms.per_hour)} ({_range(alarms.interval)})"


def _range(interval: tuple[float, float]) -> str:
    low, high = interval
    return f"{rate(low)} to {rate(high)}"


def _any(noisy: int, rooms: int) -> str:
    """Say in how many recordings, or rooms of several, there were any."""
    return f"{noisy} of {rooms} rooms had any ({noisy / rooms:.0%})"


def rate(per_hour: float) -> str:
    """Write a rate in two digits, or all before the point."""
    return f"{per_hour:.0f}" if per_hour >= 10 else f"{per_hour:.2g}"


def _latency(seconds: Sequence[float]) -> str:
    middle, late = quantile(seconds, 0.5), quantile(seconds, 0.95)
    return "" if middle is None or late is None else f"{middle:.1f}, {late:.1f} s"
