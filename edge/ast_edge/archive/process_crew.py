"""Worker processes of this machine: one that dies is replaced."""

import multiprocessing
from collections.abc import Iterator
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

from ast_edge.archive.crew import Died
from ast_edge.archive.job import Job
from ast_edge.archive.worker import Answer, Done, Ready, Task, Unfit, work
from ast_edge.base.errors import EngineError

_PATIENCE = 5.0


class ProcessCrew:
    """At most so many workers for one job; each is started when there is something to do for it.

    Closing it ends them, whatever they are at.
    """

    def __init__(self, job: Job, size: int) -> None:
        """Start nothing yet."""
        self._job, self._size = job, size
        self.engine = ""
        """What the workers' engines say of themselves, once one of them has."""
        self._members: list[_Member] = []

    @property
    def idle(self) -> int:
        """How many tasks may be given."""
        return self._size - sum(member.task is not None for member in self._members)

    @property
    def is_busy(self) -> bool:
        """Whether any follows a task."""
        return self.idle < self._size

    def give(self, task: Task) -> None:
        """Give a task to one that waits, or to a new one."""
        member = next((member for member in self._members if member.task is None), None)
        if member is None:
            member = _Member(self._job)
            self._members.append(member)
        member.take(task)

    def answers(self, timeout: float) -> Iterator[tuple[Task, Answer | Died]]:
        """Yield what has come of tasks by now; wait so many seconds if nothing has.

        Raises:
            EngineError: the engine does not work.
        """
        by_connection = {member.connection: member for member in self._members}
        for connection in wait(list(by_connection), timeout):
            assert isinstance(connection, Connection)
            yield from self._answer_of(by_connection[connection])

    def close(self) -> None:
        """End all processes."""
        for member in self._members:
            member.process.kill()
        for member in self._members:
            member.process.join(_PATIENCE)
            member.connection.close()

    def _answer_of(self, member: "_Member") -> Iterator[tuple[Task, Answer | Died]]:
        try:
            answer: Answer = member.connection.recv()
        except (EOFError, OSError):
            yield from self._replace(member)
            return
        if isinstance(answer, Unfit):
            raise EngineError(answer.reason)
        if isinstance(answer, Ready):
            member.is_ready, self.engine = True, answer.engine
            return
        task = member.task
        assert task is not None
        if isinstance(answer, Done):
            member.task = None
        yield task, answer

    def _replace(self, member: "_Member") -> Iterator[tuple[Task, Died]]:
        member.process.join(_PATIENCE)
        reason = _how(member.process.exitcode)
        if not member.is_ready:
            raise EngineError(f"a worker {reason} before its engine was ready; is memory short?")
        member.connection.close()
        self._members[self._members.index(member)] = _Member(self._job)
        if member.task is not None:
            yield member.task, Died(f"the worker {reason}")


class _Member:
    """A process and what it does."""

    def __init__(self, job: Job) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process: SpawnProcess = context.Process(target=work, args=(job, theirs), daemon=True)
        self.process.start()
        theirs.close()
        self.task: Task | None = None
        self.is_ready = False

    def take(self, task: Task) -> None:
        self.task = task
        try:
            self.connection.send(task)
        except (BrokenPipeError, ConnectionResetError):
            return  # its death is told by `recv`


def _how(exitcode: int | None) -> str:
    if exitcode is None:
        return "does not end"
    return f"was ended by signal {-exitcode}" if exitcode < 0 else f"ended with code {exitcode}"
