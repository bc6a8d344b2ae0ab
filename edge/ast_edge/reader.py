"""A source that is read in a thread of its own."""

import logging
import queue
import threading
from dataclasses import dataclass

from ast_edge.audio import Block, Source
from ast_edge.errors import AstError

log = logging.getLogger(__name__)

CLOSE_TIMEOUT = 5.0
"""Seconds that a source waits for the one of the same name that it replaces."""


@dataclass(frozen=True)
class Ended:
    """A source's last word."""

    error: BaseException | None = None


Inbox = queue.Queue["tuple[Reader, Block | Ended]"]
"""What several readers have read; bounded, so that they wait when nobody takes it."""


class Reader:
    """Moves a source's blocks to an inbox until it ends or is closed."""

    def __init__(self, source: Source, inbox: Inbox, before: "Reader | None" = None) -> None:
        """Take the reader of the same name that it replaces, too: both may want one device."""
        self.source = source
        self.listening = True
        """Whether more may come; the reader of the inbox knows when nothing does."""
        self.closed = False
        """Whether what is left in the inbox is of no interest any more."""
        self._inbox, self._before = inbox, before
        self._thread = threading.Thread(
            target=self._read, name=f"source {source.name}", daemon=True
        )

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

    def _read(self) -> None:
        error: BaseException | None = None
        if self._before:
            self._before.join(CLOSE_TIMEOUT)
            self._before = None
        try:
            for block in self.source.blocks():
                if not self._put(block):
                    return
        except AstError as exc:
            log.error("source %s has failed: %s", self.source.name, exc)
            error = exc
        except BaseException as exc:  # a bug: the daemon must end with it, not wait for the source
            error = exc
            raise
        finally:
            self._put(Ended(error))

    def _put(self, item: Block | Ended) -> bool:
        while not self.closed:
            try:
                self._inbox.put((self, item), timeout=0.2)
            except queue.Full:
                continue
            return True
        return False
