"""What a run knows so far, in a file that survives `kill -9`."""

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ast_edge.archive.ear import Heard
from ast_edge.archive.errors import ArchiveError, ArchiveStorageError
from ast_edge.archive.fingerprint import Fingerprint
from ast_edge.archive.recordings import shown_path
from ast_edge.archive.worker import EventRow
from ast_edge.base.state_database import Tables

_SCHEMA = """
CREATE TABLE IF NOT EXISTS file (
    id INTEGER PRIMARY KEY, path BLOB NOT NULL UNIQUE, name TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'new', listed INTEGER NOT NULL DEFAULT 1,
    size INTEGER, mtime_ns INTEGER, sample_rate INTEGER, channels INTEGER,
    seconds REAL, started_at REAL, damage TEXT, kind TEXT, reason TEXT
);
CREATE INDEX IF NOT EXISTS by_name ON file (name, path);
CREATE TABLE IF NOT EXISTS stretch (
    file INTEGER NOT NULL, number INTEGER NOT NULL, last INTEGER NOT NULL, stretches INTEGER,
    best BLOB, evidence BLOB, times BLOB, scores BLOB, embeddings BLOB,
    PRIMARY KEY (file, number)
);
CREATE TABLE IF NOT EXISTS event (
    file INTEGER NOT NULL, number INTEGER NOT NULL,
    label INTEGER NOT NULL, onset REAL NOT NULL, offset REAL NOT NULL, peak REAL NOT NULL,
    PRIMARY KEY (file, number)
) WITHOUT ROWID;
"""
_TABLES = Tables(format=1, schema=_SCHEMA, exclusive=True)
_LOCK_TIMEOUT = 2.0
_PAGE = 1000
"""Recordings that are read or put at once."""


@dataclass(frozen=True)
class Progress:
    """Which stretches of a recording have been heard."""

    numbers: frozenset[int]
    stretches: int | None
    """How many there are, where that is known."""
    last: int | None
    """The one in which the recording ends, if it has been heard."""

    @property
    def is_complete(self) -> bool:
        """Whether nothing is missing up to the end of the recording."""
        return self.last is not None and self.numbers.issuperset(range(self.last + 1))

    @property
    def missing(self) -> list[int]:
        """The stretches to hear; of a recording that is read to its end the first only."""
        if self.is_complete:
            return []
        if self.stretches is None:
            return [next(n for n in range(len(self.numbers) + 1) if n not in self.numbers)]
        end = self.stretches if self.last is None else self.last
        return [number for number in range(end) if number not in self.numbers]


@dataclass(frozen=True, eq=False)
class Recording:
    """A recording that is done."""

    id: int
    name: str
    size: int
    sample_rate: int
    channels: int
    seconds: float
    started_at: float | None
    damage: str | None


class Journal:
    """The recordings of one shard, what has been heard in them, and what was wrong with them.

    One process has it alone. All that is put together is there together, or not at all.
    """

    def __init__(self, path: Path) -> None:
        """Open it, or begin it.

        Raises:
            ArchiveError: another run has it open.
            ArchiveStorageError: it cannot be read or written.
        """
        self.path = path
        with self._faults():
            self._database = _TABLES.open(path, lock_timeout=_LOCK_TIMEOUT)
            with self._database:  # the lock is taken by the first change
                self._database.execute("UPDATE file SET listed = 0")

    def close(self) -> None:
        """Let go of it."""
        self._database.close()

    @property
    def is_new(self) -> bool:
        """Whether there is no recording in it."""
        return bool(self._one("SELECT NOT EXISTS (SELECT 1 FROM file)"))

    def enlist(self, paths: Iterable[bytes]) -> None:
        """Put down what this run is about; what is known of a recording stays."""
        put = (
            "INSERT INTO file (path, name) VALUES (?, ?) "
            "ON CONFLICT (path) DO UPDATE SET listed = 1"
        )
        waiting: list[tuple[bytes, str]] = []
        for path in paths:
            waiting.append((path, shown_path(path)))
            if len(waiting) == _PAGE:
                self._put_many(put, waiting)
                waiting.clear()
        self._put_many(put, waiting)

    def begin_again(self, path: bytes) -> None:
        """Forget all that was heard in a recording."""
        with self._faults(), self._database:
            self._forget(self._id(path))

    def to_check(self) -> Iterator[tuple[bytes, Fingerprint]]:
        """Yield the listed recordings in which something has been heard, as they were."""
        for path, size, mtime_ns in self._walk("path, size, mtime_ns", "listed AND size NOT NULL"):
            yield bytes(path), Fingerprint(size, mtime_ns)

    def to_do(self) -> Iterator[bytes]:
        """Yield the listed recordings that are not done, in order; failed ones are tried again."""
        for (path,) in self._walk("path", "listed AND state != 'done'"):
            yield bytes(path)

    def count(self, state: str) -> int:
        """Count the listed recordings in a state: new, done or failed."""
        return int(self._one("SELECT count(*) FROM file WHERE listed AND state = ?", state))

    def progress(self, path: bytes) -> Progress:
        """Return what has been heard of a recording."""
        rows = self._rows(
            "SELECT number, last, stretches FROM stretch WHERE file = ?", self._id(path)
        )
        last = min((number for number, last, _ in rows if last), default=None)
        known = next((stretches for *_, stretches in rows if stretches is not None), None)
        return Progress(frozenset(number for number, *_ in rows), known, last)

    def put_stretch(self, path: bytes, heard: Heard, started_at: float | None) -> bool:
        """Put down what was heard; tell whether the recording is still the one it was."""
        file, now = self._id(path), heard.fingerprint
        with self._faults(), self._database:
            (size, mtime_ns) = self._row("SELECT size, mtime_ns FROM file WHERE id = ?", file)
            if size is not None and Fingerprint(size, mtime_ns) != now:
                return False
            about = (now.size, now.mtime_ns, heard.sample_rate, heard.channels, started_at)
            self._database.execute(
                "UPDATE file SET size = ?, mtime_ns = ?, sample_rate = ?, channels = ?, "
                "started_at = ? WHERE id = ?",
                (*about, file),
            )
            if heard.last:
                self._database.execute(
                    "UPDATE file SET seconds = ?, damage = ? WHERE id = ?",
                    (heard.seconds, heard.damage, file),
                )
            arrays = (heard.times, heard.scores, heard.embeddings)
            self._database.execute(
                "INSERT OR REPLACE INTO stretch VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(file, heard.number, heard.last, heard.stretches),
                    *(heard.best.tobytes(), heard.evidence),
                    *(array.tobytes() for array in arrays),
                ),
            )
        return True

    def evidence(self, path: bytes) -> tuple[bytes, ...]:
        """Return that of all stretches of a recording, in order."""
        rows = self._rows(
            "SELECT evidence FROM stretch WHERE file = ? ORDER BY number", self._id(path)
        )
        return tuple(bytes(evidence) for (evidence,) in rows)

    def put_done(self, path: bytes, events: Iterable[EventRow]) -> None:
        """Put down the events of a recording of which all is known."""
        file, last = self._id(path), self.progress(path).last
        with self._faults(), self._database:
            # Behind where the recording ends, another worker has heard the same end.
            self._database.execute(
                "DELETE FROM stretch WHERE file = ? AND number > ?", (file, last)
            )
            self._database.execute("UPDATE stretch SET evidence = NULL WHERE file = ?", (file,))
            self._database.execute("DELETE FROM event WHERE file = ?", (file,))
            self._database.executemany(
                "INSERT INTO event VALUES (?, ?, ?, ?, ?, ?)",
                ((file, number, *row) for number, row in enumerate(events)),
            )
            self._set_state(file, "done", None, None)

    def put_failed(self, path: bytes, kind: str, reason: str) -> None:
        """Put down why a recording cannot be heard; what was heard in it is forgotten."""
        file = self._id(path)
        with self._faults(), self._database:
            self._forget(file)
            self._set_state(file, "failed", kind, reason)

    def done(self) -> Iterator[Recording]:
        """Yield all recordings that are done, also those that are not listed, by name."""
        columns = "id, name, size, sample_rate, channels, seconds, started_at, damage"
        for row in self._walk(columns, "state = 'done'"):
            yield Recording(*row)

    def failed(self) -> Iterator[tuple[str, str, str]]:
        """Yield name, kind and reason of those that failed or are damaged, by name."""
        columns = "name, coalesce(kind, 'damaged'), coalesce(reason, damage)"
        yield from self._walk(columns, "(state = 'failed' OR (state = 'done' AND damage NOT NULL))")

    def events(self, recording: Recording) -> list[EventRow]:
        """Return the events of a recording, by onset."""
        found: list[EventRow] = self._rows(
            "SELECT label, onset, offset, peak FROM event WHERE file = ? ORDER BY number",
            recording.id,
        )
        return found

    def best(self, recording: Recording) -> NDArray[np.float32]:
        """Return the highest probability (labels,) of each label in a recording."""
        rows = self._rows("SELECT best FROM stretch WHERE file = ?", recording.id)
        found: NDArray[np.float32] = np.max([np.frombuffer(b, np.float32) for (b,) in rows], axis=0)
        return found

    def windows(
        self, recording: Recording, column: str
    ) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float32]]]:
        """Yield times (windows, 2) and scores or embeddings (windows, n), a stretch at a time."""
        assert column in ("scores", "embeddings")
        for number in self._rows(
            "SELECT number FROM stretch WHERE file = ? ORDER BY number", recording.id
        ):
            times, values = self._row(
                f"SELECT times, {column} FROM stretch WHERE file = ? AND number = ?",
                *(recording.id, *number),
            )
            pairs = np.frombuffer(times, np.float64).reshape(-1, 2)
            if len(pairs):
                yield pairs, np.frombuffer(values, np.float32).reshape(len(pairs), -1)

    def _forget(self, file: int) -> None:
        for table in ("stretch", "event"):
            self._database.execute(f"DELETE FROM {table} WHERE file = ?", (file,))
        self._database.execute(
            "UPDATE file SET state = 'new', size = NULL, mtime_ns = NULL, seconds = NULL, "
            "damage = NULL, kind = NULL, reason = NULL WHERE id = ?",
            (file,),
        )

    def _set_state(self, file: int, state: str, kind: str | None, reason: str | None) -> None:
        self._database.execute(
            "UPDATE file SET state = ?, kind = ?, reason = ? WHERE id = ?",
            (state, kind, reason, file),
        )

    def _walk(self, columns: str, where: str) -> Iterator[Any]:
        """Yield columns of recordings by name, not all of them in memory; they may change."""
        after: tuple[object, ...] = ("", b"")
        while True:
            page = self._rows(
                f"SELECT name, path, {columns} FROM file WHERE {where} AND (name, path) > (?, ?) "
                f"ORDER BY name, path LIMIT {_PAGE}",
                *after,
            )
            for _, _, *row in page:
                yield row
            if len(page) < _PAGE:
                return
            after = tuple(page[-1][:2])

    def _put_many(self, statement: str, rows: list[tuple[bytes, str]]) -> None:
        with self._faults(), self._database:
            self._database.executemany(statement, rows)

    def _id(self, path: bytes) -> int:
        return int(self._one("SELECT id FROM file WHERE path = ?", path))

    def _one(self, query: str, *values: object) -> Any:  # noqa: ANN401 (of SQL)
        return self._row(query, *values)[0]

    def _row(self, query: str, *values: object) -> Any:  # noqa: ANN401
        with self._faults():
            return self._database.execute(query, values).fetchone()

    def _rows(self, query: str, *values: object) -> list[Any]:
        with self._faults():
            return self._database.execute(query, values).fetchall()

    @contextlib.contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as exc:
            if "locked" in str(exc):
                raise ArchiveError(
                    f"{self.path}: another run is at work here; wait for it, or name another "
                    "folder by --out (another part of the same archive: --shard)"
                ) from exc
            raise self._storage_error(exc) from exc
        except (OSError, sqlite3.Error) as exc:
            raise self._storage_error(exc) from exc

    def _storage_error(self, exc: Exception) -> ArchiveStorageError:
        return ArchiveStorageError(
            f"{self.path}: cannot be written or read: {exc}; what was heard before is kept: make "
            "room and go on with --resume"
        )
