"""The SQLite database in which an outbox keeps its events: a file, or memory for want of one."""

import contextlib
import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path

from ast_edge.base.errors import ConfigError
from ast_edge.base.state_database import Tables

log = logging.getLogger(__name__)

COLUMNS = {"event": "number, time, topic, payload", "running": "id, topic, payload"}
SCHEMA = """
CREATE TABLE IF NOT EXISTS event (
    number INTEGER PRIMARY KEY, time REAL NOT NULL, topic TEXT NOT NULL, payload TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS event_time ON event (time);
CREATE TABLE IF NOT EXISTS running (
    id TEXT PRIMARY KEY, topic TEXT NOT NULL, payload TEXT NOT NULL
);
"""
TABLES = Tables(format=1, schema=SCHEMA, exclusive=True)
LOCK_TIMEOUT = 1.0
"""Seconds to wait for a daemon that is about to end."""


class OutboxStore:
    """A database in a file, and in memory without a path or while the file cannot be used.

    Raises:
        ConfigError: another process uses the file.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._file: sqlite3.Connection | None = None
        """None until it could be opened; not in use while it cannot be written."""
        if path:
            try:
                self._file = open_file(path)
            except (OSError, sqlite3.Error) as exc:
                self._say_unusable(exc)
        self.database = self._file or open_memory()
        """The one that is in use."""

    @property
    def durable(self) -> bool:
        """Whether the file is in use."""
        return self.database is self._file

    @property
    def stranded(self) -> bool:
        """Whether the file should be in use, but cannot."""
        return self._path is not None and not self.durable

    @property
    def changes(self) -> int:
        """Rows that were changed in the database that is in use, so far."""
        return self.database.total_changes

    def checkpoint(self) -> None:
        """Write the log of changes into the file, and begin the log anew; waits for the disk."""
        try:
            self.database.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            # The first change after a checkpoint waits for the disk: this is it.
            self.database.execute(f"PRAGMA user_version = {TABLES.format}")
        except sqlite3.Error as exc:  # the log goes on, and says so itself when it cannot
            log.debug("%s: no checkpoint: %s", self._path, exc)

    def leave_file(self, fault: sqlite3.Error) -> None:
        """Go on in memory with all that can be read."""
        memory = open_memory()
        with contextlib.suppress(sqlite3.Error):  # what cannot be read is lost
            copy_rows(self.database, memory)
        self.database = memory
        self._say_unusable(fault)

    def return_to_file(self, take_from: Callable[[sqlite3.Connection], None]) -> None:
        """Go (back) to the file if it can be written by now; whether, `stranded` tells.

        Args:
            take_from: takes into the database of now what a file holds that could not be opened
                before.
        """
        assert self._path
        try:
            if self._file is None:
                file = open_file(self._path)
                with contextlib.ExitStack() as opened:
                    opened.callback(file.close)
                    take_from(file)
                    opened.pop_all()
                self._file = file
            copy_rows(self.database, self._file)
        except (OSError, sqlite3.Error) as exc:
            log.debug("%s: still cannot be used: %s", self._path, exc)
        except ConfigError as exc:  # another daemon has been faster
            log.error("%s", exc)
        else:
            self.database.close()
            self.database = self._file
            log.info("%s: can be used; events are kept in it", self._path)

    def close(self) -> None:
        """Close the file; what waits in memory is lost, and counted in the log."""
        if self.stranded:
            (count,) = self.database.execute("SELECT count(*) FROM event").fetchone()
            if count:
                log.error("%s: %d events were not written", self._path, count)
            if self._file:
                self._file.close()
        self.database.close()

    def _say_unusable(self, fault: sqlite3.Error | OSError) -> None:
        why = getattr(fault, "strerror", None) or fault
        log.error("%s: cannot be used: %s; events wait in memory until it can", self._path, why)


def open_memory() -> sqlite3.Connection:
    """Return an empty database in memory."""
    database = sqlite3.connect(":memory:", check_same_thread=False)
    database.executescript(SCHEMA)
    return database


def open_file(path: Path) -> sqlite3.Connection:
    """Return the database in a file, which is made if need be.

    Raises:
        ConfigError: another process uses the file.
        OSError, sqlite3.Error: it cannot be made or written.
    """
    try:
        database = TABLES.open(path, lock_timeout=LOCK_TIMEOUT)
    except sqlite3.OperationalError as exc:
        if "locked" in str(exc):
            raise ConfigError(
                f"{path}: is in use: another ast-edge with the same node is running; stop it, "
                "or give each its own `node`"
            ) from exc
        raise
    database.execute("PRAGMA wal_autocheckpoint = 0")  # by whoever may wait for the disk
    return database


def copy_rows(source: sqlite3.Connection, target: sqlite3.Connection) -> None:
    """Make the tables of `target` those of `source`."""
    with target:
        for table, columns in COLUMNS.items():
            target.execute(f"DELETE FROM {table}")
            marks = ", ".join("?" for _ in columns.split())
            rows = source.execute(f"SELECT {columns} FROM {table} ORDER BY rowid")
            target.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", rows)
