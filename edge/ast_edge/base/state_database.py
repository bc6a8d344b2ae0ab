"""A small SQLite database in a file: opened, checked, and put aside when it is damaged."""

import logging
import sqlite3
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Tables:
    """What a database holds."""

    format: int
    """Raised when the tables change; a file of another format is put aside."""
    schema: str
    """SQL that makes what is not there."""
    exclusive: bool = False
    """One process has the file alone until it ends, even by kill -9; else others may read."""

    def open(self, path: Path, *, lock_timeout: float) -> sqlite3.Connection:
        """Open the database in a file, which is made if need be, for any thread.

        A damaged file is moved aside, which is said in one line of the log.

        Args:
            path: the file; its folder need not exist.
            lock_timeout: seconds to wait for another process that uses it.

        Raises:
            OSError, sqlite3.Error: if it cannot be made or written, or stays locked.
        """
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            return self._connect(path, lock_timeout)
        except sqlite3.OperationalError:
            raise  # of the disk, or of another process: the file is well
        except sqlite3.DatabaseError as exc:
            aside = _put_aside(path)
            log.error("%s: is damaged (%s); moved to %s; events in it are lost", path, exc, aside)
            return self._connect(path, lock_timeout)

    def _connect(self, path: Path, lock_timeout: float) -> sqlite3.Connection:
        database = sqlite3.connect(path, timeout=lock_timeout, check_same_thread=False)
        try:
            if self.exclusive:
                database.execute("PRAGMA locking_mode = EXCLUSIVE")
            # A commit is with the kernel when it returns, and survives this process. Waiting for
            # the disk would save the last seconds before a power cut, but stall and wear out SD
            # cards.
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = NORMAL")
            (found,) = database.execute("PRAGMA user_version").fetchone()
            if found not in (0, self.format):
                raise sqlite3.DatabaseError(f"expected format {self.format}, got {found}")
            (verdict,) = database.execute("PRAGMA quick_check(1)").fetchone()
            if verdict != "ok":
                raise sqlite3.DatabaseError(verdict)
            database.executescript(f"{self.schema};PRAGMA user_version = {self.format};")
        except BaseException:
            database.close()
            raise
        return database


def _put_aside(path: Path) -> Path:
    """Move a file and its log of changes; what an earlier one left there goes."""
    aside = path.with_name(path.name + ".damaged")
    for suffix in ("-wal", ""):
        part = path.with_name(path.name + suffix)
        kept = aside.with_name(aside.name + suffix)
        kept.unlink(missing_ok=True)
        if part.exists():
            part.replace(kept)
    path.with_name(path.name + "-shm").unlink(missing_ok=True)
    return aside
