"""What the running daemon has done so far, in numbers."""

import threading
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate

from ast_edge.audio.health import OK, Health
from ast_edge.audio.level import Level, LevelMeter
from ast_edge.audio.stream import Block, Stream
from ast_edge.base.clock import SINCE_BOOT, ClockSetting
from ast_edge.detection.event import Event
from ast_edge.frontend.listener import Window
from ast_edge.monitoring.state import STATE_OF, State

LAST_EVENTS = 10
"""Events that are remembered."""
INFERENCE_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
LATENCY_BUCKETS = (0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0)

SMOOTHING = 0.1
"""Weight of the newest batch in latency and real-time factor."""


@dataclass(frozen=True)
class Histogram:
    """How many values are at most how high."""

    buckets: tuple[float, ...]
    """Upper limits; values above the last count too."""
    counts: tuple[int, ...] = ()
    """Values in each bucket and above the last one, each counted once."""
    total: float = 0.0
    """Sum of all values."""

    def add(self, value: float) -> "Histogram":
        """Return it with one more value."""
        counts = list(self.counts or [0] * (len(self.buckets) + 1))
        counts[bisect_left(self.buckets, value)] += 1
        return replace(self, counts=tuple(counts), total=self.total + value)

    @property
    def cumulative(self) -> list[int]:
        """Values at most as high as each limit, and all."""
        return list(accumulate(self.counts or [0] * (len(self.buckets) + 1)))


@dataclass(frozen=True)
class SourceReading:
    """One source."""

    state: State = "starting"
    detail: str = ""
    """Why it is in this state."""
    since: float = 0.0
    """Unix time of the state's beginning."""
    level: Level | None = None
    """Of the newest second; None while there is no sound."""
    latency: float | None = None
    """Seconds from the newest sound of a window to its scores; None before the first."""
    audio_seconds: float = 0.0
    gaps: int = 0
    """How often its sound was interrupted."""
    bad_samples: int = 0
    """Samples that were no sound (see `Block`)."""
    windows: int = 0
    """Windows that were looked at, or need not be."""
    events: Counter[str] = field(default_factory=Counter)
    """Events that have begun, by slug."""

    @property
    def is_up(self) -> bool:
        """Whether sound arrives, however bad it is."""
        return self.state in ("listening", "muted", "clipping", "drifting")


@dataclass(frozen=True)
class Reading:
    """Everything at one moment."""

    since: float
    """Unix time of the daemon's start, by the clock as it is now."""
    sources: dict[str, SourceReading]
    real_time_factor: float | None
    """Seconds of computing per second of sound, of late; None before the first window."""
    inference: Mapping[str, Histogram]
    """Seconds that batches of windows took, by the name of the bundle."""
    latency: Histogram
    """Seconds from the onset of live events to their being handed to the sinks."""
    events: tuple[Event, ...]
    """The newest, in the order of their beginnings, each as it was last published."""


class Meter:
    """An observer and a sink that counts. `read` may be called from any thread."""

    def __init__(
        self,
        bundles: Mapping[str, str],
        clock: Callable[[], float] = time.time,
        steady: Callable[[], float] = SINCE_BOOT,
    ) -> None:
        """Take the sources, each with the name of its bundle.

        `clock` gives unix seconds, `steady` cannot be set.
        """
        self._clock = clock
        self._clock_setting = ClockSetting(clock, steady)
        self._lock = threading.Lock()
        self._health: dict[str, Health] = {}
        self._streams: dict[str, Stream] = {}
        self._levels: dict[str, LevelMeter] = {}
        self._events: dict[str, Event] = {}
        self._reading = Reading(*(clock(), {}, None, {}, Histogram(LATENCY_BUCKETS), ()))
        self.follow(bundles)

    def read(self) -> Reading:
        """Return all numbers as they are."""
        with self._lock:
            since = self._reading.since + self._clock_setting.feed()
            self._reading = replace(self._reading, since=since)
            return replace(self._reading, events=tuple(self._events.values()))

    def follow(self, bundles: Mapping[str, str]) -> None:
        """Forget other sources and bundles than these."""
        now, known, inference = self._clock(), self._reading.sources, self._reading.inference
        self.bundles = dict(bundles)
        kept = {name: known.get(name, SourceReading(since=now)) for name in bundles}
        times = {
            name: inference.get(name, Histogram(INFERENCE_BUCKETS)) for name in bundles.values()
        }
        with self._lock:
            self._reading = replace(self._reading, sources=kept, inference=times)

    def begun(self, source: str) -> None:
        """A source is opened in the place of another."""
        self._set_state(source, "starting")

    def heard(self, block: Block) -> None:
        """Count sound, and measure it."""
        stream, source = block.stream, block.stream.source
        health = self._health.get(source, OK)
        if health.condition in ("ok", "waiting", "stalled"):
            self._set_state(source, "listening", health.reason if health.condition == "ok" else "")
        known = self._reading.sources[source]
        before = self._streams.get(source)
        self._streams[source] = stream
        if before is not stream:
            self._levels[source] = LevelMeter(stream.sample_rate)  # rates may differ
            self._change(source, latency=None)  # and so may clocks
        level = self._levels[source].feed(block.samples)
        self._change(
            source,
            audio_seconds=known.audio_seconds + len(block.samples) / stream.sample_rate,
            gaps=known.gaps + (before is not None and before is not stream),
            bad_samples=known.bad_samples + block.bad_samples,
            level=level or known.level,
        )

    def silent(self, source: str) -> None:
        """A live source delivers nothing any more."""
        if self._reading.sources[source].state != "silent":
            self._set_state(source, "silent")

    def health(self, source: str, health: Health) -> None:
        """How well the sound of a source arrives has changed."""
        self._health[source] = health
        self._set_state(source, STATE_OF[health.condition], health.reason)

    def ended(self, source: str, error: BaseException | None) -> None:
        """A source is over."""
        self._set_state(source, "failed" if error else "ended", str(error or ""))
        self._health.pop(source, None)
        self._streams.pop(source, None)
        self._levels.pop(source, None)

    def scored(self, windows: Sequence[Window], seconds: float, dropped: int) -> None:
        """Count windows and the time they took."""
        sound = sum(window.hop for window in windows)
        factor = smooth(self._reading.real_time_factor, seconds / sound if sound else 0.0)
        inference = self._reading.inference
        if seconds and windows:  # all of one bundle
            bundle = self.bundles[windows[0].stream.source]
            inference = {**inference, bundle: inference[bundle].add(seconds)}
        with self._lock:
            self._reading = replace(self._reading, real_time_factor=factor, inference=inference)
        now = self._clock()
        for window in windows:
            known = self._reading.sources[window.stream.source]
            latency = known.latency
            if window.stream.live:
                late = now - window.heard_at
                latency = smooth(latency, max(0.0, late))
            self._change(window.stream.source, windows=known.windows + 1, latency=latency)

    def publish(self, event: Event) -> None:
        """Count the beginning of an event, and remember the event."""
        known = self._reading.sources[event.source]
        if event.phase == "start":
            self._change(event.source, events=known.events + Counter([event.label.slug]))
            stream = self._streams.get(event.source)
            if stream and stream.live:
                late = self._reading.latency.add(max(0.0, self._clock() - event.onset))
                with self._lock:
                    self._reading = replace(self._reading, latency=late)
        with self._lock:
            self._events[event.id] = event
            while len(self._events) > LAST_EVENTS:
                del self._events[next(iter(self._events))]

    def close(self) -> None:
        """Do nothing: numbers are not kept."""

    def _set_state(self, source: str, state: State, detail: str = "") -> None:
        known = self._reading.sources[source]
        if (known.state, known.detail) == (state, detail):
            return
        level = known.level if state not in ("silent", "failed", "ended") else None
        self._change(source, state=state, detail=detail, since=self._clock(), level=level)

    def _change(self, source: str, **changes: object) -> None:
        changed = replace(self._reading.sources[source], **changes)  # type: ignore[arg-type]
        with self._lock:
            sources = self._reading.sources | {source: changed}
            self._reading = replace(self._reading, sources=sources)


def smooth(before: float | None, newest: float) -> float:
    """Return the running mean in which the newest value has the weight SMOOTHING."""
    return newest if before is None else before + SMOOTHING * (newest - before)
