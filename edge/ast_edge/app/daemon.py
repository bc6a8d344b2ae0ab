"""The running system: sources in threads, an engine for each bundle, events to all sinks."""

import logging
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from ast_edge.audio.health import OK, Health
from ast_edge.audio.stream import Block, Monitored, Source
from ast_edge.base.errors import AstError, EngineError
from ast_edge.detection.event import Event
from ast_edge.detection.pipeline import Pipeline
from ast_edge.engines.engine import Engine, Scores
from ast_edge.frontend.due_windows import MAX_BATCH, DueWindows
from ast_edge.frontend.listener import Window
from ast_edge.model.bundle import Bundle
from ast_edge.monitoring.observer import Observer
from ast_edge.outputs.sink import Sink
from ast_edge.sources.inbox import Inbox
from ast_edge.sources.reader import Ended, Read, Reader

log = logging.getLogger(__name__)

TAKE_SECONDS = 0.5
"""Sound that waits is taken for at most so long before the engine has its turn."""
CLOSE_SECONDS = 2.0
"""All readers together may take so long to end."""
SILENT_SECONDS = 5.0
"""A live source that has delivered nothing for so long has no running events any more."""


class Daemon:
    """Runs until every source has ended or `stop` is called.

    Each source is read in a thread of its own, and has room of its own in one queue. The caller's
    thread does all the rest. When the engine cannot keep up with live sound, the oldest due windows
    are dropped and counted; audio frames never are.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        pipelines: Mapping[str, Pipeline],
        engines: Mapping[Path, Engine],
        sinks: Sequence[Sink],
        clock: Callable[[], float] = time.monotonic,
        observers: Sequence[Observer] = (),
        each_turn: Callable[[], list[Event]] = list,
    ) -> None:
        """Take one pipeline for each source, by its name, and an engine by each bundle's key.

        `sinks` and `observers` may change until `run`, then in its thread (see `submit`).
        `each_turn` is called there several times a second, and its events are published.
        """
        self._due = DueWindows(lambda source: self.pipelines[source].bundle.name)
        self.skipped_windows = 0
        """Windows that the engine need not look at: quiet, or without anything new."""
        self.unusable: Counter[str] = Counter()
        """Windows for which an engine gave something else than probabilities, by bundle."""
        self.pipelines = dict(pipelines)
        """Those of the sources at present; changes in the thread of `run`."""
        self._engines = engines
        self._sinks = sinks
        self._observers = observers
        self._each_turn = each_turn
        self._clock = clock
        self._inbox: Inbox[Read] = Inbox()
        self._readers = {source.name: Reader(source, self._inbox) for source in sources}
        self._ended: list[tuple[Reader, Ended]] = []
        """Sources with a last word, whose windows may still be due."""
        self._last_block: dict[str, float] = {}
        self._health: dict[str, Health] = {}
        self._errors: dict[str, AstError] = {}
        self._stopping = False
        self._over = threading.Event()
        self._actions: queue.SimpleQueue[Callable[[], list[Event]]] = queue.SimpleQueue()

    def run(self) -> None:
        """Listen, detect, publish.

        Raises:
            AstError: of the first source that could not be read, after all others have ended.
        """
        for reader in self._readers.values():
            reader.start()
        try:
            while any(r.listening for r in self._readers.values()) and not self._stopping:
                # Before the sound is taken that came before: what is said last is the newest.
                health = self._changed_health()
                self._take()
                self._tell_health(health)
                # Before the engine runs: while it does, blocks wait and a source only seems silent.
                self._end_silent_events()
                self._act()
                self.publish(self._each_turn())
                self._infer()
                self._end_what_is_scored()
        finally:
            self.stop()
            for reader in self._readers.values():
                reader.close()
            for pipeline in self.pipelines.values():
                self.publish(pipeline.finish())
            self._over.set()
            give_up = time.monotonic() + CLOSE_SECONDS
            for reader in self._readers.values():
                reader.join(timeout=max(0.0, give_up - time.monotonic()))
        if self._errors:
            raise next(iter(self._errors.values()))

    @property
    def dropped(self) -> Counter[str]:
        """Windows of each source that were not looked at: the engine could not keep up."""
        return self._due.dropped

    @property
    def dropped_windows(self) -> int:
        """Windows of all sources that were dropped; to be read in the thread of `run`."""
        return self.dropped.total()

    def stop(self) -> None:
        """Make `run` return within a second; safe in another thread and in a signal handler."""
        # Not a threading.Event: a handler that interrupts its lock would wait for itself.
        self._stopping = True

    def submit(self, action: Callable[[], list[Event]]) -> None:
        """Run an action in the thread of `run` and publish its events; safe in any thread."""
        self._actions.put(action)

    def perform(self, action: Callable[[], list[Event]]) -> bool:
        """Run an action as `submit` does, and return when it is done; False if `run` ended first.

        To be called in another thread than that of `run`.
        """
        done = threading.Event()

        def act() -> list[Event]:
            try:
                return action()
            finally:
                done.set()

        self.submit(act)
        while not done.wait(timeout=0.1):
            if self._over.is_set():
                return done.is_set()
        return True

    def publish(self, events: list[Event]) -> None:
        """Give events to all sinks; to be called in the thread of `run`."""
        for event in events:
            for sink in self._sinks:
                sink.publish(event)

    def add(self, source: Source, pipeline: Pipeline) -> None:
        """Read one more source; to be called in the thread of `run`.

        It takes the place of one of the same name that was removed, once that has ended.
        """
        reader = Reader(source, self._inbox, before=self._readers.get(source.name))
        self._readers[source.name] = reader
        self.pipelines[source.name] = pipeline
        reader.start()

    def remove(self, name: str) -> list[Event]:
        """Stop reading a source and return the ends of its events; in the thread of `run`."""
        reader = self._readers[name]
        was_listening = reader.listening
        reader.close()
        self._due.forget(name)
        self._errors.pop(name, None)
        for memory in (self._last_block, self._health):
            memory.pop(name, None)
        if was_listening:
            for observer in self._observers:
                observer.ended(name, None)
        return self.pipelines.pop(name).finish()

    def _end_what_is_scored(self) -> None:
        last_words, self._ended = self._ended, []
        for reader, last in last_words:
            if reader.source.name in self._due:
                self._ended.append((reader, last))
            else:
                self._end(reader, last.error)

    def _end(self, reader: Reader, error: BaseException | None) -> None:
        """Take it that nothing more comes of a source."""
        if reader.closed:
            return
        name, reader.listening = reader.source.name, False
        self._last_block.pop(name, None)  # it is over, not silent
        for observer in self._observers:
            observer.ended(name, error)
        self.publish(self.pipelines[name].finish())
        if isinstance(error, AstError):
            self._errors[name] = error
        elif error:
            raise error

    def _act(self) -> None:
        while not self._actions.empty():
            self.publish(self._actions.get()())

    def _take(self) -> None:
        """Turn all sound that has arrived into due windows; wait for some if none is due.

        As much as readers still hold, too: what a slow engine costs is windows, not live sound.
        Recordings wait instead when they have filled a batch.
        """
        until = self._clock() + TAKE_SECONDS
        wait = 0.0 if self._due else 0.2
        while self._clock() <= until:
            try:
                full = self._due.recorded >= MAX_BATCH
                reader, item = self._inbox.get(wait, live_only=full)
            except queue.Empty:
                return
            wait = 0.0
            if reader.closed:
                continue
            if isinstance(item, Ended):
                # Nothing comes after it, so nothing of it is dropped.
                self._due.put(self.pipelines[reader.source.name].flush(), droppable=False)
                self._ended.append((reader, item))
                continue
            reader.make_room()
            self._hear(item)

    def _hear(self, block: Block) -> None:
        for observer in self._observers:
            observer.heard(block)
        source, live = block.stream.source, block.stream.live
        if live:
            self._last_block[source] = self._clock()
        self._due.put(self.pipelines[source].feed(block), droppable=live)

    def _changed_health(self) -> dict[str, Health]:
        # Of one that has ended nothing is said any more: it would seem to listen again.
        sources = [reader.source for reader in self._readers.values() if reader.listening]
        found = {s.name: s.health for s in sources if isinstance(s, Monitored)}
        return {name: h for name, h in found.items() if h != self._health.get(name, OK)}

    def _tell_health(self, changed: dict[str, Health]) -> None:
        self._health |= changed
        for source, health in changed.items():
            for observer in self._observers:
                observer.health(source, health)

    def _infer(self) -> None:
        """Score one batch, so that sound is taken between two."""
        skipped: list[Window] = []
        batch = [] if self._stopping else self._due.take(partial(self._skip, skipped))
        self.skipped_windows += len(skipped)
        if skipped:
            self._tell_scored(skipped, 0.0)
        if not batch:
            return
        start = self._clock()
        bundle = self.pipelines[batch[0].stream.source].bundle
        scores = self._run(bundle, batch)
        seconds = self._clock() - start
        self._due.took(len(batch), seconds)
        # What has no scores was not looked at: the watchdog must know if nothing is any more.
        self._tell_scored(
            [w for w, usable in zip(batch, scores.usable, strict=True) if usable], seconds
        )
        self._count_unusable(bundle, int(np.count_nonzero(~scores.usable)))
        for window, found in zip(batch, scores.each(), strict=True):
            self.publish(self.pipelines[window.stream.source].score(window, *found))

    def _skip(self, skipped: list[Window], window: Window) -> bool:
        """Do without the engine if a window allows it."""
        pipeline = self.pipelines[window.stream.source]
        if not pipeline.may_skip(window):
            return False
        skipped.append(window)
        self.publish(pipeline.skip(window))
        return True

    def _tell_scored(self, windows: Sequence[Window], seconds: float) -> None:
        for observer in self._observers:
            observer.scored(windows, seconds, self.dropped_windows)

    def _run(self, bundle: Bundle, batch: Sequence[Window]) -> Scores:
        try:
            return self._engines[bundle.key].run(np.stack([window.fbank for window in batch]))
        except EngineError as exc:
            if not self._several:
                raise
            raise EngineError(f"bundle {bundle.name!r}: {exc}") from exc

    @property
    def _several(self) -> bool:
        """Whether there is more than one bundle, so that it must be said which is meant."""
        return len({pipeline.bundle.key for pipeline in self.pipelines.values()}) > 1

    def _count_unusable(self, bundle: Bundle, windows: int) -> None:
        if windows and not self.unusable[bundle.name]:
            log.error(
                "the engine's scores%s are no probabilities (NaN, perhaps): nothing is heard in "
                "such windows; further ones are counted",
                f" for {bundle.name!r}" if self._several else "",
            )
        self.unusable[bundle.name] += windows

    def _end_silent_events(self) -> None:
        now = self._clock()
        for source, last in list(self._last_block.items()):
            if now - last > SILENT_SECONDS and source not in self._due:
                del self._last_block[source]
                for observer in self._observers:
                    observer.silent(source)
                self.publish(self.pipelines[source].finish())
