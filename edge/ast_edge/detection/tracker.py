"""From scores to events: hysteresis, minimum duration, hold and cooldown, per label."""

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ast_edge.detection.event import Event, Phase
from ast_edge.model.label import Label
from ast_edge.model.label_settings import TrackerSettings

UPDATE_SECONDS = 5.0
"""A running event is confirmed by an `update` every so many seconds of sound."""


@dataclass(frozen=True, eq=False)
class Step:
    """Probabilities of all labels for one moment, and which moment that is.

    A window of a clip-level model says "somewhere in here". A sound that the previous window did
    not show has begun in the newest hop (`onset`); one that the next window does not show any more
    has ended in the oldest (`offset`). A step of a frame-level model is the moment from `onset` to
    `offset`, and `now` is its end.
    """

    onset: float
    """Where an event begins if this is its first step; unix seconds."""
    offset: float
    """Where an event ends if this is its last step."""
    now: float
    """The newest moment it speaks of; a sound that shows in a single step lasts from `onset` to
    here."""
    probabilities: NDArray[np.float32]
    """(labels + groups,)."""


class EventTracker:
    """Follow the labels of one source.

    Pure: time is what the steps say it is. Memory: one record per running event.
    """

    def __init__(
        self,
        source: str,
        settings: Mapping[Label, TrackerSettings],
        new_id: Callable[[], str],
        bundle: str = "",
    ) -> None:
        """Follow exactly the labels in `settings`, of the bundle of this name."""
        self.source = source
        self._bundle = bundle
        self._settings = dict(settings)
        self._enabled = frozenset(settings)
        self._new_id = new_id
        self._running: dict[Label, _Running] = {}
        self._rising: dict[Label, Step] = {}
        """First of the steps at or above `off`, up to now, of a label without an event."""
        self._ended: dict[Label, float] = {}
        """Offset of the newest reported event."""

    def feed(self, step: Step, barred: Collection[Label] = ()) -> list[Event]:
        """Take the next step and return what changed, in the order of the labels.

        No event of a `barred` label begins in this step; one that runs goes on.
        """
        events: list[Event] = []
        for label, settings in self._settings.items():
            score = float(step.probabilities[label.index])
            if math.isnan(score):  # would be neither below `off` nor below `on`
                score = 0.0
            running = self._running.get(label)
            if running is None:
                quiet = label in barred or label not in self._enabled
                if score < settings.off or quiet or self._cools_down(label, settings, step):
                    self._rising.pop(label, None)
                    continue
                rising = self._rising.setdefault(label, step)
                if score < settings.on:
                    continue
                running = self._running[label] = _Running(rising, score)
                del self._rising[label]
            events += self._advance(label, settings, running, step, score)
        return events

    @property
    def is_running(self) -> bool:
        """Whether any event has begun and not ended, reported or not."""
        return bool(self._running)

    @property
    def reported(self) -> list[Label]:
        """The labels with an event that has been reported and has not ended."""
        return [label for label, running in self._running.items() if running.id is not None]

    def follow(self, settings: Mapping[Label, TrackerSettings]) -> list[Event]:
        """Follow exactly these labels from the next step on, all enabled.

        Events of labels that stay go on; the ends of all others' are returned. A label is known by
        its slug: groups move to another column when one before them goes.
        """
        known = {label.slug: label for label in settings}
        gone = [label for label in self._running if label.slug not in known]
        ended = [event for label in gone for event in self._end(label, self._running.pop(label))]
        self._running = {known[label.slug]: running for label, running in self._running.items()}
        self._rising = {known[x.slug]: s for x, s in self._rising.items() if x.slug in known}
        self._ended = {known[x.slug]: t for x, t in self._ended.items() if x.slug in known}
        self._settings = dict(settings)
        self._enabled = frozenset(settings)
        return ended

    def set_settings(self, label: Label, settings: TrackerSettings) -> None:
        """Follow a label with other settings from the next step on; its running event goes on.

        Raises:
            KeyError: if the label is not followed.
        """
        if label not in self._settings:
            raise KeyError(label)
        self._settings[label] = settings

    def set_enabled(self, labels: Collection[Label]) -> list[Event]:
        """Report these labels only, from now on, and end the running events of all others."""
        self._enabled = frozenset(labels)
        disabled = [label for label in self._running if label not in self._enabled]
        return [e for label in disabled for e in self._end(label, self._running.pop(label))]

    def begin(self, started_at: float) -> None:
        """Take that a stream begins at this time: nothing has ended later than that.

        What seems to have has ended before the clock was set back. Its cooldown begins now.
        """
        self._ended = {label: min(ended, started_at) for label, ended in self._ended.items()}

    def finish(self) -> list[Event]:
        """End all running events: the stream is over."""
        ended = [e for label, running in self._running.items() for e in self._end(label, running)]
        self._running.clear()
        self._rising.clear()
        return ended

    def reset(self) -> None:
        """Forget everything, as if no step had been fed."""
        self._running.clear()
        self._rising.clear()
        self._ended.clear()

    def _advance(
        self,
        label: Label,
        settings: TrackerSettings,
        running: "_Running",
        step: Step,
        score: float,
    ) -> Iterator[Event]:
        running.score = score
        if score >= settings.off:
            running.last = step
            running.peak = max(running.peak, score)
        elif seconds_between(running.last.offset, step.offset) > settings.hold:
            del self._running[label]
            yield from self._end(label, running)
            return
        duration = seconds_between(running.onset, running.offset)
        if running.id is None and duration >= settings.min_duration:
            running.id, running.reported = self._new_id(), duration
            yield self._event(label, running, "start")
        elif (
            running.id is not None and seconds_between(running.reported, duration) >= UPDATE_SECONDS
        ):
            running.reported = duration
            yield self._event(label, running, "update")

    def _cools_down(self, label: Label, settings: TrackerSettings, step: Step) -> bool:
        """Tell whether an event of the label has only just ended."""
        ended = self._ended.get(label, -np.inf)
        # Not before it has ended: a clock that was set back must not make us deaf until then.
        return 0 <= seconds_between(ended, step.onset) < settings.cooldown

    def _end(self, label: Label, running: "_Running") -> Iterator[Event]:
        if running.id is not None:
            self._ended[label] = running.offset
            yield self._event(label, running, "end")

    def _event(self, label: Label, running: "_Running", phase: Phase) -> Event:
        assert running.id is not None
        return Event(
            id=running.id,
            phase=phase,
            source=self.source,
            label=label,
            onset=running.onset,
            offset=running.offset,
            score=running.score,
            peak=running.peak,
            bundle=self._bundle,
        )


class _Running:
    """An event that has begun; it has an id once it is reported."""

    def __init__(self, first: Step, score: float) -> None:
        self.first = self.last = first
        """The first and the last step at or above `off`."""
        self.score = self.peak = score
        self.id: str | None = None
        self.reported = 0.0
        """Duration when it was last published."""

    @property
    def onset(self) -> float:
        return self.first.onset

    @property
    def offset(self) -> float:
        # A short sound has left the window's oldest hop before its onset's hop gets there.
        return max(self.first.now, self.last.offset)


def seconds_between(start: float, end: float) -> float:
    """Return the time between, to the millisecond.

    Unix times are exact to 0.2 µs only; that must not decide whether 1 s is as long as 1 s.
    """
    return round(end - start, 3)
