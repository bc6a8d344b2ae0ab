"""What a running daemon says of itself, as one JSON document."""

import json
from typing import Any

from ast_edge.app.report import BrokerReport, DaemonReport, SourceReport
from ast_edge.base.times import iso8601
from ast_edge.outputs.payload import event_payload

FORMAT = 1
"""Raised when a key changes its meaning or goes away; a new key does not raise it."""

Json = dict[str, Any]


def status_document(report: DaemonReport) -> Json:
    """Return everything that people and their programs are told."""
    reading, newest = report.reading, report.reload
    return {
        "schema": FORMAT,
        "version": report.version,
        "pid": report.pid,
        "node": report.node,
        "started": iso8601(report.started),
        "uptime": round(report.time - report.started, 1),
        "config": str(report.config),
        "reload": None
        if newest is None
        else {"time": iso8601(newest.time), "refusal": newest.refusal or None},
        "bundle": ", ".join(report.bundles),
        "engine": "; ".join(report.engine_descriptions),
        "real_time_factor": _rounded(reading.real_time_factor, 4),
        "memory_bytes": report.memory,
        "sources": {name: _source(found) for name, found in report.sources.items()},
        "broker": _broker(report.broker) if report.broker else None,
        "web": report.page or None,
        "events": [event_payload(event, node=report.node) for event in reading.events],
    }


def status_bytes(report: DaemonReport) -> bytes:
    """Return the document as a line of JSON."""
    # In ASCII: a path may hold what is no UTF-8.
    return json.dumps(status_document(report), allow_nan=False).encode() + b"\n"


def _source(report: SourceReport) -> Json:
    found, level = report.reading, report.reading.level
    return {
        "state": found.state,
        "detail": found.detail,
        "since": iso8601(found.since),
        "level": {"rms": round(level.rms, 1), "peak": round(level.peak, 1)} if level else None,
        "latency": _rounded(found.latency, 3),
        "audio_seconds": round(found.audio_seconds, 1),
        "gaps": found.gaps,
        "windows": found.windows,
        "dropped_windows": report.dropped,
        "events": sum(found.events.values()),
        "hop": report.hop,
        "idle_hop": report.idle_hop,
        "bundle": report.bundle,
        "engine": report.engine,
    }


def _broker(broker: BrokerReport) -> Json:
    return {
        "address": broker.address,
        "connected": broker.connected,
        "fault": broker.fault,
        "reconnects": broker.reconnects,
        "waiting": broker.waiting,
        "lost": broker.lost,
    }


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
