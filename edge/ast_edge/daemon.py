"""The running system: sources in threads, one engine, events to all sinks."""

import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from ast_edge.audio import Block, Source
from ast_edge.engine import Engine
from ast_edge.errors import AstError
from ast_edge.events import Event
from ast_edge.listener import Window
from ast_edge.pipeline import Pipeline
from ast_edge.sink import Sink

log = logging.getLogger(__name__)

MAX_BATCH = 8
"""Windows scored at once."""
MAX_DUE = 4
"""Windows of one live source that may wait for the engine; then the oldest is dropped."""
SILENT_SECONDS = 5.0
"""A live source that has delivered nothing for so long has no running events any more."""


@dataclass(frozen=True)
class _Ended:
    """A source's last word."""

    source: str
    error: BaseException | None = None


class Observer(Protocol):
    """Is told what happens, in the daemon's thread."""

    def heard(self, block: Block) -> None:
        """Sound has arrived."""
        ...

    def silent(self, source: str) -> None:
        """A live source has delivered nothing for 5 s."""
        ...

    def ended(self, source: str, error: BaseException | None) -> None:
        """A source is over."""
        ...

    def scored(self, windows: Sequence[Window], seconds: float, dropped: int) -> None:
        """Windows were scored in so many seconds; so many were dropped since the start."""
        ...


class Daemon:
    """Runs until every source has ended or `stop` is called.

    Each source is read in a thread of its own, into one bounded queue. The caller's thread does all
    the rest. When the engine cannot keep up with live sound, the oldest due windows are dropped and
    counted; audio frames never are.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        pipelines: Mapping[str, Pipeline],
        engine: Engine,
        sinks: Sequence[Sink],
        clock: Callable[[], float] = time.monotonic,
        observers: Sequence[Observer] = (),
    ) -> None:
        """Take one pipeline for each source, by its name; both lists may grow until `run`."""
        self.dropped_windows = 0
        self._sources = {source.name: source for source in sources}
        self._pipelines = pipelines
        self._engine = engine
        self._sinks = sinks
        self._observers = observers
        self._clock = clock
        self._inbox: queue.Queue[Block | _Ended] = queue.Queue(maxsize=64)
        self._due: deque[Window] = deque()
        self._last_block: dict[str, float] = {}
        self._stopping = False
        self._actions: queue.SimpleQueue[Callable[[], list[Event]]] = queue.SimpleQueue()

    def run(self) -> None:
        """Listen, detect, publish.

        Raises:
            AstError: of the first source that could not be read, after all others have ended.
        """
        readers = [
            threading.Thread(target=self._read, args=(source,), name=f"source {name}", daemon=True)
            for name, source in self._sources.items()
        ]
        for reader in readers:
            reader.start()
        listening, errors = set(self._sources), list[AstError]()
        try:
            while listening and not self._stopping:
                ended = self._take()
                # Before the engine runs: while it does, blocks wait and a source only seems silent.
                self._end_silent_events()
                self._act()
                self._infer()
                for last in ended:
                    listening.discard(last.source)
                    for observer in self._observers:
                        observer.ended(last.source, last.error)
                    self._publish(self._pipelines[last.source].finish())
                    if isinstance(last.error, AstError):
                        errors.append(last.error)
                    elif last.error:
                        raise last.error
        finally:
            self.stop()
            for source in self._sources.values():
                source.close()
            for pipeline in self._pipelines.values():
                self._publish(pipeline.finish())
            for reader in readers:
                reader.join(timeout=2.0)
        if errors:
            raise errors[0]

    def stop(self) -> None:
        """Make `run` return within a second; safe in another thread and in a signal handler."""
        # Not a threading.Event: a handler that interrupts its lock would wait for itself.
        self._stopping = True

    def submit(self, action: Callable[[], list[Event]]) -> None:
        """Run an action in the thread of `run` and publish its events; safe in any thread."""
        self._actions.put(action)

    def _act(self) -> None:
        while not self._actions.empty():
            self._publish(self._actions.get()())

    def _read(self, source: Source) -> None:
        """Move a source's blocks to the inbox until it ends."""
        error: BaseException | None = None
        try:
            for block in source.blocks():
                if not self._put(block):
                    return
        except AstError as exc:
            log.error("source %s has failed: %s", source.name, exc)
            error = exc
        except BaseException as exc:  # a bug: `run` must end with it, not wait for the source
            error = exc
            raise
        finally:
            self._put(_Ended(source.name, error))

    def _put(self, item: Block | _Ended) -> bool:
        while not self._stopping:
            try:
                self._inbox.put(item, timeout=0.2)
            except queue.Full:
                continue
            return True
        return False

    def _take(self) -> list[_Ended]:
        """Turn all sound that has arrived into due windows; wait for some if there is none."""
        ended = []
        waiting = max(1, self._inbox.qsize())
        for _ in range(waiting):
            try:
                item = self._inbox.get(timeout=0.2)
            except queue.Empty:
                break
            if isinstance(item, _Ended):
                self._due.extend(self._pipelines[item.source].flush())  # nothing comes after it
                ended.append(item)
            else:
                for observer in self._observers:
                    observer.heard(item)
                if item.stream.live:
                    self._last_block[item.stream.source] = self._clock()
                self._enqueue(self._pipelines[item.stream.source].feed(item))
        return ended

    def _enqueue(self, windows: list[Window]) -> None:
        for window in windows:
            self._due.append(window)
            waiting = [w for w in self._due if w.stream.source == window.stream.source]
            if window.stream.live and len(waiting) > MAX_DUE:
                self._drop(waiting[0], before=waiting[1])

    def _drop(self, window: Window, before: Window) -> None:
        """Drop a due window; its hop is new sound to the one after it."""
        self._due[self._due.index(before)] = replace(before, hop=window.hop + before.hop)
        self._due.remove(window)
        self.dropped_windows += 1
        if self.dropped_windows & (self.dropped_windows - 1) == 0:  # 1, 2, 4, 8, ...
            log.warning(
                "the engine cannot keep up: %d windows dropped so far; use a longer hop, fewer "
                "sources or more threads",
                self.dropped_windows,
            )

    def _infer(self) -> None:
        while self._due and not self._stopping:
            batch = [self._due.popleft() for _ in range(min(MAX_BATCH, len(self._due)))]
            start = self._clock()
            scores = self._engine.run(np.stack([window.fbank for window in batch]))
            for observer in self._observers:
                observer.scored(batch, self._clock() - start, self.dropped_windows)
            for window, (clip, frame) in zip(batch, scores.each(), strict=True):
                pipeline = self._pipelines[window.stream.source]
                self._publish(pipeline.score(window, clip, frame))

    def _end_silent_events(self) -> None:
        now = self._clock()
        for source, last in list(self._last_block.items()):
            if now - last > SILENT_SECONDS:
                del self._last_block[source]
                for observer in self._observers:
                    observer.silent(source)
                self._publish(self._pipelines[source].finish())

    def _publish(self, events: list[Event]) -> None:
        for event in events:
            for sink in self._sinks:
                sink.publish(event)
