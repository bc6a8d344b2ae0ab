"""How sources are, and what was made of their sound: values that never change."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from ast_edge.audio.health import OK, Health
from ast_edge.audio.level import Level
from ast_edge.audio.stream import Stream
from ast_edge.detection.event import Event
from ast_edge.monitoring.histogram import Histogram
from ast_edge.monitoring.state import State

LATENCY_BUCKETS = (0.1, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0)


@dataclass(frozen=True)
class SourceReading:
    """One source at one moment."""

    bundle: str
    """Name of the bundle that it is listened to with."""
    state: State = "starting"
    detail: str = ""
    """Why it is in this state."""
    since: float = 0.0
    """Unix time of the state's beginning."""
    paused: str = ""
    """Why a command keeps it from being reported; it is disabled then as long as it listens."""
    health: Health = OK
    """What it said last of its sound; the state may know better by now."""
    stream: Stream | None = None
    """Of its newest sound; None before the first, and when it has ended."""
    level: Level | None = None
    """Of the newest second; None while there is no sound."""
    levels: int = 0
    """How often its level was measured."""
    latency: float | None = None
    """Seconds from the newest sound of a window to its scores; None before the first."""
    heard_at: float = 0.0
    """Monotonic seconds at its newest sound, or at its beginning as long as there is none."""
    unscored: float = 0.0
    """Seconds of sound since a window of it was scored."""
    audio_seconds: float = 0.0
    gaps: int = 0
    """How often its sound was interrupted."""
    bad_samples: int = 0
    """Samples that were no sound (see `Block`)."""
    windows: int = 0
    """Windows that were looked at, or need not be."""
    events: Mapping[str, int] = field(default_factory=dict)
    """Events that have begun, by slug."""

    @property
    def is_up(self) -> bool:
        """Whether sound arrives, however bad it is."""
        return self.state in ("listening", "disabled", "muted", "clipping", "drifting")


@dataclass(frozen=True)
class Reading:
    """All sources at one moment, and the engines that score their sound."""

    sources: Mapping[str, SourceReading] = field(default_factory=dict)
    windows: int = 0
    """Windows of all sources."""
    dropped: int = 0
    """Windows that were not looked at: the engine could not keep up."""
    seconds: float = 0.0
    """What the windows took to score."""
    real_time_factor: float | None = None
    """Seconds of computing per second of sound, of late; None before the first window."""
    inference: Mapping[str, Histogram] = field(default_factory=dict)
    """Seconds that batches of windows took, by the name of the bundle."""
    latency: Histogram = Histogram(LATENCY_BUCKETS)  # noqa: RUF009  # it is frozen
    """Seconds from the onset of live events to their being handed to the sinks."""
    events: tuple[Event, ...] = ()
    """The newest, in the order of their beginnings, each as it was last published."""
    newest: Event | None = None
    """That which was published last."""


class Renderer(Protocol):
    """Says elsewhere what has changed; called in the daemon's thread."""

    def changed(self, source: str, before: SourceReading, reading: Reading) -> None:
        """A source was read as `before`, and is as it stands in `reading` now."""
        ...
