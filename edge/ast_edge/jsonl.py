"""Events as lines of JSON in a file."""

import io
import logging
from pathlib import Path

from ast_edge.errors import ConfigError
from ast_edge.events import Event
from ast_edge.payload import event_json

log = logging.getLogger(__name__)

STDOUT = Path("/dev/stdout")


class JsonLinesSink:
    """Append one line per event to a file, readable by others as soon as `publish` returns.

    A fault while writing (a full disk) is logged once and counted in `failed`: detection goes on,
    and so do later lines when there is room again.

    Raises:
        ConfigError: the file cannot be opened.
    """

    def __init__(self, path: Path, *, node: str, bundle: str) -> None:
        self._path = path
        self._node = node
        self._bundle = bundle
        self._torn = False
        self.written = 0
        self.failed = 0
        try:
            # /dev/stdout cannot be opened by name when it is a socket, as under systemd.
            self._file = (
                io.FileIO(1, "w", closefd=False) if path == STDOUT else io.FileIO(path, "a")
            )
        except OSError as exc:
            raise ConfigError(
                f"jsonl: cannot append to {path}: {exc.strerror}; give a file in a folder that "
                "exists and that this user may write to"
            ) from exc

    def publish(self, event: Event) -> None:
        """Append one line; a fault is logged once and counted."""
        text = event_json(event, node=self._node, bundle=self._bundle) + "\n"
        # A line that was cut off by a full disk must not swallow the next one.
        line = (b"\n" if self._torn else b"") + text.encode()
        try:
            count = self._file.write(line) or 0
        except OSError as exc:
            self._fail(str(exc.strerror))
            return
        if count < len(line):
            self._torn = True
            self._fail(f"only {count} of {len(line)} bytes fitted")
            return
        self._torn = False
        self.written += 1

    def close(self) -> None:
        """Close the file; standard output stays open."""
        self._file.close()

    def _fail(self, fault: str) -> None:
        if self.failed == 0:
            log.error(
                "jsonl: cannot write to %s: %s; further faults are counted", self._path, fault
            )
        self.failed += 1
