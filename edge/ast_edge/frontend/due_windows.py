"""The windows that wait for the engine, and which of them it looks at next."""

import logging
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import replace

from ast_edge.frontend.listener import Window

log = logging.getLogger(__name__)

MAX_BATCH = 8
"""Windows scored at once."""
BATCH_SECONDS = 1.0
"""A batch should take no longer, by what the one before took for each window."""
MAX_DUE = 4
"""Windows of one live source that may wait for the engine; then the oldest is dropped."""


class DueWindows:
    """Windows of each source, oldest first; sources take turns.

    What a source's windows give does not depend on what else is due.
    """

    def __init__(self) -> None:
        self.dropped: Counter[str] = Counter()
        """Windows of each source that were not looked at: the engine could not keep up."""
        self._due: dict[str, deque[Window]] = {}
        """The source whose turn it is first."""
        self._size = 1
        """Windows in the next batch, at most."""

    def __bool__(self) -> bool:
        """Tell whether any window waits."""
        return bool(self._due)

    def __contains__(self, source: str) -> bool:
        """Tell whether a window of a source waits."""
        return source in self._due

    @property
    def recorded(self) -> int:
        """Windows of recordings."""
        return sum(len(due) for due in self._due.values() if not due[0].stream.live)

    def put(self, windows: Sequence[Window], *, droppable: bool) -> None:
        """Let more windows of a source wait; if there are too many, the oldest is dropped."""
        for window in windows:
            due = self._due.setdefault(window.stream.source, deque())
            due.append(window)
            if droppable and len(due) > MAX_DUE:
                self._drop_oldest(due)

    def forget(self, source: str) -> None:
        """Let go of all windows of a source."""
        self._due.pop(source, None)

    def take(self, skip: Callable[[Window], bool]) -> list[Window]:
        """Return the next batch.

        `skip` does without the engine, if that can be, for a window that may not need it. Whether
        it can depends on all windows before, so it is asked when these have been scored. A live
        source has one window in a batch: while it is looked at, sound arrives.
        """
        batch: list[Window] = []
        turns = deque(self._due)
        while turns and len(batch) < self._size:
            source = turns.popleft()
            window = self._due[source][0]
            in_batch = any(taken.stream.source == source for taken in batch)
            if in_batch and (window.stream.live or window.quiet or window.idle):
                continue
            self._pop(source)
            if source in self._due:
                turns.append(source)
            if not ((window.quiet or window.idle) and skip(window)):
                batch.append(window)
        return batch

    def took(self, windows: int, seconds: float) -> None:
        """Take note of what the engine took for a batch."""
        fitting = int(BATCH_SECONDS * windows / seconds) if seconds > 0 else MAX_BATCH
        if seconds < BATCH_SECONDS:
            fitting = max(fitting, windows + 1)  # together they may cost less
        self._size = max(1, min(fitting, MAX_BATCH))

    def _pop(self, source: str) -> None:
        due = self._due.pop(source)
        due.popleft()
        if due:
            self._due[source] = due  # behind all others

    def _drop_oldest(self, due: deque[Window]) -> None:
        """Drop a due window; its hop is new sound to the one after it."""
        window = due.popleft()
        due[0] = replace(due[0], hop=window.hop + due[0].hop)
        self.dropped[window.stream.source] += 1
        total = self.dropped.total()
        if total & (total - 1) == 0:  # 1, 2, 4, 8, ...
            log.warning(
                "the engine cannot keep up: %d windows dropped so far; use a longer hop, fewer "
                "sources or more threads",
                total,
            )
