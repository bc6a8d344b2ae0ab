"""Many recordings at once: from names to tables."""

import logging
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from types import FrameType

from rich.console import Console

from ast_edge.archive.crew import Crew
from ast_edge.archive.errors import ArchiveError
from ast_edge.archive.folder import Folder
from ast_edge.archive.job import Job
from ast_edge.archive.journal import Journal
from ast_edge.archive.process_crew import ProcessCrew
from ast_edge.archive.run import Run, forget_changed
from ast_edge.archive.tables.parquet import need_pyarrow
from ast_edge.archive.tables.tables import Tables
from ast_edge.archive.watch import Watch

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """How a run ended."""

    watch: Watch
    recordings: int
    """That are done, all runs together."""
    failed: int
    rows: dict[str, int]
    """Of each table."""


def work_through(
    job: Job,
    paths: Iterable[bytes],
    folder: Folder,
    hire: Callable[[Job], Crew],
    *,
    resume: bool,
    console: Console,
) -> Outcome:
    """Hear all recordings of a shard by a crew that is hired for it, and write its tables.

    Raises:
        ArchiveError: there is nothing to hear, or the folder is another run's or of others.
        ArchiveStorageError: the results cannot be written.
        EngineError: the engine does not work.
        KeyboardInterrupt: it was stopped, by Ctrl-C or SIGTERM; --resume goes on.
    """
    need_pyarrow()
    if job.embeddings and job.bundle.embedding is None:
        raise ArchiveError(f"--embeddings: the bundle {job.bundle.name!r} gives none")
    folder.claim(job.parameters)
    with _stoppable(), closing(Journal(folder.journal)) as journal:
        if not journal.is_new and not resume:
            raise ArchiveError(
                f"{folder.path}: there are results of a run before; go on with them by --resume, "
                "or use another folder"
            )
        journal.enlist(path for path in paths if path in folder.shard)
        forget_changed(journal)
        to_do = journal.count("new") + journal.count("failed")
        if journal.is_new:
            log.warning("there is no recording in this part of the archive")
        watch = Watch(to_do, console, job.stretch(0).end)
        if to_do:
            _hear(hire(_for_workers(job)), journal, watch)
        rows = Tables(job, journal).write(folder)
        return Outcome(watch, journal.count("done"), journal.count("failed"), rows)


def processes(size: int) -> Callable[[Job], Crew]:
    """Return what hires so many processes of this machine."""
    return lambda job: ProcessCrew(job, size)


def _hear(crew: Crew, journal: Journal, watch: Watch) -> None:
    with closing(crew), watch:
        try:
            Run(journal, crew, watch).follow()
        except KeyboardInterrupt:
            log.warning("stopped: %s; --resume goes on with it", watch.line())
            raise


def _for_workers(job: Job) -> Job:
    """Give each worker's engine one thread: sums do not depend on how many there are then."""
    threads = job.engine.threads or 1
    return replace(job, engine=job.engine.model_copy(update={"threads": threads}))


@contextmanager
def _stoppable() -> Iterator[None]:
    """Let SIGTERM, which a scheduler sends before it kills, be what Ctrl-C is."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def cores() -> int:
    """Return how many processors this process may use."""
    return len(os.sched_getaffinity(0))
