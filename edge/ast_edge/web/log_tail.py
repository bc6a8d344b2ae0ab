"""The last warnings of the log, for the page."""

import logging
from collections import deque
from typing import Any

from ast_edge.base.times import iso8601
from ast_edge.web.page_state import shown

KEPT = 50


class LogTail(logging.Handler):
    """Keeps the newest warnings and errors, each without paths, passwords and traceback."""

    def __init__(self) -> None:
        """Begin empty; it listens when it is added to a logger."""
        super().__init__(logging.WARNING)
        self._lines: deque[dict[str, Any]] = deque(maxlen=KEPT)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record."""
        try:
            message = shown(record.getMessage())
        except Exception:  # noqa: BLE001 (as every handler: a bad line must not end its thread)
            self.handleError(record)
            return
        last = self._lines[-1] if self._lines else None
        if last and last["message"] == message:
            self._lines[-1] = last | {"time": iso8601(record.created), "times": last["times"] + 1}
            return
        level = record.levelname.lower()
        self._lines.append(
            {"time": iso8601(record.created), "level": level, "message": message, "times": 1}
        )

    def lines(self) -> list[dict[str, Any]]:
        """Return them, the oldest first; in any thread."""
        return list(self._lines)
