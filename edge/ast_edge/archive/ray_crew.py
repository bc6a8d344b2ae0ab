"""Workers on the nodes of a Ray cluster."""

import contextlib
import logging
import os
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ast_edge.archive.crew import Died
from ast_edge.archive.errors import ArchiveError
from ast_edge.archive.job import Job
from ast_edge.archive.worker import Answer, Done, Task, Worker
from ast_edge.base.errors import AstError, EngineError
from ast_edge.engines.choice import open_engine

log = logging.getLogger(__name__)

_IN_FLIGHT = 2
"""Answers of one worker that wait in the object store; more are not made meanwhile."""
_STARTING = 8
"""Actors that may wait for room; a cluster that grows does so for these."""
_CONNECT_SECONDS = 10.0
_WAIT_SECONDS = 30.0
"""Between two lines that say that the cluster has no room."""


@dataclass(frozen=True)
class Share:
    """What of a node each worker has to itself."""

    cpus: float = 1.0
    gpus: float = 0.0


class RayCrew:
    """At most so many actors, as many as the cluster has room for; others begin when it has.

    The journal, the tables and the list of recordings stay with the run: a node that is lost costs
    what was under way there, which others hear again.
    """

    def __init__(self, job: Job, size: int, address: str, share: Share) -> None:
        """Connect to a cluster: "auto" is the one of this node, "local" one of this run's own.

        Raises:
            ArchiveError: Ray is not installed, or there is no such cluster.
        """
        ray = self._ray = _import_ray()
        _check_address(address)
        try:
            ray.init(
                address=address, configure_logging=False, log_to_driver=False, namespace="ast-edge"
            )
        except (ConnectionError, ValueError, RuntimeError) as exc:
            raise ArchiveError(f"--ray {address}: no cluster can be reached: {exc}") from exc
        self._job = ray.put(job)
        self._size = size
        kind = ray.remote(
            num_cpus=share.cpus,
            num_gpus=share.gpus,
            max_restarts=0,
            runtime_env={"env_vars": {"OPENBLAS_NUM_THREADS": "1"}},
        )(_Actor)
        self._new: Callable[[Any], Any] = kind.remote
        self._share = share
        self._starting: dict[Any, Any] = {}
        """Actors that wait for room or open their engine, by what tells that they have."""
        self._waiting: list[Any] = []
        """Actors without a task."""
        self._tasks: dict[Any, tuple[Task, Any]] = {}
        """Tasks and the actors that follow them, by the streams of their answers."""
        self._said = time.monotonic()
        self._fill()

    @property
    def idle(self) -> int:
        """How many tasks may be given."""
        return len(self._waiting)

    @property
    def is_busy(self) -> bool:
        """Whether any worker follows a task."""
        return bool(self._tasks)

    def give(self, task: Task) -> None:
        """Give a task to one that waits."""
        actor = self._waiting.pop()
        follow = actor.follow.options(_generator_backpressure_num_objects=_IN_FLIGHT)
        self._tasks[follow.remote(task)] = task, actor

    def answers(self, timeout: float) -> Iterator[tuple[Task, Answer | Died]]:
        """Yield what has come of tasks by now; wait so many seconds if nothing has.

        Raises:
            EngineError: the engine does not work.
        """
        pending = [*self._starting, *self._tasks]
        ready, _ = self._ray.wait(pending, num_returns=1, timeout=timeout, fetch_local=False)
        for one in ready:
            if one in self._starting:
                self._take_in(one)
            else:
                yield self._answer_of(one)
        self._say_if_there_is_no_room()

    def close(self) -> None:
        """End all workers, whatever they are at."""
        followers = [actor for _, actor in self._tasks.values()]
        for actor in [*followers, *self._waiting, *self._starting.values()]:
            with contextlib.suppress(Exception):
                self._ray.kill(actor)
        self._ray.shutdown()

    def _fill(self) -> None:
        """Ask for actors up to the number that is wanted, a few at a time."""
        missing = self._size - len(self._starting) - len(self._waiting) - len(self._tasks)
        for _ in range(min(missing, _STARTING - len(self._starting))):
            actor = self._new(self._job)
            self._starting[actor.ready.remote()] = actor

    def _take_in(self, ready: Any) -> None:  # noqa: ANN401 (of Ray)
        """Let an actor wait for tasks whose engine is open."""
        actor = self._starting.pop(ready)
        try:
            fault = self._ray.get(ready)
        except self._ray.exceptions.RayActorError:  # its node was lost
            self._fill()
            return
        if fault is not None:
            raise EngineError(fault)
        self._waiting.append(actor)
        self._fill()

    def _answer_of(self, stream: Any) -> tuple[Task, Answer | Died]:  # noqa: ANN401 (of Ray)
        task, actor = self._tasks[stream]
        exceptions = self._ray.exceptions
        try:
            answer: Answer = self._ray.get(next(stream))
        except StopIteration:
            del self._tasks[stream]
            self._waiting.append(actor)
            return task, Done()
        except (exceptions.RayActorError, exceptions.ObjectLostError) as exc:
            del self._tasks[stream]
            with contextlib.suppress(Exception):
                self._ray.kill(actor)
            self._fill()
            return task, Died(f"the worker on the cluster is lost ({type(exc).__name__})")
        return task, answer

    def _say_if_there_is_no_room(self) -> None:
        now = time.monotonic()
        if self._waiting or self._tasks or not self._starting:
            self._said = now
        elif now - self._said > _WAIT_SECONDS:
            self._said = now
            log.warning(
                "no worker runs: each needs %g CPU and %g GPU, the cluster has %s free; waiting",
                *(self._share.cpus, self._share.gpus, _shown(self._ray.available_resources())),
            )


class _Actor:
    """A worker as an actor: its engine is opened once."""

    def __init__(self, job: Job) -> None:
        self._fault: str | None = None
        try:
            self._worker = Worker(job, open_engine(job.bundle, job.engine))
        except AstError as exc:
            self._fault = str(exc)

    def ready(self) -> str | None:
        """Return why it cannot work, or nothing."""
        return self._fault

    def follow(self, task: Task) -> Iterator[Any]:
        """Yield what a task gives, as soon as it is known."""
        yield from self._worker.follow(task)


def _check_address(address: str) -> None:
    """Refuse a node that does not answer: Ray would try for minutes, and end this process."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon:
        return
    try:
        socket.create_connection((host, int(port)), _CONNECT_SECONDS).close()
    except (OSError, ValueError) as exc:
        raise ArchiveError(f"--ray {address}: no cluster can be reached: {exc}") from exc


def _shown(resources: dict[str, float]) -> str:
    return ", ".join(f"{resources.get(kind, 0):g} {kind}" for kind in ("CPU", "GPU"))


def _import_ray() -> Any:  # noqa: ANN401 (optional)
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # it reports itself otherwise
    try:
        import ray
        import ray.exceptions
    except ImportError as exc:
        raise ArchiveError(
            f"--ray needs Ray, which cannot be imported ({exc}): pip install 'ast-edge[ray]'"
        ) from exc
    return ray
