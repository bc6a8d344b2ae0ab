"""The figures of an evaluation as JSON."""

from typing import Any

from ast_edge.evaluation.counts import Counts
from ast_edge.evaluation.event_metrics import COLLARS
from ast_edge.evaluation.false_alarms import FalseAlarms
from ast_edge.evaluation.report import LabelReport, Report, quantile

SCHEMA = 2


def as_tree(report: Report) -> dict[str, Any]:
    """Return everything that a program may want to know; times in seconds, rates per hour."""
    names = [*COLLARS, "segment"]
    return {
        "schema": SCHEMA,
        "recordings": report.recordings,
        "hours": _rounded(report.hours),
        "negative_hours": _rounded(report.negative_hours),
        "speed": _rounded(report.speed, 1),
        "micro": {name: _counts(report.micro(name)) for name in names},
        "macro_f1": {name: _rounded(report.macro_f1(name)) for name in names},
        "segment_error_rate": _rounded(report.segment_errors.rate),
        "psds": {name: _rounded(score) for name, score in report.psds.items()},
        "false_alarms": _alarms(report.false_alarms),
        "false_alarms_in_negatives": _alarms(report.false_alarms_in_negatives),
        "undecided": report.undecided,
        "latency": _latency(report.latencies),
        "labels": {one.label.name: _label(one) for one in report.labels},
    }


def _label(one: LabelReport) -> dict[str, Any]:
    return {
        "references": one.references,
        "found": one.found,
        **{name: _counts(counts) for name, counts in one.counts.items()},
        "psds": {name: _rounded(score) for name, score in one.psds.items()},
        "false_alarms": _alarms(one.false_alarms),
        "false_alarms_in_negatives": _alarms(one.false_alarms_in_negatives),
        "latency": _latency(one.latencies),
    }


def _counts(counts: Counts) -> dict[str, Any]:
    return {
        "f1": _rounded(counts.f1),
        "precision": _rounded(counts.precision),
        "recall": _rounded(counts.recall),
        "hits": counts.hits,
        "false": counts.false,
        "missed": counts.missed,
    }


def _alarms(alarms: FalseAlarms) -> dict[str, Any]:
    return {
        "count": alarms.count,
        "per_hour": _rounded(alarms.per_hour),
        "interval_95": _interval(alarms.interval),
        "poisson_95": _interval(alarms.poisson),
        "rooms": len(alarms.counts),
        "rooms_with_any": alarms.noisy,
    }


def _interval(interval: tuple[float, float] | None) -> list[float | None] | None:
    return interval and [_rounded(interval[0]), _rounded(interval[1])]


def _latency(seconds: tuple[float, ...]) -> dict[str, Any]:
    return {
        "count": len(seconds),
        "p50": _rounded(quantile(seconds, 0.5), 3),
        "p95": _rounded(quantile(seconds, 0.95), 3),
    }


def _rounded(value: float | None, digits: int = 4) -> float | None:
    return None if value is None else round(value, digits)
