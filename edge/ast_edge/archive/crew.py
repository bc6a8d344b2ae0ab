"""Who follows the tasks of a run, wherever they are."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from ast_edge.archive.worker import Answer, Task


@dataclass(frozen=True)
class Died:
    """The worker that followed a task has died; another takes its place."""

    reason: str


class Crew(Protocol):
    """Workers for one job, each with one task at a time."""

    @property
    def idle(self) -> int:
        """How many tasks may be given."""
        ...

    @property
    def is_busy(self) -> bool:
        """Whether any worker follows a task."""
        ...

    def give(self, task: Task) -> None:
        """Give a task to one that waits."""
        ...

    def answers(self, timeout: float) -> Iterator[tuple[Task, Answer | Died]]:
        """Yield what has come of tasks by now; wait so many seconds if nothing has.

        Raises:
            EngineError: the engine does not work.
        """
        ...

    def close(self) -> None:
        """End all workers, whatever they are at."""
        ...
