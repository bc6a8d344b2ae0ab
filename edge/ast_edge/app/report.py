"""How the whole daemon is at one moment, for all who look from outside."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ast_edge import __version__
from ast_edge.app.node import Node
from ast_edge.app.plan import Plan
from ast_edge.app.reload import Reload, Reloaded
from ast_edge.app.service import Service
from ast_edge.monitoring.memory import resident_bytes
from ast_edge.monitoring.reading import Reading, SourceReading


@dataclass(frozen=True)
class SourceReport:
    """One source, and how it is listened to."""

    reading: SourceReading
    dropped: int
    """Windows that were not looked at: the engine could not keep up."""
    hop: float | None
    """Seconds; None, as what follows, if it is of another plan than what was read."""
    idle_hop: float | None
    bundle: str | None
    engine: str | None
    """What scores its windows, and on what."""


@dataclass(frozen=True)
class BrokerReport:
    """The connection to the broker."""

    address: str
    connected: bool
    fault: str
    """Why there is none; empty while there is one, or the first is being made."""
    reconnects: int
    waiting: int
    """Events that wait for it."""
    lost: int
    """Events given up, or refused."""


@dataclass(frozen=True)
class DaemonReport:
    """Everything that is told of a running daemon."""

    time: float
    """Unix seconds of this report."""
    version: str
    pid: int
    node: str
    started: float
    """Unix seconds, by the clock as it is now."""
    config: Path
    reload: Reloaded | None
    """The newest; None before the first."""
    bundles: tuple[str, ...]
    """Names."""
    engines: tuple[str, ...]
    """Names, each once."""
    engine_descriptions: tuple[str, ...]
    """What they are and run on, each once."""
    memory: int
    """Bytes."""
    reading: Reading
    """What was heard and made of it."""
    sources: Mapping[str, SourceReport]
    skipped: int
    """Windows that the engine need not look at."""
    unusable: Mapping[str, int]
    """Windows for which the engine gave no probabilities, by bundle."""
    broker: BrokerReport | None
    page: str
    """What opens the page; it may hold the token. Empty if there is none."""


def make_report(service: Service, reload: Reload) -> DaemonReport:
    """Return how everything is; safe in any thread."""
    plan, reading, node = service.plan, service.monitor.read(), service.node
    # Each is looked up: a reload may be exchanging them.
    engines = [e for bundle in plan.bundles if (e := service.engines.get(bundle.key))]
    return DaemonReport(
        time=time.time(),
        version=__version__,
        pid=os.getpid(),
        node=plan.config.node,
        started=service.started.read(),
        config=reload.path,
        reload=reload.newest,
        bundles=tuple(bundle.name for bundle in plan.bundles),
        engines=tuple(dict.fromkeys(engine.name for engine in engines)),
        engine_descriptions=tuple(dict.fromkeys(engine.description for engine in engines)),
        memory=resident_bytes(),
        reading=reading,
        sources={
            name: _source(service, plan, name, found) for name, found in reading.sources.items()
        },
        skipped=service.daemon.skipped_windows,
        unusable={bundle: service.daemon.unusable[bundle] for bundle in reading.inference},
        broker=_broker(node) if node else None,
        page=service.page,
    )


def _source(service: Service, plan: Plan, name: str, found: SourceReading) -> SourceReport:
    hearing = plan.hearings.get(name)  # what was read may be of another plan
    engine = service.engines.get(hearing.bundle.key) if hearing else None
    return SourceReport(
        reading=found,
        dropped=service.daemon.dropped[name],
        hop=hearing.hop if hearing else None,
        idle_hop=hearing.idle_hop if hearing else None,
        bundle=hearing.bundle.name if hearing else None,
        engine=engine.description if engine else None,
    )


def _broker(node: Node) -> BrokerReport:
    publisher = node.publisher
    return BrokerReport(
        address=publisher.address,
        connected=publisher.connected,
        fault=publisher.fault,
        reconnects=publisher.reconnects,
        waiting=publisher.waiting,
        lost=publisher.dropped,
    )
