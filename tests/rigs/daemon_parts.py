"""Parts of a daemon whose doings are known: sources that are lists, an engine, a sink."""

import threading
from collections.abc import Callable, Iterator

import numpy as np
from rigs.model import RATE, scores

from ast_edge.audio.stream import Block, Stream
from ast_edge.engines.engine import Scores

TIMEOUT = 20.0


class ListSource:
    """Yield each array as a stream of its own, 100 ms a block; then wait, fail or end."""

    def __init__(self, name, *streams, live=False, endless=False, error=None):
        self.name = name
        self.exhausted = threading.Event()
        self.closed = threading.Event()
        self._streams = streams
        self._live = live
        self._endless = endless
        self._error = error

    def blocks(self) -> Iterator[Block]:
        for samples in self._streams:
            stream = Stream(self.name, RATE, 1, started_at=0.0, live=self._live)
            for start in range(0, len(samples), RATE // 10):
                yield Block(stream, start, samples[start : start + RATE // 10, np.newaxis])
        self.exhausted.set()
        if self._endless:
            assert self.closed.wait(TIMEOUT), "was never closed"
        if self._error:
            raise self._error

    def close(self) -> None:
        self.closed.set()


class NumpyEngine:
    """Score as the tiny model does; call `before` first."""

    name, description = "numpy", "NumPy"

    def __init__(self, before: Callable[[], object] = lambda: None) -> None:
        self.batches: list[int] = []
        self.seen: list[np.ndarray] = []
        self._before = before

    def run(self, fbank):
        self._before()
        self.batches.append(len(fbank))
        self.seen += list(fbank)
        return Scores(scores(fbank).astype(np.float32))


class ListSink:
    def __init__(self):
        self.events = []

    def publish(self, event):
        self.events.append(event)

    def close(self):
        pass

    def lives(self, source=None):
        return [(e.phase, e.label.name) for e in self.events if source in (None, e.source)]


class Running:
    """A daemon in a thread; on leaving it is stopped and must end."""

    def __init__(self, daemon):
        self._daemon = daemon
        self._thread = threading.Thread(target=daemon.run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._daemon.stop()
        self._thread.join(TIMEOUT)
        assert not self._thread.is_alive(), "the daemon does not stop"
