"""From scores to events: hysteresis, minimum duration, hold and cooldown, per label."""

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ast_edge.detection.event import Event, Phase
from ast_edge.detection.lookout import Lookout
from ast_edge.model.label import Label
from ast_edge.model.label_settings import TrackerSettings

UPDATE_SECONDS = 5.0
"""A running event is confirmed by an `update` every so many seconds of sound."""

Obstacle = Literal["on", "duration", "cooldown", "barred", "disabled"]
"""What a sound has not reached, or what keeps it, until it is an event."""


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

    Pure: time is what the steps say it is. Memory: one record per running event. A step costs by
    the labels that it shows and by those with an event, not by all that are followed.
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
        self._new_id = new_id
        # By the place of a label among those that are followed.
        self._running: dict[int, _Running] = {}
        self._rising: dict[int, Step] = {}
        """First of the steps at or above `off`, up to now, of a label without an event."""
        self._ended: dict[int, float] = {}
        """Offset of the newest reported event."""
        self._look_at(settings)

    def feed(self, step: Step, barred: Collection[Label] = ()) -> list[Event]:
        """Take the next step and return what changed, in the order of the labels.

        No event of a `barred` label begins in this step; one that runs goes on.
        """
        events: list[Event] = []
        shown = self._lookout.shown(step.probabilities)
        for place in sorted({*shown, *self._running, *self._rising}):
            label, settings = self._labels[place], self._settings[place]
            score = float(step.probabilities[label.index])
            if math.isnan(score):  # would be neither below `off` nor below `on`
                score = 0.0
            running = self._running.get(place)
            if running is None:
                quiet = label in barred or place not in self._enabled
                if score < settings.off or quiet or self._cools_down(place, settings, step):
                    self._rising.pop(place, None)
                    continue
                rising = self._rising.setdefault(place, step)
                if score < settings.on:
                    continue
                running = self._running[place] = _Running(rising, score)
                del self._rising[place]
            events += self._advance(place, settings, running, step, score)
        return events

    @property
    def is_running(self) -> bool:
        """Whether any event has begun and not ended, reported or not."""
        return bool(self._running)

    @property
    def reported(self) -> list[Label]:
        """The labels with an event that has been reported and has not ended."""
        running = self._running.items()
        return [self._labels[place] for place, one in running if one.id is not None]

    def withheld(
        self, step: Step, barred: Collection[Label]
    ) -> Iterator[tuple[Label, float, Obstacle]]:
        """Yield the labels that the newest step shows without an event, their scores, and why."""
        for place in self._lookout.shown(step.probabilities):
            label, settings = self._labels[place], self._settings[place]
            score, running = float(step.probabilities[label.index]), self._running.get(place)
            if math.isnan(score) or (running and running.id is not None):
                continue
            if running:
                yield label, score, "duration"
            elif score < settings.on:
                yield label, score, "on"
            elif place not in self._enabled:
                yield label, score, "disabled"
            elif label in barred:
                yield label, score, "barred"
            else:
                yield label, score, "cooldown"

    def follow(self, settings: Mapping[Label, TrackerSettings]) -> list[Event]:
        """Follow exactly these labels from the next step on, all enabled.

        Events of labels that stay go on; the ends of all others' are returned. A label is known by
        its slug: groups move to another column when one before them goes.
        """
        known = {label.slug: place for place, label in enumerate(settings)}
        moved = {n: known[x.slug] for n, x in enumerate(self._labels) if x.slug in known}
        gone = [place for place in self._running if place not in moved]
        ended = [event for place in gone for event in self._end(place, self._running.pop(place))]
        self._running = {moved[place]: running for place, running in self._running.items()}
        self._rising = {moved[n]: step for n, step in self._rising.items() if n in moved}
        self._ended = {moved[n]: offset for n, offset in self._ended.items() if n in moved}
        self._look_at(settings)
        return ended

    def set_settings(self, label: Label, settings: TrackerSettings) -> None:
        """Follow a label with other settings from the next step on; its running event goes on.

        Raises:
            KeyError: if the label is not followed.
        """
        place = self._places[label]
        self._settings[place] = settings
        self._lookout.set_off(place, settings.off)

    def set_enabled(self, labels: Collection[Label]) -> list[Event]:
        """Report these labels only, from now on, and end the running events of all others."""
        self._enabled = {self._places[label] for label in labels if label in self._places}
        disabled = [place for place in self._running if place not in self._enabled]
        return [e for place in disabled for e in self._end(place, self._running.pop(place))]

    def begin(self, started_at: float) -> None:
        """Take that a stream begins at this time: nothing has ended later than that.

        What seems to have has ended before the clock was set back. Its cooldown begins now.
        """
        self._ended = {place: min(ended, started_at) for place, ended in self._ended.items()}

    def finish(self) -> list[Event]:
        """End all running events: the stream is over."""
        ended = [e for place, running in self._running.items() for e in self._end(place, running)]
        self._running.clear()
        self._rising.clear()
        return ended

    def reset(self) -> None:
        """Forget everything, as if no step had been fed."""
        self._running.clear()
        self._rising.clear()
        self._ended.clear()

    def _look_at(self, settings: Mapping[Label, TrackerSettings]) -> None:
        """Follow exactly these labels, all enabled."""
        self._labels, self._settings = list(settings), list(settings.values())
        self._places = {label: place for place, label in enumerate(settings)}
        self._enabled = set(self._places.values())
        self._lookout = Lookout({label: one.off for label, one in settings.items()})

    def _advance(
        self,
        place: int,
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
            del self._running[place]
            yield from self._end(place, running)
            return
        duration = seconds_between(running.onset, running.offset)
        if running.id is None and duration >= settings.min_duration:
            running.id, running.reported = self._new_id(), duration
            yield self._event(place, running, "start")
        elif (
            running.id is not None and seconds_between(running.reported, duration) >= UPDATE_SECONDS
        ):
            running.reported = duration
            yield self._event(place, running, "update")

    def _cools_down(self, place: int, settings: TrackerSettings, step: Step) -> bool:
        """Tell whether an event of the label has only just ended."""
        ended = self._ended.get(place, -np.inf)
        # Not before it has ended: a clock that was set back must not make us deaf until then.
        return 0 <= seconds_between(ended, step.onset) < settings.cooldown

    def _end(self, place: int, running: "_Running") -> Iterator[Event]:
        if running.id is not None:
            self._ended[place] = running.offset
            yield self._event(place, running, "end")

    def _event(self, place: int, running: "_Running", phase: Phase) -> Event:
        assert running.id is not None
        return Event(
            id=running.id,
            phase=phase,
            source=self.source,
            label=self._labels[place],
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
