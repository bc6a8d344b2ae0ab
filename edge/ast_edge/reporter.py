"""What the daemon notices about its sources, on its way to the broker."""

import time
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from ast_edge.audio import Block
from ast_edge.events import Event
from ast_edge.level import measure
from ast_edge.listener import Window
from ast_edge.message import Message
from ast_edge.status import Diagnostics, NodeStatus, State

LEVEL_SECONDS = 1.0
"""Sound over which a level is measured."""
SMOOTHING = 0.1
"""Weight of the newest batch in latency and real-time factor."""

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
        *,
        model: str,
        engine: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Take the names of bundle and engine; `clock` gives unix seconds."""
        self._status, self._say, self._clock = status, publish, clock
        self._model, self._engine = model, engine
        self._states: dict[str, State] = {}
        self._sound: dict[str, list[NDArray[np.float32]]] = {}
        self._latency: dict[str, float] = {}
        self._factor: float | None = None

    def heard(self, block: Block) -> None:
        """Take sound: the source listens, and has a level."""
        source = block.stream.source
        self._set_state(source, "listening")
        sound = self._sound.setdefault(source, [])
        sound.append(block.samples)
        if sum(map(len, sound)) >= LEVEL_SECONDS * block.stream.sample_rate:
            level, now = measure(np.concatenate(sound)), time.monotonic()
            sound.clear()
            self._say(lambda: self._status.level(source, level, now))

    def silent(self, source: str) -> None:
        """A live source delivers nothing any more; it is opened again and again."""
        self._sound.pop(source, None)
        self._set_state(source, "silent")

    def ended(self, source: str, error: BaseException | None) -> None:
        """A source is over, or cannot be read."""
        self._set_state(source, "failed" if error else "ended", detail=str(error or ""))

    def scored(self, windows: Sequence[Window], seconds: float, dropped: int) -> None:
        """Take what a batch of windows took to score, and how many windows were dropped so far."""
        sound = sum(window.hop for window in windows)
        self._factor = _smooth(self._factor, seconds / sound if sound else 0.0)
        for window in windows:
            source = window.stream.source
            if window.stream.live:
                late = self._clock() - window.stream.started_at - window.heard
                self._latency[source] = _smooth(self._latency.get(source), max(0.0, late))
        for source in {window.stream.source for window in windows}:
            self._diagnose(source, dropped)

    def publish(self, event: Event) -> None:
        """Keep the event as the newest of its label and source."""
        self._say(lambda: self._status.event(event))

    def close(self) -> None:
        """Do nothing: what is retained stays, and the node's availability says the rest."""

    def _set_state(self, source: str, state: State, detail: str = "") -> None:
        if self._states.get(source) != state:
            self._states[source] = state
            since = self._clock()
            self._say(lambda: self._status.source_state(source, state, since=since, detail=detail))

    def _diagnose(self, source: str, dropped: int) -> None:
        found = Diagnostics(
            latency=self._latency.get(source),
            real_time_factor=self._factor,
            dropped_windows=dropped,
            model=self._model,
            engine=self._engine,
        )
        now = time.monotonic()
        self._say(lambda: self._status.diagnostics(source, found, now))


def _smooth(before: float | None, newest: float) -> float:
    return newest if before is None else before + SMOOTHING * (newest - before)
