"""One run over recordings: tasks for workers, and their answers into the journal."""

import logging
import os
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from ast_edge.archive.crew import Crew, Died
from ast_edge.archive.fingerprint import Fingerprint, fingerprint_of
from ast_edge.archive.journal import Journal
from ast_edge.archive.recordings import shown_path
from ast_edge.archive.remote import Listings, is_remote
from ast_edge.archive.watch import Watch
from ast_edge.archive.worker import Answer, Done, Failed, Hear, Join, Joined, Stretched, Task
from ast_edge.base.printable import printable

log = logging.getLogger(__name__)

_MOST_DEATHS = 2
"""Of workers at the same of a recording, until it is given up."""
_CHANGED = "it was changed while it was read; take it up again by --resume when it is complete"
_WAIT = 0.5


@dataclass
class _Open:
    """A recording that is under way."""

    asked: set[int] = field(default_factory=set)
    """Stretches for which there was a task."""
    joining: bool = False


class Run:
    """Hears all recordings of a journal that are not done.

    What has been heard is in the journal at once, so that whatever ends the run costs no more than
    the stretches that were under way.
    """

    def __init__(self, journal: Journal, crew: Crew, watch: Watch) -> None:
        """Take the journal with what is to be done, workers, and who watches."""
        self._journal, self._crew, self._watch = journal, crew, watch
        self._open: dict[bytes, _Open] = {}
        self._tasks: deque[Task] = deque()
        """Of recordings that are under way: these go first, so that few are."""
        self._deaths: Counter[tuple[bytes, int | None]] = Counter()
        """Of workers, by recording and stretch."""

    def follow(self) -> None:
        """Go on until all is done.

        Raises:
            ArchiveStorageError: the journal cannot be written.
            EngineError: the engine does not work.
        """
        waiting = self._begun()
        while True:
            while self._crew.idle and (task := self._next(waiting)):
                self._crew.give(task)
            if self._crew.idle and not self._crew.is_busy:
                return  # there was nothing left to give
            for task, answer in self._crew.answers(_WAIT):
                self._take(task, answer)
            self._watch.look()

    def _begun(self) -> Iterator[None]:
        """Begin one recording after another."""
        for path in self._journal.to_do():
            self._open[path] = _Open()
            self._ask(path)
            yield

    def _next(self, waiting: Iterator[None]) -> Task | None:
        while not self._tasks:
            if next(waiting, self) is self:
                return None
        return self._tasks.popleft()

    def _ask(self, path: bytes) -> None:
        """Make tasks of what is missing of a recording."""
        one, progress = self._open[path], self._journal.progress(path)
        if progress.is_complete and not one.joining:
            one.joining = True
            self._tasks.appendleft(Join(path, self._journal.evidence(path)))
        for number in progress.missing:
            if number not in one.asked:
                one.asked.add(number)
                self._tasks.append(Hear(path, number))
        if progress.stretches:
            self._watch.part(path, len(progress.numbers) / progress.stretches)

    def _take(self, task: Task, answer: Answer | Died) -> None:
        path = task.path
        if path not in self._open:
            return  # its end is known, or that it has none
        if isinstance(answer, Stretched):
            self._take_stretch(path, answer)
        elif isinstance(answer, Joined):
            self._journal.put_done(path, answer.events)
            self._finish(path, events=len(answer.events))
        elif isinstance(answer, Failed):
            self._fail(path, answer.kind, answer.reason)
        elif isinstance(answer, Died):
            self._take_death(task, answer.reason)
        elif isinstance(answer, Done) and isinstance(task, Hear):
            self._ask(path)

    def _take_stretch(self, path: bytes, answer: Stretched) -> None:
        heard = answer.heard
        if not self._journal.put_stretch(path, heard, answer.started_at):
            self._fail(path, "changed", f"{_named(path)}: {_CHANGED}")
            return
        self._watch.heard(heard.number, heard.seconds)

    def _take_death(self, task: Task, reason: str) -> None:
        path, number = task.path, task.number if isinstance(task, Hear) else None
        self._deaths[path, number] += 1
        if self._deaths[path, number] >= _MOST_DEATHS:
            self._fail(path, "crashed", f"{_named(path)}: {reason}, and so did the one before")
            return
        log.warning("%s: %s; trying it once more", _named(path), reason)
        if isinstance(task, Hear):
            self._open[path].asked.discard(task.number)
        else:
            self._open[path].joining = False
        self._ask(path)

    def _fail(self, path: bytes, kind: str, reason: str) -> None:
        self._journal.put_failed(path, kind, reason)
        log.warning("%s", reason)
        self._finish(path, failed=True)

    def _finish(self, path: bytes, *, events: int = 0, failed: bool = False) -> None:
        del self._open[path]
        self._tasks = deque(task for task in self._tasks if task.path != path)
        self._watch.finished(path, events=events, failed=failed)


def forget_changed(journal: Journal) -> None:
    """Begin those recordings again that are not what they were when they were heard.

    Raises:
        ArchiveError: those elsewhere cannot be looked at.
    """
    listings = Listings()
    changed = [path for path, known in journal.to_check() if not _is(path, known, listings)]
    for path in changed:
        log.info("%s: has changed since it was heard: heard anew", _named(path))
        journal.begin_again(path)


def _is(path: bytes, known: Fingerprint, listings: Listings) -> bool:
    """Tell whether a recording is what it was; one that is away is taken to be."""
    name = os.fsdecode(path)
    if is_remote(name):
        return listings.fingerprint(name) in (None, known)
    try:
        return fingerprint_of(name) == known
    except OSError:
        return True


def _named(path: bytes) -> str:
    return printable(shown_path(path))
