"""A source that is read in a thread of its own."""

import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass

from ast_edge.audio.stream import Block, Monitored, Source
from ast_edge.base.errors import AstError
from ast_edge.base.worker import Worker
from ast_edge.sources.inbox import Inbox

log = logging.getLogger(__name__)

LIVE_BLOCKS = 300
"""Blocks of 100 ms of a live source that may wait for the daemon."""
RECORDED_BLOCKS = 64
"""The same of a recording, which then waits."""
CLOSE_TIMEOUT = 5.0
"""Seconds that a source waits for the one of the same name that it replaces."""


@dataclass(frozen=True)
class Ended:
    """A source's last word."""

    error: BaseException | None = None


Read = tuple["Reader", Block | Ended]
"""Who has read what."""


class Reader:
    """Moves a source's blocks to an inbox until it ends or is closed.

    So much may wait there of each source that no source has to wait for another, and that live
    sound is taken from its microphone also while a slow engine looks at a window. A source that
    heals is opened again after any fault, a bug as well; the error of another is its last word.
    """

    def __init__(self, source: Source, inbox: Inbox[Read], before: "Reader | None" = None) -> None:
        """Take the reader of the same name that it replaces, too: both may want one device."""
        self.source = source
        self.listening = True
        """Whether more may come; the reader of the inbox knows when nothing does."""
        self.closed = False
        """Whether what is left in the inbox is of no interest any more."""
        self._inbox, self._before = inbox, before
        self._blocks: Iterator[Block] | None = None
        self._live = True
        self._room: threading.Semaphore | None = None
        """For so many more blocks; this and what is above are known with the first."""
        self._thread = Worker(f"source {source.name}", self._next, self._put)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def close(self) -> None:
        """Stop to read; returns at once."""
        self.listening, self.closed = False, True
        self.source.close()

    def join(self, timeout: float) -> None:
        """Wait up to so many seconds for the end of the thread."""
        self._thread.join(timeout)

    def make_room(self) -> None:
        """Let one more block come, in place of one that was taken from the inbox."""
        if self._room:
            self._room.release()

    def _next(self) -> Block | None:
        """Wait for more sound; None is the end, which is said."""
        if self._before:
            self._before.join(CLOSE_TIMEOUT)
            self._before = None
        block: Block | None = None
        error: BaseException | None = None
        try:
            if self._blocks is None:
                self._blocks = self.source.blocks()
            block = None if self.closed else next(self._blocks, None)
            if block is not None:
                return block
        except AstError as exc:
            log.error("source %s has failed: %s", self.source.name, exc)
            error = exc
        except (
            BaseException
        ) as exc:  # a bug: the source is opened again, or the daemon ends with it
            if isinstance(self.source, Monitored) and not self.closed:
                raise
            error = exc
        finally:
            if block is None:
                self._blocks = None  # which closes what it has opened
        self._inbox.put((self, Ended(error)), live=self._live)
        return None

    def _put(self, block: Block) -> None:
        if self._room is None:
            self._live = block.stream.live
            self._room = threading.Semaphore(LIVE_BLOCKS if self._live else RECORDED_BLOCKS)
        while not self.closed:
            if self._room.acquire(timeout=0.2):
                self._inbox.put((self, block), live=self._live)
                return
