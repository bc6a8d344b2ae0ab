"""Events as lines of JSON in a file."""

import io
import logging
import os
import select
from pathlib import Path

from ast_edge.base.errors import ConfigError
from ast_edge.detection.event import Event
from ast_edge.outputs.payload import event_json

log = logging.getLogger(__name__)

STDOUT = Path("/dev/stdout")
PATIENCE = 5.0
"""Seconds that the reader of a pipe is waited for; sound is read on meanwhile."""


class JsonLinesSink:
    """Append one line per event to a file, readable by others as soon as `publish` returns.

    It may be a pipe, also a FIFO that nobody reads yet: what it holds is for the reader to come.
    A fault while writing (a full disk, a pipe that nobody reads) is logged once and counted in
    `failed`: detection goes on, and so do later lines when there is room again.

    Raises:
        ConfigError: the file cannot be opened.
    """

    def __init__(self, path: Path, *, node: str) -> None:
        self._path = path
        self._node = node
        self._torn = False
        self._patience = PATIENCE
        self.written = 0
        self.failed = 0
        try:
            self._file = _open(path)
        except OSError as exc:
            raise ConfigError(
                f"jsonl: cannot append to {path}: {exc.strerror}; give a file in a folder that "
                "exists and that this user may write to"
            ) from exc

    def publish(self, event: Event) -> None:
        """Append one line; a fault is logged once and counted."""
        text = event_json(event, node=self._node) + "\n"
        # A line that was cut off by a full disk must not swallow the next one.
        line = (b"\n" if self._torn else b"") + text.encode()
        try:
            count = self._write(line)
        except OSError as exc:
            self._fail(str(exc.strerror))
            return
        if count < len(line):
            self._fail(f"only {count} of {len(line)} bytes fitted: nobody reads it")
            return
        self.written += 1

    def close(self) -> None:
        """Close the file; standard output stays open."""
        self._file.close()

    def _write(self, line: bytes) -> int:
        """Write as much as there is room for, and return how much.

        Who reads a pipe slowly is waited for, but once only if nothing is read at all.
        """
        poll, written = select.poll(), 0
        poll.register(self._file, select.POLLOUT)
        # A pipe that is ready takes so much without waiting; files always are.
        while written < len(line) and poll.poll(1000 * self._patience):
            written += self._file.write(line[written : written + select.PIPE_BUF]) or 0
            self._torn = written < len(line)
        self._patience = PATIENCE if written == len(line) else 0.0
        return written

    def _fail(self, fault: str) -> None:
        if self.failed == 0:
            log.error(
                "jsonl: cannot write to %s: %s; further faults are counted", self._path, fault
            )
        self.failed += 1


def _open(path: Path) -> io.FileIO:
    """Open for appending, without waiting for somebody who reads."""
    if path == STDOUT:  # cannot be opened by name when it is a socket, as under systemd
        return io.FileIO(1, "w", closefd=False)
    if not path.is_fifo():
        return io.FileIO(path, "a")
    # For reading too: Linux then opens it though nobody reads yet. Source: fifo(7).
    return io.FileIO(os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC), "w")
