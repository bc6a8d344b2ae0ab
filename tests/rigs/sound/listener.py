"""A thread that runs a source, as the daemon does, and keeps what it hears."""

import threading
from collections.abc import Callable
from types import TracebackType

import numpy as np

from ast_edge.audio.stream import Block, Source, Stream

_TIMEOUT = 30.0


class Listener:
    """Collect the blocks of a source until the end of the `with` block, which closes the source."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._listen)
        self.blocks: list[Block] = []
        self.ended = False

    def __enter__(self) -> "Listener":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._source.close()
        self._thread.join(_TIMEOUT)
        assert not self._thread.is_alive(), "the source goes on after close"

    @property
    def streams(self) -> list[Stream]:
        """The streams heard so far, in order."""
        return list(dict.fromkeys(block.stream for block in list(self.blocks)))

    def samples(self, stream: Stream) -> np.ndarray:
        """All samples of one stream."""
        return np.concatenate([b.samples for b in list(self.blocks) if b.stream is stream])

    def wait(self, condition: Callable[["Listener"], object], timeout: float = _TIMEOUT) -> None:
        """Wait until `condition` holds; it is asked again after every block and at the end."""
        with self._changed:
            held = self._changed.wait_for(lambda: condition(self), timeout)
        assert held, f"not so within {timeout} s ({len(self.blocks)} blocks so far)"

    def wait_for_streams(self, count: int) -> None:
        """Wait until so many streams have begun."""
        self.wait(lambda self: len(self.streams) >= count)

    def _listen(self) -> None:
        for block in self._source.blocks():
            with self._changed:
                self.blocks.append(block)
                self._changed.notify_all()
        with self._changed:
            self.ended = True
            self._changed.notify_all()
