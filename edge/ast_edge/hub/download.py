"""One file, downloaded whole or not at all, and resumed where a connection was lost."""

import fcntl
import hashlib
import json
import logging
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from ast_edge.base.errors import BundleError
from ast_edge.hub.errors import HubError, StorageError
from ast_edge.hub.web import Answer, TransferFault, Web

log = logging.getLogger(__name__)

Progress = Callable[[str, int, int | None], None]
"""Told the file, the bytes that are there, and those of the whole file where that is known."""

PATIENCE = 4
"""Attempts in a row that bring nothing."""
SLOWEST, OVER = 1024, 60.0
"""A connection that brings fewer bytes a second than this, over so many seconds, has failed."""


@dataclass(frozen=True)
class Fetched:
    """What is known of a file that has been downloaded."""

    sha256: str
    checked: str
    """By whose word it is whole: "pinned" (ours or the user's), "hub" or "nobody"."""
    etag: str
    """The server's name of this content."""
    commit: str
    """Of the repository; empty where there is none."""


class Download:
    """A file on its way to a folder."""

    def __init__(
        self,
        web: Web,
        url: str,
        target: Path,
        largest: int,
        progress: Progress,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """Take where the file is and where it goes, and how many bytes it may have."""
        self._web, self._url, self._target = web, url, target
        self._largest, self._progress, self._pause = largest, progress, pause
        self._partial = target.with_name(target.name + ".partial")
        self._note = target.with_name(target.name + ".partial.etag")

    def run(self, sha256: str = "", known_etag: str = "") -> Fetched | None:
        """Fetch the file; None if the server's is still that of `known_etag`.

        Raises:
            HubError: if the server cannot be reached or refuses, or the file has no end.
            BundleError: if what came is not what was promised.
            StorageError: if it cannot be written.
        """
        try:
            self._target.parent.mkdir(parents=True, exist_ok=True)
            with self._locked() as file:
                try:
                    answer = self._fetch(file, sha256, known_etag)
                    if answer is None:
                        self._forget()
                        return None
                    fetched = self._check(answer, sha256)
                except (BundleError, OSError):  # damaged, or it fills the disk
                    self._forget()
                    raise
                self._partial.replace(self._target)
                self._note.unlink(missing_ok=True)
        except OSError as exc:
            raise StorageError(f"{self._target}: cannot be written: {exc.strerror}") from exc
        return fetched

    @contextmanager
    def _locked(self) -> Iterator[BinaryIO]:
        with self._partial.open("ab") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as exc:
                raise HubError(
                    f"{self._target.name}: another ast-edge is downloading it; wait for that"
                ) from exc
            yield file

    def _forget(self) -> None:
        self._partial.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    def _fetch(self, file: BinaryIO, sha256: str, known_etag: str) -> Answer | None:
        """Bring all bytes into the file, in as many attempts as bring some."""
        failures, most = 0, file.seek(0, 2)
        while True:
            try:
                return self._attempt(file, file.seek(0, 2), sha256, known_etag)
            except TransferFault as exc:
                kept = file.seek(0, 2)
                failures = 1 if kept > most else failures + 1
                most = max(most, kept)
                if failures >= PATIENCE:
                    hint = f"; {kept / 1e6:.1f} MB are kept, try again to go on" if kept else ""
                    raise HubError(f"{exc}{hint}") from exc
                log.debug("%s; trying again", exc)
                self._pause(2.0 ** (failures - 1))

    def _attempt(self, file: BinaryIO, start: int, sha256: str, known_etag: str) -> Answer | None:
        """Ask for what is missing, and write it."""
        note = self._read_note() if start else ""
        if start and not (sha256 or note):  # nothing would tell a file of two halves
            file.truncate(0)
            start = 0
        # Who knows the sum needs no etag, which is often another on another host of the hub's.
        with self._web.open(self._url, start, "" if sha256 or is_sum(note) else note) as answer:
            if known_etag and known_etag == (answer.stated or answer.etag):
                return None
            if answer.status == 416 and answer.total == start:
                return answer  # it is whole, and was not checked any more
            if answer.status == 416 or (is_sum(note) and answer.stated not in ("", note)):
                file.truncate(0)
                raise TransferFault("the file has changed meanwhile")
            if answer.start > start:
                raise HubError(f"{self._target.name}: the server leaves out bytes from {start} on")
            file.truncate(answer.start)
            self._check_size(answer, answer.start)
            self._note.write_text(answer.stated or answer.etag, encoding="utf-8")
            self._copy(answer, file)
            return answer

    def _read_note(self) -> str:
        """Return what the part that is there belongs to."""
        try:
            return self._note.read_text(encoding="utf-8")
        except (FileNotFoundError, UnicodeDecodeError):
            return ""

    def _check_size(self, answer: Answer, start: int) -> None:
        if answer.total is None:
            return
        if answer.total > self._largest:
            raise BundleError(
                f"{self._target.name}: has {answer.total / 1e6:.0f} MB, expected at most "
                f"{self._largest / 1e6:.0f} MB"
            )
        free = shutil.disk_usage(self._target.parent).free
        if answer.total - start > free:
            raise StorageError(
                f"{self._target.parent}: {(answer.total - start) / 1e6:.1f} MB are to be written "
                f"and {free / 1e6:.1f} MB are free; make room, or set XDG_CACHE_HOME to a folder "
                "elsewhere"
            )

    def _copy(self, answer: Answer, file: BinaryIO) -> None:
        done = file.seek(0, 2)
        began, counted = time.monotonic(), done
        most = self._largest if answer.total is None else answer.total
        while piece := answer.read():
            done += len(piece)
            if done > most:
                raise BundleError(
                    f"{self._target.name}: does not end after the {most} bytes that it may have"
                )
            file.write(piece)
            self._progress(self._target.name, done, answer.total)
            if (now := time.monotonic()) - began > OVER:
                if done - counted < SLOWEST * OVER:
                    raise TransferFault("the server hardly sends any more")
                began, counted = now, done
        file.flush()
        if answer.total is not None and done < answer.total:
            raise TransferFault(f"{self._target.name}: ended after {done} of {answer.total} bytes")

    def _check(self, answer: Answer, sha256: str) -> Fetched:
        """Compare with what was promised: ours, or what the hub states."""
        promised, by = (sha256, "pinned") if sha256 else (answer.stated, "hub")
        found = _sum(self._partial, "sha256")
        wanted = found if len(promised) == 64 else _sum(self._partial, "git")
        if promised and wanted != promised:
            raise BundleError(
                f"{self._target.name}: is not what was promised: expected the sum "
                f"{promised[:16]}…, got {wanted[:16]}…; nothing is kept, try again"
            )
        etag = answer.stated or answer.etag
        return Fetched(found, by if promised else "nobody", etag, answer.commit)


def is_sum(etag: str) -> bool:
    """Tell whether it is a sum of the content itself, on whichever host."""
    return len(etag) in (40, 64) and etag.isalnum()


def _sum(path: Path, kind: str) -> str:
    """Compute the sha256 of a file, or Git's sha1 of it as a blob."""
    digest = hashlib.sha256()
    if kind == "git":
        digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def write_note(path: Path, fetched: Fetched) -> None:
    """Keep beside a file what is known of it.

    Raises:
        OSError: if it cannot be written.
    """
    path.write_text(json.dumps(asdict(fetched)), encoding="utf-8")


def read_note(path: Path) -> Fetched | None:
    """Return what is known of a file; None if nothing is, or the note is damaged."""
    try:
        tree = json.loads(path.read_bytes())
        fetched = Fetched(**tree)
    except (OSError, ValueError, TypeError):
        return None
    return fetched if all(isinstance(value, str) for value in tree.values()) else None
