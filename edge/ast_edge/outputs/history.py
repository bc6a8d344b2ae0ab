"""The events of the past, in a small file that survives a restart."""

import contextlib
import json
import logging
import sqlite3
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ast_edge.base.errors import AstError, ConfigError
from ast_edge.base.mailbox import Mailbox
from ast_edge.base.state_database import Tables
from ast_edge.base.state_folder import SERVICE_FOLDER, state_folder
from ast_edge.detection.event import Event
from ast_edge.outputs.payload import event_json, interrupted_json

log = logging.getLogger(__name__)

SCHEMA = """
CREATE TABLE IF NOT EXISTS event (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,
    ended INTEGER NOT NULL, payload TEXT NOT NULL
);
"""
TABLES = Tables(format=1, schema=SCHEMA)
PUT = """
INSERT INTO event (id, ended, payload) VALUES (?, ?, ?)
ON CONFLICT (id) DO UPDATE SET ended = excluded.ended, payload = excluded.payload
"""
WAITING = 1000
"""Phases of events that may wait for the file; of more, the oldest are forgotten."""
RETRY_SECONDS = 60.0
"""Until a file that could not be used is tried again."""
CLOSE_TIMEOUT = 2.0
LOCK_TIMEOUT = 5.0

Json = dict[str, Any]


class History:
    """A sink that remembers the newest events, each as it was last published.

    All that touches the disk happens in a thread of its own. A file that cannot be used is said in
    one line of the log and tried again; it costs events of the history alone.
    """

    def __init__(self, path: Path, *, node: str, max_events: int) -> None:
        """Take the file; its folder need not exist."""
        self._path, self._max_events = path, max_events
        self._node = node
        self._waiting: deque[Event] = deque(maxlen=WAITING)
        """Filled by the daemon's thread, and emptied by ours."""
        self._taken: list[Event] = []
        """Those that are being written, or could not be."""
        self._asked = False
        """Whether `_write` is about to run."""
        self._database: sqlite3.Connection | None = None
        self._interrupted = False
        """Whether what was running when another process died has been ended."""
        self._faulty = False
        self._mailbox = Mailbox("history")
        self._mailbox.put(self._write)
        self._mailbox.start()

    def publish(self, event: Event) -> None:
        """Remember the event soon."""
        self._waiting.append(event)
        if not self._asked:
            self._asked = True
            self._mailbox.put(self._write)

    def close(self) -> None:
        """Write what waits; gives up after two seconds."""
        self._mailbox.close(self._finish, CLOSE_TIMEOUT)

    def _finish(self) -> None:
        self._write()
        if self._database:
            self._database.close()

    def _write(self) -> None:
        """Write all that waits, in one transaction."""
        self._asked = False  # before all is taken: what comes later asks again
        while self._waiting:
            self._taken.append(self._waiting.popleft())
        del self._taken[:-WAITING]
        try:
            if self._database is None:
                self._database = TABLES.open(self._path, lock_timeout=LOCK_TIMEOUT)
            if self._taken or not self._interrupted:
                with self._database:
                    self._put(self._database, self._taken)
        except (OSError, sqlite3.Error) as exc:
            self._fail(exc)
            return
        self._interrupted = True
        self._taken.clear()
        if self._faulty:
            self._faulty = False
            log.info("%s: can be used; events are remembered", self._path)

    def _put(self, database: sqlite3.Connection, events: list[Event]) -> None:
        if not self._interrupted:
            running = "SELECT number, payload FROM event WHERE NOT ended"
            for number, payload in database.execute(running).fetchall():
                end = "UPDATE event SET ended = 1, payload = ? WHERE number = ?"
                database.execute(end, (interrupted_json(payload), number))
        for event in events:
            payload = event_json(event, node=self._node)
            database.execute(PUT, (event.id, event.phase == "end", payload))
        oldest = "DELETE FROM event WHERE number <= (SELECT max(number) FROM event) - ?"
        database.execute(oldest, (self._max_events,))

    def _fail(self, fault: OSError | sqlite3.Error) -> None:
        if self._database:
            with contextlib.suppress(sqlite3.Error):
                self._database.close()
            self._database = None
        if not self._faulty:
            self._faulty = True
            why = getattr(fault, "strerror", None) or fault
            log.error("%s: cannot be used: %s; no history until it can", self._path, why)
            self._mailbox.put_later(RETRY_SECONDS, self._retry)

    def _retry(self) -> None:
        self._write()
        if self._faulty:
            self._mailbox.put_later(RETRY_SECONDS, self._retry)


def history_path(node: str) -> Path:
    """Return where the daemon of a node remembers its events.

    Raises:
        ConfigError: if the user has no home directory.
    """
    return state_folder() / f"history-{node}.sqlite"


def find_history(node: str | None) -> Path:
    """Return the one file that a daemon of this user, or the system's, has left or writes.

    Raises:
        AstError: there is none.
        ConfigError: there are several and none is named.
    """
    folders = dict.fromkeys([state_folder(), SERVICE_FOLDER])
    pattern = f"history-{node or '*'}.sqlite"
    found = {p.stem.removeprefix("history-"): p for f in folders for p in sorted(f.glob(pattern))}
    if len(found) > 1:
        raise ConfigError(f"there are several: choose one by --node {' or '.join(found)}")
    if not found:
        which = f" of the node {node!r}" if node else ""
        raise AstError(
            f"no history{which} in {' or '.join(map(str, folders))}: a daemon remembers its events "
            "unless `history: false`; the system's is root's to read"
        )
    return next(iter(found.values()))


def read_history(path: Path, count: int) -> list[Json]:
    """Return the newest events (their `event_payload`), the oldest of them first.

    Raises:
        AstError: the file cannot be read.
    """
    try:
        return list(_read(path, count))
    except (sqlite3.Error, ValueError) as exc:
        raise AstError(f"{path}: cannot be read: {exc}; is it another user's?") from exc


def _read(path: Path, count: int) -> Iterator[Json]:
    uri = f"file:{path.as_posix().replace('%', '%25').replace('?', '%3f').replace('#', '%23')}"
    database = sqlite3.connect(f"{uri}?mode=rw", uri=True, timeout=LOCK_TIMEOUT)
    with contextlib.closing(database):
        database.execute("PRAGMA query_only = 1")
        newest = "SELECT payload FROM event ORDER BY number DESC LIMIT ?"
        for (payload,) in reversed(database.execute(newest, (count,)).fetchall()):
            yield json.loads(payload)
