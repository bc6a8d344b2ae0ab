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

    What a source's windows give does not depend on what else is due. Those of one bundle go in one
    batch. Between bundles the one goes first whose sources have had the least of the engines' time,
    so that a slow one costs windows of its own sources only.
    """

    def __init__(self, bundle_of: Callable[[str], str] = lambda source: "") -> None:
        """Take what tells the name of the bundle that a source is listened to with."""
        self._bundle_of = bundle_of
        self.dropped: Counter[str] = Counter()
        """Windows of each source that were not looked at: the engine could not keep up."""
        self._due: dict[str, deque[Window]] = {}
        """The source whose turn it is first."""
        self._sizes: dict[str, int] = {}
        """Windows in the next batch of each bundle, at most; 1 before the first."""
        self._spent: dict[str, float] = {}
        """Seconds that each bundle has taken for each source, as if it had never paused."""
        self._now = 0.0
        """What the bundle of the newest batch had spent before it."""
        self._taken: tuple[str, int] = ("", 1)
        """Of the newest batch the bundle, and how many sources are in it."""

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
        for bundle in self._by_turn():
            if batch := self._take(bundle, skip):
                self._taken = (bundle, len({window.stream.source for window in batch}))
                return batch
        return []

    def took(self, windows: int, seconds: float) -> None:
        """Take note of what the engine took for the newest batch."""
        bundle, sources = self._taken
        fitting = int(BATCH_SECONDS * windows / seconds) if seconds > 0 else MAX_BATCH
        if seconds < BATCH_SECONDS:
            fitting = max(fitting, windows + 1)  # together they may cost less
        self._sizes[bundle] = max(1, min(fitting, MAX_BATCH))
        self._now = max(self._now, self._spent.get(bundle, 0.0))
        self._spent[bundle] = self._now + seconds / sources

    def _by_turn(self) -> list[str]:
        """Return the bundles for which windows wait; nothing is saved up while none do."""
        waiting = dict.fromkeys(map(self._bundle_of, self._due))
        return sorted(waiting, key=lambda bundle: max(self._now, self._spent.get(bundle, 0.0)))

    def _take(self, bundle: str, skip: Callable[[Window], bool]) -> list[Window]:
        """Return the next batch of a bundle."""
        batch: list[Window] = []
        turns = deque(source for source in self._due if self._bundle_of(source) == bundle)
        while turns and len(batch) < self._sizes.get(bundle, 1):
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

    def _pop(self, source: str) -> None:
        due = self._due.pop(source)
        due.popleft()
        if due:
            self._due[source] = due  # behind all others

    def _drop_oldest(self, due: deque[Window]) -> None:
        """Drop a due window; its hop is new sound to the one after it."""
        window = due.popleft()
        due[0] = replace(due[0], hop=window.hop + due[0].hop)
        source = window.stream.source
        self.dropped[source] += 1
        total = self.dropped.total()
        if total & (total - 1) == 0:  # 1, 2, 4, 8, ...
            log.warning(
                "the engine%s cannot keep up: %d windows dropped so far; use a longer hop, fewer "
                "sources or more threads",
                f" of {self._bundle_of(source)!r}" if len(self._spent) > 1 else "",
                total,
            )
