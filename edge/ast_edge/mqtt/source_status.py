"""What is said about sources beyond their events: status, level, diagnostics, newest event."""

import json
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from ast_edge.audio.level import Level
from ast_edge.base.times import iso8601
from ast_edge.detection.event import Event
from ast_edge.model.label import Label
from ast_edge.monitoring.state import AVAILABLE, State
from ast_edge.mqtt.message import Message
from ast_edge.mqtt.topics import Topics
from ast_edge.outputs.payload import event_json, late_json
from ast_edge.outputs.schema import SCHEMA

LEVEL_PAUSE = 5.0
"""Least seconds between two levels of a source."""
LEVEL_CHANGE = 1.0
"""Decibels from which a level is said before the heartbeat."""
LEVEL_HEARTBEAT = 30.0
"""Seconds after which a level is said though it has not changed."""
LEVEL_EXPIRY = 90
"""Seconds after which a subscriber should take a level for unknown."""
DIAGNOSTICS_PAUSE = 30.0
"""Least seconds between two diagnostics of a source."""


@dataclass(frozen=True)
class Diagnostics:
    """How well a source is being listened to."""

    latency: float | None
    """Seconds from the newest sound of a window to its scores; None before the first."""
    real_time_factor: float | None
    """Seconds of computing per second of sound, all sources together."""
    dropped_windows: int
    """Windows not looked at since the start, because the engine could not keep up."""
    model: str
    """Name of the bundle."""
    engine: str
    """What runs it: "openvino"."""


class NodeStatus:
    """Turns what happens at the sources of a node into messages, few and only on change.

    Pure: `now` is monotonic seconds of the caller's clock. Several sources take turns. A
    participant of MqttSink: all methods are to be called in the connection's thread
    (`sink.publish_messages(lambda: status.level(...))`).
    """

    subscriptions: tuple[str, ...] = ()

    def __init__(self, topics: Topics, sources: Sequence[str], *, since: float) -> None:
        """Say of every source that it is starting since then (unix seconds)."""
        self._topics = topics
        self._delays = _delays(sources)
        self._level_said: dict[str, tuple[float, Level]] = {}
        self._diagnostics_said: dict[str, tuple[float, str]] = {}
        self._retained: dict[str, Message] = {}
        self._said: dict[str, tuple[State, str]] = {}
        self._start: float | None = None
        for source in sources:
            self.source_state(source, "starting", since=since)

    def greet(self) -> list[Message]:
        """Return all that is retained, for a broker that may know nothing."""
        return list(self._retained.values())

    def received(self, topic: str, payload: bytes, *, retained: bool = False) -> list[Message]:
        """Listen to nothing."""
        return []

    def source_state(
        self, source: str, state: State, *, since: float, detail: str = ""
    ) -> list[Message]:
        """Say that a source is in another state since then (unix seconds), and why."""
        if self._said.get(source) == (state, detail):
            return []
        self._said[source] = (state, detail)
        payload = _json({"state": state, "detail": detail, "since": iso8601(since)})
        available = "online" if state in AVAILABLE else "offline"
        return self._keep(self._topics.status(source), payload) + self._keep(
            self._topics.source_availability(source), available
        )

    def follow(self, labels: Mapping[str, Collection[Label]], *, since: float) -> None:
        """Speak of these sources and their labels, and no more of any others."""
        sources = list(labels)
        topics = {t for source in sources for t in self._topics.retained(source, labels[source])}
        self._retained = {t: message for t, message in self._retained.items() if t in topics}
        self._delays = _delays(sources)
        for source in self._said.keys() - set(sources):
            del self._said[source]
        for source in sources:
            if source not in self._said:
                self.source_state(source, "starting", since=since)

    def recall(self, events: Iterable[str], labels: Mapping[str, Collection[Label]]) -> None:
        """Keep the starts and ends that another run has left in the outbox (their `event_json`).

        What the broker has retained of these labels is older: it may be the start of an event that
        has ended long since.
        """
        known = {(source, x.slug): x for source, reported in labels.items() for x in reported}
        for text in events:
            event = json.loads(text)
            source, label = event["source"], known.get((event["source"], event["slug"]))
            if event["type"] != "update" and label and source in self._said:
                self._keep(self._topics.attributes(source, label), late_json(text))
                self._keep(self._topics.last(source), late_json(text))

    def event(self, event: Event) -> list[Message]:
        """Keep the start and the end of an event as the newest of its label and source."""
        if event.phase == "update":
            return []
        payload = event_json(event, node=self._topics.node)
        return self._keep(self._topics.attributes(event.source, event.label), payload) + self._keep(
            self._topics.last(event.source), payload
        )

    def level(self, source: str, level: Level, now: float) -> list[Message]:
        """Say how loud it is: at most every 5 s, after 1 dB of change or 30 s."""
        said_at, said = self._level_said.get(source, (-math.inf, None))
        changed = said is None or abs(level.rms - said.rms) >= LEVEL_CHANGE
        pause = LEVEL_PAUSE if changed else LEVEL_HEARTBEAT
        if self._is_early(source, now) or now - said_at < pause:
            return []
        self._level_said[source] = (now, level)
        payload = _json({"rms": round(level.rms, 1), "peak": round(level.peak, 1)})
        return [Message(self._topics.level(source), payload, qos=0)]

    def diagnostics(self, source: str, diagnostics: Diagnostics, now: float) -> list[Message]:
        """Say how well it goes: on change, at most every 30 s."""
        latency, factor = diagnostics.latency, diagnostics.real_time_factor
        payload = _json(
            {
                # Two digits: noise is no change.
                "latency_ms": None if latency is None else float(f"{latency * 1000:.2g}"),
                "real_time_factor": None if factor is None else float(f"{factor:.2g}"),
                "dropped_windows": diagnostics.dropped_windows,
                "model": diagnostics.model,
                "engine": diagnostics.engine,
            }
        )
        said_at, said = self._diagnostics_said.get(source, (-math.inf, ""))
        if self._is_early(source, now) or now - said_at < DIAGNOSTICS_PAUSE or payload == said:
            return []
        self._diagnostics_said[source] = (now, payload)
        return self._keep(self._topics.diagnostics(source), payload)

    def _is_early(self, source: str, now: float) -> bool:
        """Tell whether other sources are to go first, right after the start."""
        if self._start is None:
            self._start = now
        return now < self._start + self._delays[source]

    def _keep(self, topic: str, payload: str) -> list[Message]:
        self._retained[topic] = message = Message(topic, payload, retain=True)
        return [message]


def _delays(sources: Sequence[str]) -> dict[str, float]:
    """Return when sources may speak first, in seconds, so that they take turns."""
    spread = LEVEL_PAUSE / max(1, len(sources))
    return {source: number * spread for number, source in enumerate(sources)}


def _json(values: Mapping[str, str | int | float | None]) -> str:
    return json.dumps({"schema": SCHEMA, **values}, ensure_ascii=False, allow_nan=False)
