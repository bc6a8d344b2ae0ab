"""What a running daemon says of itself, as one JSON document."""

import json
import os
import time
from typing import TYPE_CHECKING, Any

from ast_edge import __version__
from ast_edge.base.times import iso8601
from ast_edge.monitoring.memory import resident_bytes
from ast_edge.monitoring.reading import SourceReading
from ast_edge.monitoring.state import state_said
from ast_edge.outputs.payload import event_payload

if TYPE_CHECKING:
    from ast_edge.app.node import Node
    from ast_edge.app.plan import Plan
    from ast_edge.app.reload import Reload
    from ast_edge.app.service import Service

FORMAT = 1
"""Raised when a key changes its meaning or goes away; a new key does not raise it."""

Json = dict[str, Any]


def status_document(service: "Service", reload: "Reload") -> Json:
    """Return everything; safe in any thread."""
    plan, reading, now = service.plan, service.monitor.read(), time.time()
    node, newest, started = service.node, reload.newest, service.started.read()
    return {
        "schema": FORMAT,
        "version": __version__,
        "pid": os.getpid(),
        "node": plan.config.node,
        "started": iso8601(started),
        "uptime": round(now - started, 1),
        "config": str(reload.path),
        "reload": None
        if newest is None
        else {"time": iso8601(newest.time), "refusal": newest.refusal or None},
        "bundle": ", ".join(bundle.name for bundle in plan.bundles),
        "engine": "; ".join(dict.fromkeys(e.description for e in service.engines.values())),
        "real_time_factor": _rounded(reading.real_time_factor, 4),
        "memory_bytes": resident_bytes(),
        "sources": {
            name: _source(found, service.daemon.dropped[name], node.paused(name) if node else "")
            | _hearing(service, plan, name)
            for name, found in reading.sources.items()
        },
        "broker": _broker(node) if node else None,
        "events": [event_payload(event, node=plan.config.node) for event in reading.events],
    }


def status_bytes(service: "Service", reload: "Reload") -> bytes:
    """Return the document as a line of JSON."""
    # In ASCII: a path may hold what is no UTF-8.
    text = json.dumps(status_document(service, reload), allow_nan=False)
    return text.encode() + b"\n"


def _source(found: SourceReading, dropped: int, paused: str) -> Json:
    state, detail = state_said(found.state, found.detail, paused)
    level = found.level
    return {
        "state": state,
        "detail": detail,
        "since": iso8601(found.since),
        "level": {"rms": round(level.rms, 1), "peak": round(level.peak, 1)} if level else None,
        "latency": _rounded(found.latency, 3),
        "audio_seconds": round(found.audio_seconds, 1),
        "gaps": found.gaps,
        "windows": found.windows,
        "dropped_windows": dropped,
        "events": sum(found.events.values()),
    }


def _hearing(service: "Service", plan: "Plan", source: str) -> Json:
    """Return how a source is looked at; what has just been read may be of another plan."""
    hearing = plan.hearings.get(source)
    if hearing is None:
        return dict.fromkeys(("hop", "idle_hop", "bundle", "engine"))
    engine = service.engines.get(hearing.bundle.folder)
    return {
        "hop": hearing.hop,
        "idle_hop": hearing.idle_hop,
        "bundle": hearing.bundle.name,
        "engine": engine.description if engine else None,
    }


def _broker(node: "Node") -> Json:
    broker = node.publisher
    return {
        "address": broker.address,
        "connected": broker.connected,
        "fault": broker.fault,
        "reconnects": broker.reconnects,
        "waiting": broker.waiting,
        "lost": broker.dropped,
    }


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
