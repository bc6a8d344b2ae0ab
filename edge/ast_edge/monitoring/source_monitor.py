"""How the daemon's sources are: the one place where that is followed."""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from ast_edge.audio.health import OK, Health
from ast_edge.audio.level import LevelMeter
from ast_edge.audio.stream import Block
from ast_edge.detection.event import Event
from ast_edge.frontend.listener import Window
from ast_edge.monitoring.histogram import Histogram
from ast_edge.monitoring.reading import Reading, Renderer, SourceReading
from ast_edge.monitoring.state import STATE_OF, state_of_sound

LAST_EVENTS = 10
"""Events that are remembered."""
INFERENCE_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
SMOOTHING = 0.1
"""Weight of the newest batch in latency and real-time factor."""


class SourceMonitor:
    """Makes a new reading of all that the daemon tells; an observer and a sink of it.

    What it is told is told in the daemon's thread. `read` may be called from any: a reading never
    changes, another takes its place.
    """

    def __init__(
        self,
        bundles: Mapping[str, str],
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take the sources, each with the name of its bundle; `clock` gives unix seconds."""
        self._clock, self._monotonic = clock, monotonic
        self.renderers: list[Renderer] = []
        """Those that are told of every change; may change as the daemon's observers may."""
        self._meters: dict[str, LevelMeter] = {}
        """Of uninterrupted sound: a stream may have other channels than that before it."""
        self._reading = Reading()
        self.follow(bundles)

    def read(self) -> Reading:
        """Return everything as it is."""
        return self._reading

    def follow(self, bundles: Mapping[str, str]) -> None:
        """Forget other sources and bundles than these."""
        known, inference = self._reading.sources, self._reading.inference
        now, heard_at = self._clock(), self._monotonic()
        sources = {
            name: replace(known[name], bundle=bundle)
            if name in known
            else SourceReading(bundle, since=now, heard_at=heard_at)
            for name, bundle in bundles.items()
        }
        times = {
            name: inference.get(name, Histogram(INFERENCE_BUCKETS)) for name in bundles.values()
        }
        self._reading = replace(self._reading, sources=sources, inference=times)
        self._meters = {name: m for name, m in self._meters.items() if name in bundles}

    def begun(self, source: str) -> None:
        """A source is opened in the place of another."""
        self._change(source, state="starting", detail="", heard_at=self._monotonic())

    def pause(self, source: str, why: str) -> None:
        """A command keeps a source from being reported; empty if none does any more."""
        known = self._reading.sources[source]
        state, detail = known.state, known.detail
        if state == "disabled":
            state, detail = state_of_sound(known.health)
        self._change(source, paused=why, state=state, detail=detail)

    def heard(self, block: Block) -> None:
        """Count sound, and measure it."""
        stream, source = block.stream, block.stream.source
        known = self._reading.sources[source]
        continues = known.stream is stream
        if not continues or source not in self._meters:
            self._meters[source] = LevelMeter(stream.sample_rate)
        level = self._meters[source].feed(block.samples)
        seconds = len(block.samples) / stream.sample_rate
        state, detail = state_of_sound(known.health)
        self._change(
            source,
            state=state,
            detail=detail,
            stream=stream,
            level=level or known.level,
            levels=known.levels + (level is not None),
            latency=known.latency if continues else None,  # it was by the clock of before
            heard_at=self._monotonic(),
            unscored=seconds + (known.unscored if continues else 0.0),
            audio_seconds=known.audio_seconds + seconds,
            gaps=known.gaps + (known.stream is not None and not continues),
            bad_samples=known.bad_samples + block.bad_samples,
        )

    def silent(self, source: str) -> None:
        """A live source delivers nothing any more; it is opened again and again."""
        self._meters.pop(source, None)
        if self._reading.sources[source].state != "silent":
            self._change(source, state="silent", detail="", level=None)

    def health(self, source: str, health: Health) -> None:
        """How well the sound of a source arrives has changed."""
        changes: dict[str, object] = {}
        if health.condition in ("waiting", "stalled"):
            self._meters.pop(source, None)
            changes["level"] = None
        state = STATE_OF[health.condition]
        self._change(source, health=health, state=state, detail=health.reason, **changes)

    def ended(self, source: str, error: BaseException | None) -> None:
        """A source is over, or cannot be read."""
        self._meters.pop(source, None)
        self._change(
            source,
            state="failed" if error else "ended",
            detail=str(error or ""),
            health=OK,
            stream=None,
            level=None,
            heard_at=self._monotonic(),
            unscored=0.0,
        )

    def scored(self, windows: Sequence[Window], seconds: float, dropped: int) -> None:
        """Count windows and the time they took."""
        reading, sound = self._reading, sum(window.hop for window in windows)
        inference = reading.inference
        if seconds and windows:  # all of one bundle
            bundle = reading.sources[windows[0].stream.source].bundle
            inference = {**inference, bundle: inference[bundle].add(seconds)}
        sources = reading.sources
        if windows and dropped > reading.dropped:
            # The engine is slow, which is said: the other sources wait their turn.
            sources = {name: replace(found, unscored=0.0) for name, found in sources.items()}
        self._reading = replace(
            reading,
            sources=sources,
            windows=reading.windows + len(windows),
            dropped=dropped,
            seconds=reading.seconds + seconds,
            real_time_factor=smooth(reading.real_time_factor, seconds / sound if sound else 0.0),
            inference=inference,
        )
        by_source = defaultdict(list)
        for window in windows:
            by_source[window.stream.source].append(window)
        for source, theirs in by_source.items():
            self._count(source, theirs)

    def publish(self, event: Event) -> None:
        """Count the beginning of an event, and remember the event."""
        known = self._reading.sources[event.source]
        late = self._reading.latency
        if event.phase == "start":
            slug = event.label.slug
            events = {**known.events, slug: known.events.get(slug, 0) + 1}
            self._change(event.source, events=events)
            if known.stream and known.stream.live:
                late = late.add(max(0.0, self._clock() - event.onset))
        newest = {one.id: one for one in self._reading.events} | {event.id: event}
        self._reading = replace(
            self._reading,
            latency=late,
            events=tuple(newest.values())[-LAST_EVENTS:],
            newest=event,
        )

    def close(self) -> None:
        """Do nothing: readings are not kept."""

    def _count(self, source: str, windows: Sequence[Window]) -> None:
        """Count windows of one source."""
        known, now = self._reading.sources[source], self._clock()
        latency = known.latency
        for window in windows:
            if window.stream.live:
                late = now - window.heard_at
                latency = smooth(latency, max(0.0, late))
        self._change(source, windows=known.windows + len(windows), latency=latency, unscored=0.0)

    def _change(self, source: str, **changes: object) -> None:
        """Read a source anew, and say so."""
        before = self._reading.sources[source]
        after = replace(before, **changes)  # type: ignore[arg-type]
        if after.state == "listening" and after.paused:
            after = replace(after, state="disabled", detail=after.paused)
        if (after.state, after.detail) != (before.state, before.detail):
            after = replace(after, since=self._clock())
        self._reading = replace(self._reading, sources={**self._reading.sources, source: after})
        for renderer in self.renderers:
            renderer.changed(source, before, self._reading)


def smooth(before: float | None, newest: float) -> float:
    """Return the running mean in which the newest value has the weight SMOOTHING."""
    return newest if before is None else before + SMOOTHING * (newest - before)
