"""What the daemon notices about its sources, on its way to the broker."""

import time
from collections.abc import Callable, Iterable, Sequence

from ast_edge.audio.health import OK, Health
from ast_edge.audio.level import LevelMeter
from ast_edge.audio.stream import Block, Stream
from ast_edge.detection.event import Event
from ast_edge.frontend.listener import Window
from ast_edge.monitoring.meter import smooth
from ast_edge.monitoring.state import STATE_OF, State
from ast_edge.mqtt.message import Message
from ast_edge.mqtt.source_status import Diagnostics, NodeStatus

Publish = Callable[[Callable[[], Iterable[Message]]], None]
"""Runs what makes messages in the connection's thread, and sends them."""


class Reporter:
    """Turns blocks, windows and events into status messages; a sink of events as well.

    All methods but `close` are called in the daemon's thread.
    """

    def __init__(
        self,
        status: NodeStatus,
        publish: Publish,
        heard_by: Callable[[str], tuple[str, str]],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Take what tells the names of a source's bundle and engine; `clock` gives unix seconds."""
        self._status, self._say, self._clock = status, publish, clock
        self._heard_by = heard_by
        self._states: dict[str, tuple[State, str]] = {}
        self._health: dict[str, Health] = {}
        self._streams: dict[str, Stream] = {}
        self._levels: dict[str, LevelMeter] = {}
        """Of the newest stream of each source: another may have other channels."""
        self._latency: dict[str, float] = {}
        self._factor: float | None = None

    def begun(self, source: str) -> None:
        """A source is opened in the place of another."""
        self._set_state(source, "starting")

    def heard(self, block: Block) -> None:
        """Take sound: the source listens, and has a level."""
        source = block.stream.source
        known = self._health.get(source, OK)
        if known.condition in ("ok", "waiting", "stalled"):  # that it is well will be said, too
            self._set_state(source, "listening", known.reason if known.condition == "ok" else "")
        if self._streams.get(source) is not block.stream:
            self._streams[source] = block.stream
            self._levels[source] = LevelMeter(block.stream.sample_rate)
            self._latency.pop(source, None)  # it was by the clock of before
        if level := self._levels[source].feed(block.samples):
            now = time.monotonic()
            self._say(lambda: self._status.level(source, level, now))

    def silent(self, source: str) -> None:
        """A live source delivers nothing any more; it is opened again and again."""
        self._streams.pop(source, None)
        if self._states.get(source, ("starting", ""))[0] != "silent":
            self._set_state(source, "silent")

    def health(self, source: str, health: Health) -> None:
        """How well the sound of a source arrives has changed."""
        self._health[source] = health
        if health.condition in ("waiting", "stalled"):
            self._streams.pop(source, None)
        self._set_state(source, STATE_OF[health.condition], detail=health.reason)

    def ended(self, source: str, error: BaseException | None) -> None:
        """A source is over, or cannot be read."""
        self._set_state(source, "failed" if error else "ended", detail=str(error or ""))
        self._health.pop(source, None)
        self._streams.pop(source, None)
        self._levels.pop(source, None)
        self._latency.pop(source, None)

    def scored(self, windows: Sequence[Window], seconds: float, dropped: int) -> None:
        """Take what a batch of windows took to score, and how many windows were dropped so far."""
        sound = sum(window.hop for window in windows)
        self._factor = smooth(self._factor, seconds / sound if sound else 0.0)
        for window in windows:
            source = window.stream.source
            if window.stream.live:
                late = self._clock() - window.heard_at
                self._latency[source] = smooth(self._latency.get(source), max(0.0, late))
        for source in {window.stream.source for window in windows}:
            self._diagnose(source, dropped)

    def publish(self, event: Event) -> None:
        """Keep the event as the newest of its label and source."""
        self._say(lambda: self._status.event(event))

    def close(self) -> None:
        """Do nothing: what is retained stays, and the node's availability says the rest."""

    def _set_state(self, source: str, state: State, detail: str = "") -> None:
        if self._states.get(source) != (state, detail):
            self._states[source] = (state, detail)
            since = self._clock()
            self._say(lambda: self._status.source_state(source, state, since=since, detail=detail))

    def _diagnose(self, source: str, dropped: int) -> None:
        model, engine = self._heard_by(source)
        found = Diagnostics(
            latency=self._latency.get(source),
            real_time_factor=self._factor,
            dropped_windows=dropped,
            model=model,
            engine=engine,
        )
        now = time.monotonic()
        self._say(lambda: self._status.diagnostics(source, found, now))
