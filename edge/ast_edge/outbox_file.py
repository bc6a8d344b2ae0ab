"""The SQLite database in which an outbox keeps its events."""

import logging
import sqlite3
from pathlib import Path

from ast_edge.errors import ConfigError

log = logging.getLogger(__name__)

FORMAT = 1
"""Raised when the tables change; a file of another format is put aside."""
TABLES = {"event": "number, time, topic, payload", "running": "id, topic, payload"}
SCHEMA = f"""
CREATE TABLE IF NOT EXISTS event (
    number INTEGER PRIMARY KEY, time REAL NOT NULL, topic TEXT NOT NULL, payload TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS event_time ON event (time);
CREATE TABLE IF NOT EXISTS running (
    id TEXT PRIMARY KEY, topic TEXT NOT NULL, payload TEXT NOT NULL
);
PRAGMA user_version = {FORMAT};
"""
LOCK_TIMEOUT = 1.0
"""Seconds to wait for a daemon that is about to end."""


def open_memory() -> sqlite3.Connection:
    """Return an empty database in memory."""
    database = sqlite3.connect(":memory:", check_same_thread=False)
    database.executescript(SCHEMA)
    return database


def open_file(path: Path) -> sqlite3.Connection | None:
    """Return the database in a file, which is made if need be; None if it cannot be used.

    A damaged file is moved aside. Either fault is said in one line of the log.

    Raises:
        ConfigError: another process uses the file.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            return _open(path)
        except sqlite3.OperationalError as exc:
            if "locked" in str(exc):
                raise ConfigError(
                    f"{path}: is in use: another ast-edge with the same node is running; stop it, "
                    "or give each its own `node`"
                ) from exc
            raise
        except sqlite3.DatabaseError as exc:
            aside = path.with_name(path.name + ".damaged")
            log.error("%s: is damaged (%s); moved to %s; events in it are lost", path, exc, aside)
            for suffix in ("-wal", ""):
                part = path.with_name(path.name + suffix)
                if part.exists():
                    part.replace(aside.with_name(aside.name + suffix))
            return _open(path)
    except (sqlite3.Error, OSError) as exc:
        fault = getattr(exc, "strerror", None) or exc
        log.error("%s: cannot be used: %s; events wait in memory", path, fault)
        return None


def copy_rows(source: sqlite3.Connection, target: sqlite3.Connection) -> None:
    """Make the tables of `target` those of `source`."""
    with target:
        for table, columns in TABLES.items():
            target.execute(f"DELETE FROM {table}")
            marks = ", ".join("?" for _ in columns.split())
            rows = source.execute(f"SELECT {columns} FROM {table} ORDER BY rowid")
            target.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", rows)


def _open(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, timeout=LOCK_TIMEOUT, check_same_thread=False)
    try:
        # Ours alone until we end, even by kill -9.
        database.execute("PRAGMA locking_mode = EXCLUSIVE")
        # A commit is with the kernel when it returns, and survives this process. Waiting for the
        # disk would save the last seconds before a power cut, but stall and wear out SD cards.
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        (found,) = database.execute("PRAGMA user_version").fetchone()
        if found not in (0, FORMAT):
            raise sqlite3.DatabaseError(f"expected format {FORMAT}, got {found}")
        (verdict,) = database.execute("PRAGMA quick_check(1)").fetchone()
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)
        database.executescript(SCHEMA)
    except BaseException:
        database.close()
        raise
    return database
