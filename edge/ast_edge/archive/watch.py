"""How a run gets on: on a terminal as a bar, else as a line of the log now and then."""

import logging
import time
from collections.abc import Callable
from datetime import timedelta
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

log = logging.getLogger(__name__)

_LINE_SECONDS = 60.0
"""Between two lines of the log."""


class Watch:
    """Counts what is done, and shows it."""

    def __init__(
        self,
        total: int,
        console: Console,
        stretch_seconds: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Expect so many recordings."""
        self._total, self._clock = total, clock
        self._stretch = stretch_seconds
        self._began = self._said = clock()
        self.done = self.failed = self.events = 0
        """Recordings and events of this run."""
        self.seconds = 0.0
        """Of sound that was heard."""
        self._parts: dict[bytes, float] = {}
        """Of recordings under way, how much is done."""
        columns = (TextColumn("{task.description}"), BarColumn())
        self._bar = Progress(*columns, console=console, transient=True)
        self._task = self._bar.add_task("", total=total)
        self._shows = console.is_terminal

    def __enter__(self) -> "Watch":
        if self._shows:
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._shows:
            self._bar.stop()

    def heard(self, number: int, seconds: float) -> None:
        """Take that a stretch has been heard, of a recording that is known up to some second."""
        self.seconds += max(0.0, seconds - number * self._stretch)

    def part(self, path: bytes, share: float) -> None:
        """Take how much of a long recording is done."""
        self._parts[path] = share

    def finished(self, path: bytes, *, events: int, failed: bool) -> None:
        """Take that a recording is done, or cannot be heard."""
        self._parts.pop(path, None)
        self.done += 1
        self.failed += failed
        self.events += events

    def look(self) -> None:
        """Show how far it is, if it is time."""
        if self._shows:
            self._bar.update(self._task, completed=self._whole(), description=self.line())
        elif self._clock() - self._said >= _LINE_SECONDS:
            self._said = self._clock()
            log.info("%s", self.line())

    def line(self) -> str:
        """Return how far it is, how fast, and how long it will take."""
        elapsed = max(self._clock() - self._began, 1e-9)
        parts = [
            f"{self.done:,} of {self._total:,} recordings",
            f"{lasting(self.seconds)} of sound, {self.seconds / elapsed:,.0f} times real time",
        ]
        if self.failed:
            parts.append(f"{self.failed:,} not heard")
        if 0 < (whole := self._whole()) < self._total:
            left = timedelta(seconds=round(elapsed / whole * (self._total - whole)))
            parts.append(f"{left} to go")
        return ", ".join(parts)

    def _whole(self) -> float:
        return self.done + sum(self._parts.values())


def lasting(seconds: float) -> str:
    """Return a length of sound for people: "12.3 h", "4.5 min" or "7 s"."""
    if seconds >= 3600:
        return f"{seconds / 3600:,.1f} h"
    return f"{seconds / 60:.1f} min" if seconds >= 60 else f"{seconds:.0f} s"
