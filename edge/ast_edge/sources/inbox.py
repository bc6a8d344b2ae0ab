"""What several threads hand to one: live sound first, recordings when there is time for them."""

import queue
import threading
from collections import deque
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Inbox(Generic[Item]):
    """Two queues, each in the order in which its items came; any threads put, one gets.

    It is for those who put to put in only so much.
    """

    def __init__(self) -> None:
        self._live: deque[Item] = deque()
        self._recorded: deque[Item] = deque()
        self._ready = threading.Semaphore(0)
        """Never more than there are items, but for the moment of a `get`."""

    def __len__(self) -> int:
        """Count what waits."""
        return len(self._live) + len(self._recorded)

    def put(self, item: Item, *, live: bool) -> None:
        """Put in one more; returns at once."""
        (self._live if live else self._recorded).append(item)
        self._ready.release()

    def get(self, timeout: float, *, live_only: bool = False) -> Item:
        """Return the next item; what is recorded only if nothing live is there.

        Raises:
            queue.Empty: nothing came in so many seconds; with `live_only` it is not waited for.
        """
        if not self._ready.acquire(timeout=0.0 if live_only else timeout):
            raise queue.Empty
        if self._live:
            return self._live.popleft()
        if live_only:
            self._ready.release()
            raise queue.Empty
        return self._recorded.popleft()
