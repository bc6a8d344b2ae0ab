"""What the daemon notices about its sources, on its way to the broker."""

import time
from collections.abc import Callable, Iterable

from ast_edge.detection.event import Event
from ast_edge.monitoring.reading import Reading, SourceReading
from ast_edge.mqtt.message import Message
from ast_edge.mqtt.source_status import Diagnostics, NodeStatus

Publish = Callable[[Callable[[], Iterable[Message]]], None]
"""Runs what makes messages in the connection's thread, and sends them."""


class Reporter:
    """The renderer of readings as status messages; a sink of events as well.

    All methods but `close` are called in the daemon's thread.
    """

    def __init__(
        self,
        status: NodeStatus,
        publish: Publish,
        engine: Callable[[str], str],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take what tells the name of a source's engine."""
        self._status, self._say = status, publish
        self._engine, self._monotonic = engine, monotonic

    def brief(self, reading: Reading) -> None:
        """Say how all sources are, to a broker that is new."""
        for source, found in reading.sources.items():
            self._say_state(source, found)

    def changed(self, source: str, before: SourceReading, reading: Reading) -> None:
        """Say what is new of a source: its state, its level, how well it goes."""
        found = reading.sources[source]
        if (found.state, found.detail) != (before.state, before.detail):
            self._say_state(source, found)
        if found.levels != before.levels and (level := found.level):
            now = self._monotonic()
            self._say(lambda: self._status.level(source, level, now))
        if found.windows != before.windows:
            self._diagnose(source, reading)

    def publish(self, event: Event) -> None:
        """Keep the event as the newest of its label and source."""
        self._say(lambda: self._status.event(event))

    def close(self) -> None:
        """Do nothing: what is retained stays, and the node's availability says the rest."""

    def _say_state(self, source: str, found: SourceReading) -> None:
        self._say(
            lambda: self._status.source_state(
                source, found.state, since=found.since, detail=found.detail
            )
        )

    def _diagnose(self, source: str, reading: Reading) -> None:
        diagnostics = Diagnostics(
            latency=reading.sources[source].latency,
            real_time_factor=reading.real_time_factor,
            dropped_windows=reading.dropped,
            model=reading.sources[source].bundle,
            engine=self._engine(source),
        )
        now = self._monotonic()
        self._say(lambda: self._status.diagnostics(source, diagnostics, now))
