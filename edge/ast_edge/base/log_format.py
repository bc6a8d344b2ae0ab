"""Log lines as the journal, a terminal or a program reads them."""

import json
import logging
import math
import os
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from ast_edge.base.printable import printable
from ast_edge.base.secret_values import masked
from ast_edge.base.times import iso8601

REPEAT_SECONDS = 60.0
"""A message is written once in so many seconds."""
EVERY_TIME = {"every_time": True}
"""`extra` of a message that answers somebody, who may ask again, or is news by itself."""

# Priorities of sd-daemon(3).
_PRIORITIES = {
    logging.CRITICAL: 2,
    logging.ERROR: 3,
    logging.WARNING: 4,
    logging.INFO: 6,
    logging.DEBUG: 7,
}


_Key = tuple[str, int, str]


class PlainFormatter(logging.Formatter):
    """A line of text in which strangers cannot write what a terminal obeys, or a second line."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Return the line without the traceback."""
        return printable(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:  # noqa: ANN401 (of logging)
        """Return the traceback, line by line."""
        return "\n".join(map(printable, super().formatException(ei).split("\n")))


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and exception if there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line = {
            "time": iso8601(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = record.exc_text or self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


class JournalFormatter(logging.Formatter):
    """Put the priority before every line, as the journal takes it from standard error."""

    def __init__(self, inner: logging.Formatter) -> None:
        """Take what makes the lines."""
        super().__init__()
        self._inner = inner

    def format(self, record: logging.LogRecord) -> str:
        """Return the lines."""
        priority = f"<{_PRIORITIES.get(record.levelno, 6)}>"
        lines = self._inner.format(record).splitlines() or [""]
        return "\n".join(priority + line for line in lines)


class SecretFilter(logging.Filter):
    """Take secrets out of messages and tracebacks."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Change the record where it has to be; it is always written."""
        record.msg, record.args = masked(record.getMessage()), None
        if record.exc_info:
            lines = masked(logging.Formatter().formatException(record.exc_info)).split("\n")
            record.exc_text = "\n".join(map(printable, lines))
        return True


class RepeatFilter(logging.Filter):
    """Let a message through once in 60 s, and tell later how often it was repeated.

    That is told before the first line that comes after the 60 s, or by `flush`. What is worth a
    line every time (`extra=EVERY_TIME`) is always let through.
    """

    def __init__(
        self,
        emit: Callable[[logging.LogRecord], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`emit` writes a record past this filter; `clock` gives seconds that only go forward."""
        super().__init__()
        self._emit, self._clock = emit, clock
        self._lock = threading.RLock()
        self._written: dict[_Key, tuple[float, logging.LogRecord]] = {}
        """When messages were written first, in the order of these times."""
        self._repeats: Counter[_Key] = Counter()

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether a record is to be written."""
        if getattr(record, "every_time", False):
            return True
        key = (record.name, record.levelno, record.getMessage())
        with self._lock:
            now = self._clock()
            self._tell(now - REPEAT_SECONDS)
            if key in self._written:
                self._repeats[key] += 1
                return False
            self._written[key] = (now, record)
        return True

    def flush(self) -> None:
        """Tell all repetitions that have not been told."""
        with self._lock:
            self._tell(math.inf)

    def _tell(self, until: float) -> None:
        """Forget the messages that were written until then, and tell how often they came again."""
        for key, (written, record) in list(self._written.items()):
            if written > until:
                return
            del self._written[key]
            if count := self._repeats.pop(key, 0):
                self._emit(_repeated(record, count))


def _repeated(record: logging.LogRecord, count: int) -> logging.LogRecord:
    times = "once more" if count == 1 else f"{count} times"
    text = f"{record.getMessage()} (repeated {times} in {REPEAT_SECONDS:.0f} s)"
    where = record.pathname, record.lineno
    return logging.LogRecord(record.name, record.levelno, *where, text, None, None)


def goes_to_the_journal() -> bool:
    """Tell whether standard error is the journal's stream; source: systemd.exec(5)."""
    stream = os.environ.get("JOURNAL_STREAM")
    if not stream:
        return False
    found = os.fstat(2)
    return stream == f"{found.st_dev}:{found.st_ino}"
