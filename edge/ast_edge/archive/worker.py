"""A process that hears stretches of recordings by an engine of its own."""

import contextlib
import logging
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import PurePath

from ast_edge.archive.ear import Ear, Heard
from ast_edge.archive.errors import ArchiveError
from ast_edge.archive.evidence import find_events
from ast_edge.archive.job import Job
from ast_edge.archive.reading import open_reading
from ast_edge.archive.remote import is_remote, read_remote
from ast_edge.archive.wall_time import read_local, started_at
from ast_edge.base.errors import AstError, AudioError
from ast_edge.detection.event import Event
from ast_edge.detection.schedule import find_zone
from ast_edge.engines.choice import open_engine
from ast_edge.engines.engine import Engine

EventRow = tuple[int, float, float, float]
"""Column of the label, onset and offset in seconds of the recording, peak."""


@dataclass(frozen=True)
class Hear:
    """Hear a stretch of a recording; and all that follow, if it can only be read to its end."""

    path: bytes
    number: int = 0


@dataclass(frozen=True)
class Join:
    """Find the events of a recording whose stretches have all been heard."""

    path: bytes
    evidence: tuple[bytes, ...]


Task = Hear | Join


@dataclass(frozen=True)
class Ready:
    """The worker's engine works."""

    engine: str


@dataclass(frozen=True)
class Unfit:
    """The worker's engine does not work."""

    reason: str


@dataclass(frozen=True)
class Stretched:
    """A stretch has been heard."""

    heard: Heard
    started_at: float | None
    """Unix time of the recording's first sample."""


@dataclass(frozen=True)
class Joined:
    """All events of a recording are known."""

    events: tuple[EventRow, ...]


@dataclass(frozen=True)
class Failed:
    """The recording cannot be heard."""

    kind: str
    reason: str


@dataclass(frozen=True)
class Done:
    """The task is over."""


Answer = Ready | Unfit | Stretched | Joined | Failed | Done


class Worker:
    """Follows tasks; what it gives depends on the job and the task alone."""

    def __init__(self, job: Job, engine: Engine) -> None:
        """Take an engine of the job's bundle."""
        self._job, self._ear = job, Ear(job, engine)
        self._zone = find_zone(job.timezone)

    def follow(self, task: Task) -> Iterator[Stretched | Joined | Failed]:
        """Yield what a task gives, as soon as it is known."""
        name = os.fsdecode(task.path)
        try:
            if isinstance(task, Join):
                yield self._join(name, task.evidence)
            else:
                yield from self._hear(name, task.number)
        except (AudioError, ArchiveError) as exc:
            yield Failed("unreadable", str(exc))

    def _hear(self, name: str, number: int) -> Iterator[Stretched | Joined]:
        with open_reading(name, self._job.hearing.conditioning.channel) as reading:
            beside = read_remote if is_remote(name) else read_local
            began = started_at(name, self._zone, beside)
            while True:
                if reading.seconds is None:
                    reading.keep(self._ear.begins(self._job.stretch(number + 1)))
                heard = self._ear.hear(reading, self._job.stretch(number))
                yield Stretched(heard, began)
                if heard.last or reading.seconds is not None:
                    break
                number += 1
        if heard.last and heard.number == 0:
            yield self._join(name, (heard.evidence,))

    def _join(self, name: str, evidence: tuple[bytes, ...]) -> Joined:
        if not self._job.events:
            return Joined(())
        events = find_events(self._job.hearing, PurePath(name).stem, evidence)
        return Joined(tuple(_row(event) for event in events))


def _row(event: Event) -> EventRow:
    onset, offset = round(event.onset, 3), round(event.offset, 3)
    return event.label.index, onset, offset, round(event.peak, 4)


def _end_with_the_run() -> None:
    """End this process when the run is gone, which may be by kill -9 and amid a recording."""
    run = multiprocessing.parent_process()
    assert run is not None
    run.join()
    os._exit(1)


def work(job: Job, connection: Connection) -> None:
    """Be a worker process until the other end is gone."""
    # Whoever stops the run ends this process as well.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_the_run, daemon=True).start()
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    try:
        engine = open_engine(job.bundle, job.engine)
    except AstError as exc:
        connection.send(Unfit(str(exc)))
        return
    # The other end may be gone at any moment, even by kill -9.
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        connection.send(Ready(engine.description))
        worker = Worker(job, engine)
        while True:
            for answer in worker.follow(connection.recv()):
                connection.send(answer)
            connection.send(Done())
