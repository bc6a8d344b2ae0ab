"""How far a download is: a bar on a terminal, a line for each tenth elsewhere."""

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

WORTH_A_LINE = 1_000_000
"""Bytes; of smaller files nothing is said."""


class DownloadProgress:
    """Told of every piece, shows what people want to know; on standard error."""

    def __init__(self) -> None:
        """Look whether there is a terminal."""
        self._console = Console(stderr=True)
        self._bar: Progress | None = None
        if self._console.is_terminal:
            columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
            more = (TransferSpeedColumn(), TimeRemainingColumn())
            self._bar = Progress(*columns, *more, console=self._console, transient=True)
        self._tasks: dict[str, object] = {}
        self._told: dict[str, tuple[int, float]] = {}

    def __enter__(self) -> "DownloadProgress":
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar:
            self._bar.stop()

    def __call__(self, file: str, done: int, total: int | None) -> None:
        """Show that so many bytes of a file are there."""
        if max(done, total or 0) < WORTH_A_LINE:
            return
        if self._bar:
            if file not in self._tasks:
                self._tasks[file] = self._bar.add_task(file, total=total)
            self._bar.update(self._tasks[file], completed=done, total=total)  # type: ignore[arg-type]
            return
        # Where the length is not known, a line now and then.
        share = done * 10 // total if total else 0
        told, at = self._told.get(file, (-1, -60.0))
        if share > told or time.monotonic() - at > 60:
            self._told[file] = (share, time.monotonic())
            of = f" of {total / 1e6:.1f} MB" if total else " MB"
            print(f"{file}: {done / 1e6:.1f}{of}", file=sys.stderr, flush=True)
