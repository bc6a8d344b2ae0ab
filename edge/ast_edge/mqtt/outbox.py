"""Events that wait for the broker's acknowledgement."""

import logging
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ast_edge.base.clock import CLOCK_JUMP, SINCE_BOOT
from ast_edge.base.state_folder import state_folder
from ast_edge.base.worker import Worker
from ast_edge.detection.event import Event
from ast_edge.mqtt.config import MqttConfig
from ast_edge.mqtt.outbox_store import OutboxStore
from ast_edge.outputs.payload import interrupted_json

log = logging.getLogger(__name__)

BATCH = 1000
"""Events that are read at once, at most."""
FIRST_PAUSE = 5.0
"""Seconds until a file that could not be used is tried again; the pause doubles every time."""
LONGEST_PAUSE = 300.0
"""Seconds between two attempts, at most."""
PATIENCE = 0.05
"""Seconds that `put` waits for another thread, which may be waiting for the disk."""
CHECKPOINT_ROWS = 500
"""Rows changed after which the log of changes (WAL) is written into the file: a few megabytes."""

RUNNING = "SELECT topic, payload FROM running ORDER BY rowid"

Result = TypeVar("Result")


@dataclass(frozen=True)
class Entry:
    """One event that waits."""

    number: int
    """Its place: later events have higher numbers."""
    topic: str
    payload: str
    age: float
    """Seconds since it was put."""


class Outbox:
    """Keeps events in order until they are removed, too many or too old.

    In a file they are kept as soon as `put` has returned, and survive the death of the process; a
    power cut may take those of the last half minute (`put` does not wait for the disk), but does
    not damage the rest. Events that were running when the process died are ended by the next one.
    A thread of its own waits for the disk; what is put meanwhile it takes in as soon as it can.

    A file that cannot be used, from the start or later (a full disk), is said in one line of the
    log, and events wait in memory. It is tried again until it can be written; then they go there.
    All methods may be called from any thread.

    Raises:
        ConfigError: another process uses the file.
    """

    def __init__(
        self,
        path: Path | None,
        *,
        max_age: float,
        max_events: int,
        wall: Callable[[], float] = time.time,
        steady: Callable[[], float] = SINCE_BOOT,
    ) -> None:
        """Keep events in a file, or in memory if there is no path.

        Ages are in seconds of the steady clock; over a restart, of the wall clock.
        """
        self.max_age = max_age
        self.expired = 0
        """Events given up because they were too old."""
        self.dropped = 0
        """Events given up because too many waited."""
        self._max_events = max_events
        self._wall, self._steady = wall, steady
        self._now = wall()
        """Time of the change under way; one reading, for the clock may be set meanwhile."""
        self._offset = self._now - steady()
        self._lock = threading.Lock()
        self._closed = False
        self._last = 0
        """Number of the newest event."""
        self._store = OutboxStore(path)
        self._coming: deque[tuple[Event, str, str]] = deque()
        """What was put and is not in the database yet."""
        self._checkpoint_at = CHECKPOINT_ROWS
        self._pause, self._retry_at = FIRST_PAUSE, 0.0
        self._wake = threading.Event()
        self._try_later()
        self._change(self._take_over)
        self._tender = Worker("outbox", self._rest, lambda _: self._tend())
        if path:
            self._tender.start()

    @property
    def durable(self) -> bool:
        """Whether events survive the death of the process."""
        return self._store.durable

    def __len__(self) -> int:
        (count,) = self._change(lambda db: db.execute("SELECT count(*) FROM event").fetchone())
        return int(count)

    def put(self, event: Event, topic: str, payload: str) -> None:
        """Keep an event as the newest; `payload` is its `event_json`."""
        self._coming.append((event, topic, payload))
        if self._lock.acquire(timeout=PATIENCE):
            try:
                self._take_in()
            finally:
                self._lock.release()

    def _take_in(self) -> None:
        """Put what has come into the database; the lock is held."""
        while self._coming:
            self._put(*self._coming.popleft())

    def _put(self, event: Event, topic: str, payload: str) -> None:
        def insert(database: sqlite3.Connection) -> tuple[int, int]:
            self._insert(database, topic, payload)
            if event.phase == "end":
                database.execute("DELETE FROM running WHERE id = ?", (event.id,))
            else:
                database.execute(
                    "INSERT INTO running VALUES (?, ?, ?) "
                    "ON CONFLICT (id) DO UPDATE SET payload = excluded.payload",
                    (event.id, topic, payload),
                )
            # Few are missing between the first number and the last: those on their way.
            first = self._last - self._max_events + 1
            dropped = database.execute("DELETE FROM event WHERE number < ?", (first,)).rowcount
            return self._expire(database), dropped

        expired, dropped = self._attempt(insert)
        self._count_expired(expired)
        self.dropped += dropped
        if _is_worth_a_line(self.dropped, dropped):
            log.warning(
                "MQTT: more than %d events wait: %d of the oldest dropped so far",
                *(self._max_events, self.dropped),
            )

    def after(self, number: int, limit: int) -> list[Entry]:
        """Return the first events whose number is higher, at most `limit`."""

        def select(database: sqlite3.Connection) -> tuple[int, list[Entry]]:
            expired = self._expire(database)
            rows = database.execute(
                "SELECT number, topic, payload, time FROM event "
                "WHERE number > ? ORDER BY number LIMIT ?",
                (number, limit),
            )
            now = self._now  # set back between two runs, it is before them
            return expired, [Entry(n, t, p, max(0.0, now - then)) for n, t, p, then in rows]

        expired, entries = self._change(select)
        self._count_expired(expired)
        return entries

    def waiting(self) -> Iterator[Entry]:
        """Yield all events that wait now, in order."""
        number = 0
        while entries := self.after(number, BATCH):
            yield from entries
            number = entries[-1].number

    def remove(self, number: int) -> bool:
        """Forget an event; return whether it was still there."""
        return self._change(
            lambda db: db.execute("DELETE FROM event WHERE number = ?", (number,)).rowcount == 1
        )

    def close(self) -> None:
        """Close the file; what waits in it is for the next run."""
        with self._lock:
            if self._closed:
                return
            self._take_in()
            self._closed = True
            self._wake.set()
            if self._store.stranded:
                self._store.return_to_file(self._take_from)
            self._store.close()

    def _take_over(self, database: sqlite3.Connection) -> None:
        """Go on where the last run has stopped, and end the events that it could not end."""
        count, self._last = database.execute(
            "SELECT count(*), coalesce(max(number), 0) FROM event"
        ).fetchone()
        running = database.execute(RUNNING).fetchall()
        for topic, payload in running:
            self._insert(database, topic, interrupted_json(payload))
        database.execute("DELETE FROM running")
        _say_taken_over(count + len(running))

    def _take_from(self, file: sqlite3.Connection) -> None:
        """Take what a file holds that is opened late, as the newest: others are on their way."""
        waiting = file.execute("SELECT time, topic, payload FROM event ORDER BY number").fetchall()
        running = file.execute(RUNNING).fetchall()

        def insert(database: sqlite3.Connection) -> None:
            for time_put, topic, payload in waiting:
                self._insert(database, topic, payload, time_put)
            for topic, payload in running:
                self._insert(database, topic, interrupted_json(payload))

        self._transact(insert)
        _say_taken_over(len(waiting) + len(running))

    def _insert(
        self,
        database: sqlite3.Connection,
        topic: str,
        payload: str,
        time_put: float | None = None,
    ) -> None:
        self._last += 1
        then = self._now if time_put is None else time_put
        database.execute(
            "INSERT INTO event VALUES (?, ?, ?, ?)", (self._last, then, topic, payload)
        )

    def _expire(self, database: sqlite3.Connection) -> int:
        oldest = self._now - self.max_age
        return database.execute("DELETE FROM event WHERE time < ?", (oldest,)).rowcount

    def _follow_clock(self, database: sqlite3.Connection) -> None:
        """Keep all ages when the wall clock is set, as it is on a board without one of its own."""
        self._now = self._wall()
        jump = self._now - self._steady() - self._offset
        if abs(jump) > CLOCK_JUMP:
            database.execute("UPDATE event SET time = time + ?", (jump,))
            self._offset += jump

    def _count_expired(self, expired: int) -> None:
        self.expired += expired
        if _is_worth_a_line(self.expired, expired):
            log.warning(
                "MQTT: %d events dropped so far that were older than %.0f s",
                *(self.expired, self.max_age),
            )

    def _change(self, action: Callable[[sqlite3.Connection], Result]) -> Result:
        """Do something as a whole or not at all, in memory if the file does not let us."""
        with self._lock:
            self._take_in()
            return self._attempt(action)

    def _attempt(self, action: Callable[[sqlite3.Connection], Result]) -> Result:
        before = self._last, self._offset
        try:
            return self._transact(action)
        except sqlite3.Error as exc:
            if not self.durable:
                raise
            self._store.leave_file(exc)
            self._pause = FIRST_PAUSE
            self._try_later()
        self._last, self._offset = before
        return self._transact(action)

    def _transact(self, action: Callable[[sqlite3.Connection], Result]) -> Result:
        with self._store.database as database:
            self._follow_clock(database)
            result = action(database)
        if self.durable and self._store.changes >= self._checkpoint_at:
            self._wake.set()
        return result

    def _try_later(self) -> None:
        """Look after the file in a while, also if no event comes meanwhile."""
        self._retry_at = time.monotonic() + self._pause
        self._wake.set()

    def _rest(self) -> bool | None:
        """Wait until there is something to do about the file; in a thread of its own."""
        if self._closed:
            return None
        pause = self._retry_at - time.monotonic() if self._store.stranded else None
        self._wake.wait(None if pause is None else max(0.0, pause))
        self._wake.clear()
        return True

    def _tend(self) -> None:
        with self._lock:
            if self._closed:
                return
            if self._store.stranded:
                if time.monotonic() < self._retry_at:
                    return
                self._store.return_to_file(self._take_from)
                self._pause = min(2 * self._pause, LONGEST_PAUSE)
                self._try_later()
            if self.durable and self._store.changes >= self._checkpoint_at:
                self._store.checkpoint()
                self._checkpoint_at = self._store.changes + CHECKPOINT_ROWS
            self._take_in()


def open_outbox(config: MqttConfig, node: str) -> Outbox:
    """Return the outbox that the configuration asks for; of the embedded broker's, in memory.

    Raises:
        ConfigError: another process uses the file, or there is no folder for it.
    """
    path = None
    if config.outbox.enabled and not config.embedded:
        path = state_folder() / f"outbox-{node}.sqlite"
    return Outbox(path, max_age=config.outbox.max_age, max_events=config.outbox.max_events)


def _is_worth_a_line(count: int, more: int) -> bool:
    """Tell whether `more` have taken `count` to the 1st, 2nd, 4th, 8th, ..."""
    return count.bit_length() > (count - more).bit_length()


def _say_taken_over(count: int) -> None:
    if count:
        log.info("MQTT: %d events of the last run are to be sent", count)
