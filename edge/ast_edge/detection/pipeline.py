"""Everything pure that one source needs: its listener before the engine, its tracker after."""

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Protocol
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from ast_edge.audio.stream import Block, Source, Stream
from ast_edge.base.clock import FIRST_TIME
from ast_edge.base.times import iso8601
from ast_edge.detection.candidates import Candidate, Candidates
from ast_edge.detection.event import Event
from ast_edge.detection.hearing import Hearing
from ast_edge.detection.rules import Rule, Rules
from ast_edge.detection.steps import Steps
from ast_edge.detection.tracker import EventTracker, Step
from ast_edge.engines.engine import Engine
from ast_edge.frontend.listener import Listener, Window
from ast_edge.model.label import Label
from ast_edge.model.label_settings import TrackerSettings

log = logging.getLogger(__name__)


def new_id() -> str:
    """Make an event id that no other event anywhere has."""
    return uuid4().hex


class Tap(Protocol):
    """Is shown what goes through a pipeline, in its thread; it must not wait for anything."""

    def heard(self, windows: Sequence[Window]) -> None:
        """Windows are due, oldest first."""
        ...

    def tracked(self, steps: Sequence[Step], held: Sequence[Candidate]) -> None:
        """Steps were taken, and these candidates are over without an event."""
        ...


class Pipeline:
    """Blocks in, windows out; scores in, events out. No clock, no thread, no device."""

    def __init__(self, source: str, hearing: Hearing, new_id: Callable[[], str] = new_id) -> None:
        """Follow the hearing's labels and groups, with its bundle's front end and window.

        If the bundle has frame scores, events are told `latency` seconds after the sound (and up
        to a hop), and lie where it was to a step; else to a hop.
        """
        bundle, settings, latency = hearing.bundle, hearing.settings, hearing.latency
        self.source, self.bundle = source, bundle
        self.listener = Listener(hearing.listening)
        self._steps = Steps(bundle, settings, latency)
        self._rules = Rules(hearing.rules, {**bundle.settings, **settings})
        self._tracker = EventTracker(source, settings, new_id, bundle.name)
        self._stream: Stream | None = None
        self._said_unset = False
        """Whether it was said that the clock has not been set."""
        self.tap: Tap | None = None
        """Set by `watch`."""
        self._candidates: Candidates | None = None
        self._nothing = np.zeros(len(bundle.labels), np.float32)
        self._newest = self._nothing
        """The probabilities (labels,) of the newest window that was scored."""
        self._latency = latency
        self._no_steps = (
            np.zeros((bundle.members[0].steps, len(bundle.labels)), np.float32)
            if bundle.frame != "none"
            else None
        )

    def feed(self, block: Block) -> list[Window]:
        """Take sound and return the windows that are due."""
        windows = self.listener.feed(block)
        if self.tap and windows:
            self.tap.heard(windows)
        return windows

    def watch(self, tap: Tap | None) -> None:
        """Show from now on what goes through; None costs nothing."""
        self.tap = tap
        self._candidates = Candidates(self.source, self._tracker, self._rules) if tap else None

    def flush(self) -> list[Window]:
        """Return the windows that the end of the stream completes, until all sound has left."""
        # None may wait for a later one.
        windows = [replace(window, idle=False) for window in self.listener.slide_out()]
        if self._no_steps is None:
            return windows
        # Those that follow would only show what has been released.
        return [w for w in windows if w.end - w.hop < w.heard + self._latency]

    def score(
        self,
        window: Window,
        clip: NDArray[np.float32],
        frame: NDArray[np.float32] | None = None,
    ) -> list[Event]:
        """Take a window's probabilities and return what they start, update and end.

        `clip` (labels,) is of the window as a whole, `frame` (steps, labels) of its steps, where
        the bundle has such scores; then the events are made of these.
        """
        events = []
        self._newest = clip
        if window.stream is not self._stream:
            events = self.finish()  # a gap: what ran before it is over
            self._stream = window.stream
            self._tracker.begin(window.stream.started_at)
            self._say_time(window.stream)
            self._steps.begin()
        return events + self._track(self._steps.feed(window, clip, frame))

    def _say_time(self, stream: Stream) -> None:
        """Say once that there are no hours of the day: the clock was never set, or is set now."""
        unset = stream.live and stream.started_at < FIRST_TIME and self._rules.need_hours
        if unset and not self._said_unset:
            log.warning(
                "source %s: the clock says %s, so it has not been set: every hour counts as active "
                "until it is",
                *(self.source, iso8601(stream.started_at)),
            )
        elif self._said_unset and not unset:
            log.info("source %s: the clock is set: active hours are kept to", self.source)
        self._said_unset = unset

    def _track(self, steps: Iterable[Step]) -> list[Event]:
        if self.tap is None or self._candidates is None:
            return [e for s in steps for e in self._tracker.feed(s, barred=self._rules.feed(s))]
        events, held, shown = list[Event](), list[Candidate](), list(steps)
        for step in shown:
            barred = self._rules.feed(step)
            events += self._tracker.feed(step, barred=barred)
            held += self._candidates.feed(step, barred)
        self.tap.tracked(shown, held)
        return events

    def may_skip(self, window: Window) -> bool:
        """Tell whether the model need not look: nothing or nothing new is heard, and no event runs.

        Labels between `off` and `on` do not count: in room tone there is nearly always one.
        """
        return (window.quiet or window.idle) and not self._tracker.is_running

    def skip(self, window: Window) -> list[Event]:
        """Take a window that the model need not look at: it holds nothing, or what was before."""
        if window.quiet:
            return self.score(window, self._nothing, self._no_steps)
        if self._no_steps is not None:
            return []  # the next window that is scored shows these moments, too
        return self.score(window, self._newest)

    @property
    def reported(self) -> list[Label]:
        """The labels and groups with an event that has been reported and has not ended."""
        return self._tracker.reported

    def follow(
        self, settings: Mapping[Label, TrackerSettings], rules: Mapping[Label, Rule]
    ) -> list[Event]:
        """Follow these labels and groups from the next window on, all enabled, by these rules.

        Events of what stays go on; the ends of the others' are returned.
        """
        self._steps.follow(settings)
        self._rules.follow(rules, {**self.bundle.settings, **settings})
        return self._tracker.follow(settings)

    def set_settings(self, label: Label, settings: TrackerSettings) -> None:
        """Follow a label or group with other settings from the next window on.

        Raises:
            KeyError: if it is not followed.
        """
        self._tracker.set_settings(label, settings)
        self._rules.set_settings(label, settings)

    def set_enabled(self, labels: Collection[Label]) -> list[Event]:
        """Report these labels and groups only; return the ends of the others' running events.

        What is not reported still suppresses others (see `Rule`), and makes up groups.
        """
        return self._tracker.set_enabled(labels)

    def finish(self) -> list[Event]:
        """End all running events: the stream is over or has fallen silent."""
        events = []
        if self._stream:
            events = self._track(self._steps.flush())
        if self.tap and self._candidates:
            self.tap.tracked([], self._candidates.finish())
        self._rules.reset()
        return events + self._tracker.finish()


def score_recording(
    source: Source, ear: Pipeline | Listener, engine: Engine, batch: int = 16
) -> Iterator[tuple[Window, NDArray[np.float32], NDArray[np.float32] | None]]:
    """Yield every window of a source that ends, with its probabilities.

    They are those of the window (labels,) and of its steps (steps, labels), as `Pipeline.score`
    takes them.

    A pipeline goes on until all sound has left the window; a listener stops with the sound.

    Raises:
        AudioError: if the source cannot be read.
    """

    def windows() -> Iterator[Window]:
        for block in source.blocks():
            yield from ear.feed(block)
        yield from ear.flush()

    due = windows()
    while chunk := list(islice(due, batch)):
        scores = engine.run(np.stack([window.fbank for window in chunk]))
        for window, (clip, frame) in zip(chunk, scores.each(), strict=True):
            yield window, clip, frame
